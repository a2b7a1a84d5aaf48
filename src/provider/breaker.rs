//! A circuit breaker: a model that keeps failing is left alone for a while (Nygard, Release It!, 2007).

use crate::lock::Lock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most models with failures that are remembered; beyond it, the one that failed longest ago is forgotten.
const MODELS: usize = 1024;

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerConfig {
    /// So many failures in a row open it.
    pub failures: u32,
    /// It stays open for so long, then lets one call through to see.
    pub open_for: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 8, open_for: Duration::from_secs(10) }
    }
}

/// Whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// They do.
    Closed,
    /// One is on its way to see.
    HalfOpen,
    /// They fail at once.
    Open,
}

/// The breakers of a provider, one a model: a model that is down does not close the others.
#[derive(Debug, Clone)]
pub(super) struct Breakers {
    config: BreakerConfig,
    /// The models that failed last; all others are closed.
    failing: Arc<Lock<HashMap<String, Failing>>>,
}

#[derive(Debug)]
struct Failing {
    failures: u32,
    last: Instant,
    is_open: bool,
    /// The number of the probe on its way.
    probe: Option<u64>,
    probes: u64,
}

impl Failing {
    fn state(&self) -> BreakerState {
        match (self.is_open, self.probe) {
            (false, _) => BreakerState::Closed,
            (true, Some(_)) => BreakerState::HalfOpen,
            (true, None) => BreakerState::Open,
        }
    }
}

impl Breakers {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, failing: Arc::default() }
    }

    /// Lets a call through, or says how long the breaker stays open.
    pub(super) fn enter(&self, model: &str) -> Result<Permit, Duration> {
        let mut permit = Permit { breakers: self.clone(), model: model.to_owned(), probe: None, is_settled: false };
        let mut all = self.failing.lock();
        let Some(failing) = all.get_mut(model).filter(|failing| failing.is_open) else { return Ok(permit) };
        let since = failing.last.elapsed();
        if since < self.config.open_for || failing.probe.is_some() {
            permit.is_settled = true;
            return Err(self.config.open_for.saturating_sub(since).max(Duration::from_millis(1)));
        }
        failing.probes += 1;
        failing.probe = Some(failing.probes);
        permit.probe = failing.probe;
        Ok(permit)
    }

    /// Whether calls of a model go through.
    pub(super) fn state(&self, model: &str) -> BreakerState {
        self.failing.lock().get(model).map_or(BreakerState::Closed, Failing::state)
    }

    /// The worst of all models.
    pub(super) fn worst(&self) -> BreakerState {
        self.failing.lock().values().map(Failing::state).max().unwrap_or(BreakerState::Closed)
    }

    fn fail(&self, model: &str) {
        let mut all = self.failing.lock();
        if !all.contains_key(model) && all.len() >= MODELS {
            let oldest = all.iter().min_by_key(|(_, failing)| failing.last).map(|(model, _)| model.clone());
            oldest.map(|model| all.remove(&model));
        }
        let now = Instant::now();
        let failing = all.entry(model.to_owned()).or_insert(Failing {
            failures: 0,
            last: now,
            is_open: false,
            probe: None,
            probes: 0,
        });
        failing.failures = failing.failures.saturating_add(1);
        failing.last = now;
        failing.probe = None;
        failing.is_open = failing.failures >= self.config.failures;
    }
}

/// One call on its way. It says how the call went; dropped before that, it says nothing about the provider, and frees the
/// probe that it may have been.
#[derive(Debug)]
pub(super) struct Permit {
    breakers: Breakers,
    model: String,
    probe: Option<u64>,
    is_settled: bool,
}

impl Permit {
    /// The provider gave a sign of life; a refusal of the request is one.
    pub(super) fn succeed(mut self) {
        self.is_settled = true;
        self.breakers.failing.lock().remove(&self.model);
    }

    /// The provider failed.
    pub(super) fn fail(mut self) {
        self.is_settled = true;
        self.breakers.fail(&self.model);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_settled || self.probe.is_none() {
            return;
        }
        if let Some(failing) = self.breakers.failing.lock().get_mut(&self.model)
            && failing.probe == self.probe
        {
            failing.probe = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breakers(open_for: Duration) -> Breakers {
        Breakers::new(BreakerConfig { failures: 3, open_for })
    }

    fn fail(breakers: &Breakers, model: &str, times: usize) {
        for _ in 0..times {
            breakers.enter(model).unwrap().fail();
        }
    }

    #[test]
    fn so_many_failures_in_a_row_open_the_breaker_of_one_model() {
        let breakers = breakers(Duration::from_hours(1));
        fail(&breakers, "a", 2);
        breakers.enter("a").unwrap().succeed();
        fail(&breakers, "a", 3);
        assert!(breakers.enter("a").is_err());
        assert_eq!(breakers.state("a"), BreakerState::Open);
        assert_eq!(breakers.state("b"), BreakerState::Closed);
        assert_eq!(breakers.worst(), BreakerState::Open);
        breakers.enter("b").unwrap().succeed();
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let breakers = breakers(Duration::ZERO);
        fail(&breakers, "a", 3);
        let probe = breakers.enter("a").unwrap();
        assert_eq!(breakers.state("a"), BreakerState::HalfOpen);
        assert!(breakers.enter("a").is_err());
        probe.fail();
        assert_eq!(breakers.state("a"), BreakerState::Open);
        breakers.enter("a").unwrap().succeed();
        assert_eq!(breakers.state("a"), BreakerState::Closed);
    }

    #[test]
    fn a_call_that_is_dropped_says_nothing_and_frees_the_probe() {
        let breakers = breakers(Duration::ZERO);
        for _ in 0..10 {
            drop(breakers.enter("a").unwrap());
        }
        assert_eq!(breakers.state("a"), BreakerState::Closed);
        fail(&breakers, "a", 3);
        drop(breakers.enter("a").unwrap());
        assert_eq!(breakers.state("a"), BreakerState::Open);
        breakers.enter("a").unwrap().succeed();
        assert_eq!(breakers.state("a"), BreakerState::Closed);
    }

    #[test]
    fn the_number_of_models_is_bounded() {
        let breakers = breakers(Duration::from_hours(1));
        for model in 0..MODELS + 10 {
            fail(&breakers, &model.to_string(), 1);
        }
        assert_eq!(breakers.failing.lock().len(), MODELS);
    }
}
