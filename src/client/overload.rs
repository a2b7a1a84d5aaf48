//! What happens where more is asked of a provider than it can take: as much goes out at once as it answers without delay,
//! and of what waits, the least urgent is refused first.

use super::Client;
use super::plan::{Candidate, Plan};
use crate::provider::{Gradient, GradientConfig};
use crate::queue::{Priority, RequestQueue};
use crate::{Error, ProviderErrorKind, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// By priority, the most urgent first: so many times what a provider takes at once may wait for it, before one more of that
/// priority is refused.
const PATIENCE: [u64; 4] = [32, 8, 4, 1];

/// Even where a provider takes next to nothing, so many may wait.
const FEW: u64 = 8;

/// One provider under load.
#[derive(Debug)]
pub(super) struct Overload {
    provider: Arc<str>,
    queue: RequestQueue,
    gradient: Gradient,
    /// What the queue was told last.
    told: AtomicU64,
    waiting: AtomicU64,
    under_way: AtomicU64,
}

/// The providers under load; empty where nobody asked for it.
pub(super) type Overloads = HashMap<String, Arc<Overload>>;

/// Counts a call as long as it is there.
#[derive(Debug)]
pub(super) struct Counted {
    overload: Arc<Overload>,
    is_waiting: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count().fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counted {
    fn new(overload: &Arc<Overload>, is_waiting: bool) -> Self {
        let counted = Self { overload: Arc::clone(overload), is_waiting };
        counted.count().fetch_add(1, Ordering::Relaxed);
        counted
    }

    fn count(&self) -> &AtomicU64 {
        if self.is_waiting { &self.overload.waiting } else { &self.overload.under_way }
    }
}

impl Overload {
    pub(super) fn new(provider: &str, queue: &RequestQueue, config: GradientConfig) -> Arc<Self> {
        let overload = Self {
            provider: Arc::from(provider),
            queue: queue.clone(),
            gradient: Gradient::new(config),
            told: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
        };
        overload.tell(overload.gradient.limit());
        Arc::new(overload)
    }

    fn tell(&self, limit: u64) {
        if self.told.swap(limit, Ordering::Relaxed) != limit {
            self.queue.throttle(&self.provider, limit);
        }
    }

    /// Refuses what would wait behind more than its priority is worth.
    fn admit(self: &Arc<Self>, priority: Priority) -> Result<Counted> {
        let (waiting, limit) = (self.waiting.load(Ordering::Relaxed), self.gradient.limit());
        if waiting >= (PATIENCE[priority.index()] * limit).max(FEW) {
            return Err(Error::QueueFull(format!(
                "{} is overloaded: {waiting} calls wait for the {limit} that it takes at once; try again later, give a more \
                 urgent priority=, or name fallbacks=",
                self.provider
            )));
        }
        Ok(Counted::new(self, true))
    }
}

impl Client {
    fn overload(&self, candidate: &Candidate) -> Option<&Arc<Overload>> {
        self.inner.overloads.get(candidate.provider.provider().name())
    }

    /// Lets a call wait for its turn, or refuses it where the provider is overloaded.
    pub(super) fn admit_to_wait(&self, plan: &Plan, candidate: &Candidate) -> Result<Option<Counted>> {
        self.overload(candidate).map(|overload| overload.admit(plan.priority)).transpose()
    }

    /// Counts a call as under way.
    pub(super) fn under_way(&self, candidate: &Candidate) -> Option<Counted> {
        self.overload(candidate).map(|overload| Counted::new(overload, false))
    }

    /// Takes in how long an answer took to begin.
    pub(super) fn saw_begin(&self, plan: &Plan, candidate: &Candidate, took: Duration) {
        self.inner.latencies.see(&candidate.model, plan.stream, took);
        if let Some(overload) = self.overload(candidate) {
            overload.tell(overload.gradient.see(took, overload.under_way.load(Ordering::Relaxed)));
        }
    }

    /// Takes in a failure that may say that there is no room.
    pub(super) fn saw_failure(&self, candidate: &Candidate, error: &Error) {
        if let (Some(overload), Error::Provider(error)) = (self.overload(candidate), error)
            && matches!(error.kind, ProviderErrorKind::RateLimited | ProviderErrorKind::Unavailable)
        {
            overload.tell(overload.gradient.refuse());
        }
    }

    /// How much may go to each provider at once, where that is found out as it goes.
    #[must_use]
    pub fn concurrency(&self) -> HashMap<&str, u64> {
        let limits = self.inner.overloads.iter();
        limits.map(|(provider, overload)| (provider.as_str(), overload.gradient.limit())).collect()
    }
}
