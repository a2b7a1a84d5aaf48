//! The line of a request, composed: cache, budget, queue, provider, ledger, cache.
//!
//! ```text
//! chat ──► cache ──hit──► answer (what it saved is recorded)
//!            │ miss
//!            ▼
//!          budget ──no room──► BudgetExceeded
//!            ▼
//!          queue ──► provider (retries, breaker, fallbacks) ──► ledger ──► cache ──► answer
//! ```

mod answer;
mod call;
mod estimate;
mod line;
mod orphan;
mod stream;
mod turn;

pub use answer::{Embeddings, Reply};
pub use call::ChatCall;
pub use stream::{ChatStream, StreamChunk};

use crate::cache::{Flights, SemanticCache};
use crate::cost::CostTracker;
use crate::provider::{BreakerConfig, Provider, Resilient, RetryPolicy};
use crate::queue::RequestQueue;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use turn::Turns;

/// What a client is made of.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Who answers; the name before the slash of a model picks one.
    pub providers: Vec<Arc<dyn Provider>>,
    /// What answers again; None for no cache.
    pub cache: Option<SemanticCache>,
    /// Where calls wait for their turn.
    pub queue: RequestQueue,
    /// What counts the money.
    pub costs: CostTracker,
    /// Models to ask where one fails, by model, in order.
    pub fallbacks: HashMap<String, Vec<String>>,
    /// When a call is tried again.
    pub retry: RetryPolicy,
    /// When a provider is left alone.
    pub breaker: BreakerConfig,
}

/// One place to ask from: clones share everything.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    providers: Vec<Arc<Resilient>>,
    cache: Option<SemanticCache>,
    costs: CostTracker,
    fallbacks: HashMap<String, Vec<String>>,
    turns: Arc<Turns>,
    flights: Flights<Result<Reply>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.inner.providers.iter().map(|provider| provider.provider().name()).collect();
        f.debug_struct("Client").field("providers", &names).finish_non_exhaustive()
    }
}

impl Client {
    /// Puts the parts together.
    ///
    /// # Errors
    /// `Config` where there is no provider, or two have one name.
    pub fn new(config: ClientConfig) -> Result<Self> {
        let mut names: Vec<_> = config.providers.iter().map(|provider| provider.name().to_owned()).collect();
        if names.is_empty() {
            return Err(Error::Config("providers is empty: give at least one".into()));
        }
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, other]| one == other) {
            return Err(Error::Config(format!("two providers are named {name:?}: give one of them another name=")));
        }
        let resilient = |provider| Arc::new(Resilient::new(provider, config.retry, config.breaker));
        let inner = Inner {
            providers: config.providers.into_iter().map(resilient).collect(),
            cache: config.cache,
            costs: config.costs,
            fallbacks: config.fallbacks,
            turns: Arc::new(Turns::new(config.queue)),
            flights: Flights::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The names of the providers.
    #[must_use]
    pub fn providers(&self) -> Vec<&str> {
        self.inner.providers.iter().map(|provider| provider.provider().name()).collect()
    }

    /// The models that the providers are known to have, as `provider/model`.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        let of = |provider: &Arc<Resilient>| {
            let (name, models) = (provider.provider().name().to_owned(), provider.provider().models());
            models.into_iter().map(move |model| format!("{name}/{model}"))
        };
        self.inner.providers.iter().flat_map(of).collect()
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &RequestQueue {
        self.inner.turns.queue()
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

    /// Which provider serves a model, and its name there.
    fn route<'a>(&self, model: &'a str) -> Result<(&Arc<Resilient>, &'a str)> {
        let unknown = |why: &str| {
            let known = self.models();
            let known =
                if known.is_empty() { format!("{}/...", self.providers().join("/..., ")) } else { known.join(", ") };
            Error::UnknownModel(format!("model {model:?} {why}: name it provider/model, here {known}"))
        };
        let (name, bare) = model.split_once('/').ok_or_else(|| unknown("has no provider before a slash"))?;
        let provider = self.inner.providers.iter().find(|provider| provider.provider().name() == name);
        let provider = provider.ok_or_else(|| unknown("has no provider here"))?;
        let models = provider.provider().models();
        if bare.is_empty() || !(models.is_empty() || models.iter().any(|model| model == bare)) {
            return Err(unknown("is not one of its provider's"));
        }
        Ok((provider, bare))
    }
}
