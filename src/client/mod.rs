//! The line of a request, composed: cache, budget, queue, provider, ledger, cache.
//!
//! ```text
//! call ──► question ──► cache ──hit──► Response (what it saved is recorded)
//!                         │ miss; equal questions at once are one flight
//!                       admit ──cannot fit──► BudgetExceeded, before it waits
//!                         │
//!            ┌────────► queue: a turn an attempt, within the limits
//!  pause and │            │
//!  next turn │          hold the worst case
//!            │            │
//!            └─failed── provider ──► events ──► Reply
//!                         │
//!                       settle ──► cache.insert ──► Response
//! ```
//!
//! `chat`, `stream` and `embed` walk the same steps: `plan` says what is asked of whom, `attempt` takes the turns and asks,
//! `running` settles, whatever happens.

mod attempt;
mod bare;
mod batch;
mod call;
mod chat;
mod count;
mod embed;
mod estimate;
mod flight;
mod hedge;
mod latency;
mod lookup;
mod offer;
mod opening;
mod orphan;
mod overload;
mod plan;
mod question;
mod reach;
mod response;
mod route;
mod routes;
mod running;
mod stopwatch;
mod stream;

pub use batch::{BatchDraft, ModelBatches, Prepared};
pub use call::ChatCall;
pub use hedge::HedgePolicy;
pub use opening::Opening;
pub use response::{Embeddings, Response};
pub use routes::{ModelRoute, Pick};
pub use stream::ChatStream;

use crate::cache::SemanticCache;
use crate::cost::CostTracker;
use crate::metrics::{CallFeed, ClientMetrics, ProviderFailures, Tally};
use crate::provider::{BreakerConfig, BreakerState, GradientConfig, Guarded, Provider, RetryPolicy};
use crate::queue::RequestQueue;
use crate::{Error, Result};
use flight::Flights;
use latency::Latencies;
use offer::Offer;
use overload::{Overload, Overloads};
use routes::OpenRoute;
use std::collections::HashMap;
use std::sync::Arc;

/// What a client is made of.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The providers; the name before the slash of a model picks one.
    pub providers: Vec<Arc<dyn Provider>>,
    /// What answers again; None for no cache.
    pub cache: Option<SemanticCache>,
    /// Where calls wait for their turn.
    pub queue: RequestQueue,
    /// What counts the money.
    pub costs: CostTracker,
    /// Models or routes to ask where one fails, by model or route, in order.
    pub fallbacks: HashMap<String, Vec<String>>,
    /// Names of the user's for several models.
    pub routes: Vec<ModelRoute>,
    /// When a call is tried again.
    pub retry: RetryPolicy,
    /// When a provider is left alone.
    pub breaker: BreakerConfig,
    /// When a second request is sent where the first is slow to begin; None: never.
    pub hedge: Option<HedgePolicy>,
    /// Within which bounds it is found out how much a provider takes at once; what waits for more is refused, the least
    /// urgent first. None: as much is sent as the queue's limits let through.
    pub adaptive: Option<GradientConfig>,
}

impl ClientConfig {
    /// A client of these providers, with no cache, no fallbacks and no routes.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn Provider>>, queue: RequestQueue, costs: CostTracker) -> Self {
        Self {
            providers,
            cache: None,
            queue,
            costs,
            fallbacks: HashMap::new(),
            routes: Vec::new(),
            retry: RetryPolicy::default(),
            breaker: BreakerConfig::default(),
            hedge: None,
            adaptive: None,
        }
    }
}

/// One place to ask from: clones share everything.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    providers: Vec<Arc<Guarded>>,
    cache: Option<SemanticCache>,
    costs: CostTracker,
    queue: RequestQueue,
    fallbacks: HashMap<String, Vec<String>>,
    routes: Vec<Arc<OpenRoute>>,
    latencies: Latencies,
    retry: RetryPolicy,
    hedge: Option<HedgePolicy>,
    overloads: Overloads,
    flights: Flights,
    orphans: orphan::Watch,
    tally: Tally,
    offer: Offer,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("providers", &self.providers()).finish_non_exhaustive()
    }
}

impl Client {
    /// Puts the parts together.
    ///
    /// # Errors
    /// `Config` where there is no provider, two have one name, or a fallback or a route names a model that no provider serves.
    pub fn new(config: ClientConfig) -> Result<Self> {
        let mut names: Vec<_> = config.providers.iter().map(|provider| provider.name().to_owned()).collect();
        if names.is_empty() {
            return Err(Error::Config("providers is empty: give at least one".into()));
        }
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, other]| one == other) {
            return Err(Error::Config(format!("two providers are named {name:?}: give one of them another name=")));
        }
        let overload = |name: &String| Some((name.clone(), Overload::new(name, &config.queue, config.adaptive?)));
        let overloads = names.iter().filter_map(overload).collect();
        let guarded = |provider| Arc::new(Guarded::new(provider, config.breaker));
        let client = Self {
            inner: Arc::new(Inner {
                providers: config.providers.into_iter().map(guarded).collect(),
                cache: config.cache,
                costs: config.costs,
                queue: config.queue,
                fallbacks: config.fallbacks,
                routes: config.routes.into_iter().map(OpenRoute::new).collect(),
                latencies: Latencies::default(),
                retry: config.retry,
                hedge: config.hedge,
                overloads,
                flights: Flights::default(),
                orphans: orphan::Watch::default(),
                tally: Tally::default(),
                offer: Offer::default(),
            }),
        };
        client.check_names()?;
        Ok(client)
    }

    /// The names of the providers.
    #[must_use]
    pub fn providers(&self) -> Vec<&str> {
        self.inner.providers.iter().map(|guarded| guarded.provider().name()).collect()
    }

    /// Whether calls go through to each provider, by its name.
    #[must_use]
    pub fn health(&self) -> Vec<(&str, BreakerState)> {
        self.inner.providers.iter().map(|guarded| (guarded.provider().name(), guarded.breaker_state())).collect()
    }

    /// The figures of its calls, its queue, its cache and its providers, now; of a queue in a file, the file is read.
    ///
    /// # Errors
    /// `Store` where the queue cannot be read.
    pub fn metrics(&self) -> Result<ClientMetrics> {
        let failures = self.inner.tally.failures().into_iter();
        Ok(ClientMetrics {
            calls: self.inner.tally.calls(),
            in_flight: self.inner.tally.in_flight(),
            failures: failures.map(|(provider, kind, count)| ProviderFailures { provider, kind, count }).collect(),
            providers: self.health().into_iter().map(|(name, state)| (name.to_owned(), state)).collect(),
            queue: self.queue().stats()?,
            cache: self.cache().map(SemanticCache::stats),
        })
    }

    /// Hears of each call that is over from now on, for traces; at most `capacity` of them wait to be heard.
    #[must_use]
    pub fn feed(&self, capacity: usize) -> CallFeed {
        self.inner.tally.feed(capacity)
    }

    /// The models that the providers are known to have, as `provider/model`.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        let of = |guarded: &Arc<Guarded>| {
            let (name, models) = (guarded.provider().name().to_owned(), guarded.provider().models());
            models.into_iter().map(move |model| format!("{name}/{model}"))
        };
        self.inner.providers.iter().flat_map(of).collect()
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &RequestQueue {
        &self.inner.queue
    }

    /// The cost tracker.
    #[must_use]
    pub fn costs(&self) -> &CostTracker {
        &self.inner.costs
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> Option<&SemanticCache> {
        self.inner.cache.as_ref()
    }
}
