//! How much a provider can take at once, found out by how long it takes to begin.
//!
//! A limit that follows the ratio of what answers usually take to begin and what they take now (the gradient of Netflix's
//! concurrency-limits): where they take longer there is a queue over there, and the limit falls; where they do not it rises,
//! as long as it is used.

use parking_lot::Mutex;
use std::time::Duration;

/// Within which limits the number of requests at once is kept.
#[derive(Debug, Clone, Copy)]
pub struct GradientConfig {
    /// The limit at the beginning.
    pub first: u32,
    /// The least.
    pub least: u32,
    /// The most.
    pub most: u32,
}

impl Default for GradientConfig {
    fn default() -> Self {
        Self { first: 20, least: 1, most: 1000 }
    }
}

/// So many times as long as usual is no sign of a queue yet.
const TOLERANCE: f64 = 1.5;

/// How much of a change is made at once.
const STEP: f64 = 0.2;

/// How much the newest answer counts in what is usual.
const NEWEST: f64 = 0.02;

/// What a refusal for lack of room leaves of the limit.
const AFTER_A_REFUSAL: f64 = 0.9;

/// The limit of one provider.
#[derive(Debug)]
pub(crate) struct Gradient {
    config: GradientConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    /// Seconds until an answer usually begins.
    usual: Option<f64>,
}

impl Gradient {
    pub(crate) fn new(config: GradientConfig) -> Self {
        let state = State { limit: f64::from(config.first.clamp(config.least, config.most)), usual: None };
        Self { config, state: Mutex::new(state) }
    }

    /// The most requests at once.
    pub(crate) fn limit(&self) -> u64 {
        self.state.lock().limit as u64
    }

    /// Takes in how long an answer took to begin, with so many requests under way; the limit that follows.
    pub(crate) fn see(&self, took: Duration, under_way: u64) -> u64 {
        let now = took.as_secs_f64().max(1e-6);
        let mut state = self.state.lock();
        let usual = state.usual.map_or(now, |usual| usual + NEWEST * (now - usual));
        // After a slow time, what is usual comes down faster than it went up.
        state.usual = Some(if usual > 2.0 * now { usual * 0.95 } else { usual });
        let gradient = (TOLERANCE * usual / now).clamp(0.5, 1.0);
        let is_used = under_way as f64 >= state.limit / 2.0;
        if gradient < 1.0 || is_used {
            let aim = state.limit * gradient + state.limit.sqrt();
            let next = state.limit + STEP * (aim - state.limit);
            state.limit = next.clamp(f64::from(self.config.least), f64::from(self.config.most));
        }
        state.limit as u64
    }

    /// The provider has no room; the limit that follows.
    pub(crate) fn refuse(&self) -> u64 {
        let mut state = self.state.lock();
        state.limit = (state.limit * AFTER_A_REFUSAL).max(f64::from(self.config.least));
        state.limit as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider that takes so many at once in 100 ms, and lets the rest wait.
    fn run(gradient: &Gradient, capacity: u64, rounds: usize) -> u64 {
        for _ in 0..rounds {
            let under_way = gradient.limit();
            let waiting = under_way.saturating_sub(capacity) as f64 / capacity as f64;
            gradient.see(Duration::from_secs_f64(0.1 * (1.0 + waiting)), under_way);
        }
        gradient.limit()
    }

    #[test]
    fn the_limit_finds_what_a_provider_can_take() {
        let gradient = Gradient::new(GradientConfig::default());
        let found = run(&gradient, 100, 2000);
        assert!((80..400).contains(&found), "{found}");
    }

    #[test]
    fn a_limit_that_nobody_uses_does_not_rise() {
        let gradient = Gradient::new(GradientConfig::default());
        for _ in 0..100 {
            gradient.see(Duration::from_millis(100), 1);
        }
        assert_eq!(gradient.limit(), 20);
    }

    #[test]
    fn it_falls_where_answers_begin_late_or_are_refused_and_keeps_its_bounds() {
        let gradient = Gradient::new(GradientConfig { first: 50, least: 5, most: 60 });
        for _ in 0..50 {
            gradient.see(Duration::from_millis(100), 60);
        }
        assert_eq!(gradient.limit(), 60);
        let before = gradient.limit();
        assert!(gradient.see(Duration::from_secs(2), 60) < before);
        for _ in 0..100 {
            gradient.refuse();
        }
        assert_eq!(gradient.limit(), 5);
    }
}
