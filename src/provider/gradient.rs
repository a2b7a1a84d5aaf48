//! How much a provider can take at once, found out by how long it takes to begin.
//!
//! Once a round, that is once as many answers began as may be under way, the limit follows the ratio of what answers take
//! to begin at the best and what they took in that round (the gradient of Netflix's concurrency-limits): where they take
//! longer there is a queue over there, and the limit falls; else it rises, as long as it is used. Now and then the limit is
//! halved for a few rounds, so that the queue over there empties and the best is measured anew (as BBR does).

use crate::lock::Lock;
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

/// So many times as long as at the best is no sign of a queue yet.
const TOLERANCE: f64 = 1.5;

/// How much of a change is made at once.
const STEP: f64 = 0.5;

/// The least answers of a round.
const FEWEST: f64 = 8.0;

/// After so many rounds the best is measured anew.
const RENEWAL: u32 = 50;

/// For so many rounds the limit stays halved: what was under way before is over by then.
const DRAIN: u32 = 3;

/// What a refusal for lack of room leaves of the limit.
const AFTER_A_REFUSAL: f64 = 0.9;

/// The limit of one provider.
#[derive(Debug)]
pub(crate) struct Gradient {
    config: GradientConfig,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    /// Seconds that answers take to begin at the best.
    best: Option<f64>,
    round: Round,
    rounds: u32,
    /// The rounds until the best is known anew.
    draining: u32,
}

/// What was seen in a round.
#[derive(Debug, Clone, Copy)]
struct Round {
    answers: f64,
    seconds: f64,
    best: f64,
    under_way: u64,
}

impl Default for Round {
    fn default() -> Self {
        Self { answers: 0.0, seconds: 0.0, best: f64::INFINITY, under_way: 0 }
    }
}

impl Gradient {
    pub(crate) fn new(config: GradientConfig) -> Self {
        let limit = f64::from(config.first.clamp(config.least, config.most));
        let state = State { limit, best: None, round: Round::default(), rounds: 0, draining: 0 };
        Self { config, state: Lock::new(state) }
    }

    /// The most requests at once.
    pub(crate) fn limit(&self) -> u64 {
        self.state.lock().limit as u64
    }

    /// Takes in how long an answer took to begin, with so many requests under way; the limit that follows.
    pub(crate) fn see(&self, took: Duration, under_way: u64) -> u64 {
        let mut state = self.state.lock();
        let (seconds, limit) = (took.as_secs_f64().max(1e-6), state.limit);
        let round = &mut state.round;
        round.answers += 1.0;
        round.seconds += seconds;
        round.best = round.best.min(seconds);
        round.under_way = round.under_way.max(under_way);
        if round.answers >= limit.max(FEWEST) {
            let round = std::mem::take(&mut state.round);
            self.end(&mut state, round);
        }
        state.limit as u64
    }

    fn end(&self, state: &mut State, round: Round) {
        let least = f64::from(self.config.least);
        if state.draining > 0 {
            state.draining -= 1;
            if state.draining == 0 {
                state.best = Some(round.best);
            }
            return;
        }
        let best = state.best.map_or(round.best, |best| best.min(round.best));
        state.best = Some(best);
        state.rounds += 1;
        if state.rounds.is_multiple_of(RENEWAL) {
            (state.limit, state.draining) = ((state.limit / 2.0).max(least), DRAIN);
            return;
        }
        let gradient = (TOLERANCE * best * round.answers / round.seconds).clamp(0.5, 1.0);
        if gradient < 1.0 || round.under_way as f64 >= state.limit / 2.0 {
            let aim = state.limit * gradient + state.limit.sqrt();
            let next = state.limit + STEP * (aim - state.limit);
            state.limit = next.clamp(least, f64::from(self.config.most));
        }
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
    use std::collections::VecDeque;

    /// A provider that works on `capacity` requests at once, each for so many milliseconds, with as much asked of it as the
    /// limit lets through: how many answers it gave in a second, and the limits of the second half.
    fn run(gradient: &Gradient, capacity: usize, millis: u64, answers: usize) -> (f64, Vec<u64>) {
        let (mut now, mut waiting, mut working) = (0, VecDeque::new(), VecDeque::new());
        let mut limits = Vec::new();
        for answer in 0..answers {
            while ((waiting.len() + working.len()) as u64) < gradient.limit() {
                waiting.push_back(now);
            }
            while working.len() < capacity
                && let Some(asked) = waiting.pop_front()
            {
                working.push_back((now + millis, asked));
            }
            let under_way = (waiting.len() + working.len()) as u64;
            let (end, asked) = working.pop_front().unwrap();
            now = end;
            let limit = gradient.see(Duration::from_millis(now - asked), under_way);
            if answer > answers / 2 {
                limits.push(limit);
            }
        }
        (answers as f64 * 1000.0 / now as f64, limits)
    }

    #[test]
    fn the_limit_finds_what_a_provider_can_take_and_stays_there() {
        for capacity in [5, 20, 100] {
            let gradient = Gradient::new(GradientConfig::default());
            let (rate, limits) = run(&gradient, capacity, 100, 20_000);
            assert!(rate >= 0.9 * 10.0 * capacity as f64, "{capacity}: {rate}");
            let most = *limits.iter().max().unwrap();
            assert!(most <= 3 * capacity as u64, "{capacity}: {most}");
        }
    }

    #[test]
    fn a_provider_that_becomes_slower_for_good_keeps_its_work() {
        let gradient = Gradient::new(GradientConfig::default());
        run(&gradient, 50, 100, 5000);
        let (rate, _) = run(&gradient, 50, 400, 20_000);
        assert!(rate >= 0.8 * 50.0 / 0.4, "{rate}");
    }

    #[test]
    fn a_limit_that_nobody_uses_does_not_rise() {
        let gradient = Gradient::new(GradientConfig::default());
        for _ in 0..500 {
            gradient.see(Duration::from_millis(100), 1);
        }
        assert_eq!(gradient.limit(), 20);
    }

    #[test]
    fn it_falls_where_answers_begin_late_or_are_refused_and_keeps_its_bounds() {
        let gradient = Gradient::new(GradientConfig { first: 50, least: 5, most: 60 });
        for _ in 0..500 {
            gradient.see(Duration::from_millis(100), 60);
        }
        assert_eq!(gradient.limit(), 60);
        for _ in 0..60 {
            gradient.see(Duration::from_secs(2), 60);
        }
        assert!(gradient.limit() < 60);
        for _ in 0..100 {
            gradient.refuse();
        }
        assert_eq!(gradient.limit(), 5);
    }
}
