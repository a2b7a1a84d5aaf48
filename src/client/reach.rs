//! Whether the stores of a client answer that are on servers.

use super::Client;
use crate::cache::SemanticCache;
use crate::store::StoreReach;

impl Client {
    /// Its stores that are on servers, `queue`, `costs` and `cache`, each with whether it answers now. Each server is asked,
    /// and has a second for its answer.
    ///
    /// ```
    /// # use headrace::{client::*, cost::{*, price::PriceTable}, provider::*, queue::*};
    /// # let provider = std::sync::Arc::new(simulated::Simulated::new(simulated::SimulatedConfig::default()));
    /// # let queue = RequestQueue::open("memory://", QueueConfig::default()).unwrap();
    /// # let costs = CostTracker::open("memory://", PriceTable::builtin()).unwrap();
    /// # let client = Client::new(ClientConfig::new(vec![provider], queue, costs)).unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// assert!(client.reach().await.is_empty(), "in memory there is no server");
    /// # });
    /// ```
    pub async fn reach(&self) -> Vec<(&'static str, StoreReach)> {
        let of_cache = async {
            match self.cache() {
                Some(cache) => SemanticCache::reach(cache).await,
                None => None,
            }
        };
        let (queue, costs, cache) = futures_util::join!(self.queue().reach(), self.costs().reach(), of_cache);
        let found = [("queue", queue), ("costs", costs), ("cache", cache)];
        found.into_iter().filter_map(|(store, reach)| Some((store, reach?))).collect()
    }
}
