//! How much a provider can take at once, found out by how long it takes to begin.
//!
//! Once a round, that is once as many answers began as may be under way, what they took on average is compared with what
//! answers take where nothing waits over there. Where it is more than a little more the limit falls by that ratio (as the
//! gradient of Netflix's concurrency-limits), else it rises by its root, as long as it is used. What answers take where
//! nothing waits is measured now and then: the limit is halved for a few rounds, so that the queue over there empties (as
//! BBR does). Averages are compared with averages: answers differ by how long their questions are, and the quickest of all
//! says nothing of the usual one.

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

/// So many times as long as where nothing waits is no sign of a queue yet. The limit comes to rest that far above what a
/// provider works on at once.
const TOLERANCE: f64 = 1.2;

/// The least that is left of a limit after a round, before the step.
const LEAST_LEFT: f64 = 0.5;

/// How much of a change is made at once.
const STEP: f64 = 0.5;

/// The least answers of a round.
const FEWEST: f64 = 8.0;

/// After so many rounds it is measured again what answers take where nothing waits; for the first time after a few.
const RENEWAL: u32 = 50;
const FIRST_RENEWAL: u32 = 10;

/// The limit is halved for it. In the first rounds ends what was under way before, then so many answers are measured.
const FLUSH: u32 = 2;
const MEASURED: f64 = 32.0;

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
    /// Seconds that answers take to begin where nothing waits.
    calm: Option<f64>,
    round: Round,
    rounds: u32,
    drain: Option<Drain>,
}

/// While little is asked, to see what answers take where nothing waits.
#[derive(Debug, Clone, Copy)]
struct Drain {
    flush: u32,
    seen: Round,
    /// The limit afterwards.
    held: f64,
}

impl Drain {
    fn new(held: f64) -> Self {
        Self { flush: FLUSH, seen: Round::default(), held }
    }
}

/// What was seen in a round.
#[derive(Debug, Clone, Copy, Default)]
struct Round {
    answers: f64,
    seconds: f64,
    under_way: u64,
}

impl Gradient {
    pub(crate) fn new(config: GradientConfig) -> Self {
        let limit = f64::from(config.first.clamp(config.least, config.most));
        let drain = Some(Drain::new(limit));
        let state = State { limit, calm: None, round: Round::default(), rounds: RENEWAL - FIRST_RENEWAL, drain };
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
        round.under_way = round.under_way.max(under_way);
        if round.answers >= limit.max(FEWEST) {
            let round = std::mem::take(&mut state.round);
            self.end(&mut state, round);
        }
        state.limit as u64
    }

    fn end(&self, state: &mut State, round: Round) {
        if let Some(drain) = state.drain.take() {
            state.drain(drain, round);
            return;
        }
        state.rounds += 1;
        if state.rounds.is_multiple_of(RENEWAL) {
            state.drain = Some(Drain::new(state.limit));
            state.limit = (state.limit / 2.0).max(f64::from(self.config.least));
            return;
        }
        let ratio = state.calm.map_or(1.0, |calm| round.seconds / round.answers / calm);
        let aim = if ratio > TOLERANCE {
            state.limit * (TOLERANCE / ratio).max(LEAST_LEFT)
        } else if round.under_way as f64 >= state.limit / 2.0 {
            state.limit + state.limit.sqrt()
        } else {
            return;
        };
        let next = state.limit + STEP * (aim - state.limit);
        state.limit = next.clamp(f64::from(self.config.least), f64::from(self.config.most));
    }

    /// The provider has no room; the limit that follows.
    pub(crate) fn refuse(&self) -> u64 {
        let mut state = self.state.lock();
        let less = |limit: f64| (limit * AFTER_A_REFUSAL).max(f64::from(self.config.least));
        state.limit = less(state.limit);
        if let Some(drain) = &mut state.drain {
            drain.held = less(drain.held);
        }
        state.limit as u64
    }
}

impl State {
    /// Takes in a round in which little is asked.
    fn drain(&mut self, mut drain: Drain, round: Round) {
        if drain.flush > 0 {
            drain.flush -= 1;
        } else {
            drain.seen.answers += round.answers;
            drain.seen.seconds += round.seconds;
        }
        if drain.seen.answers < MEASURED {
            self.drain = Some(drain);
            return;
        }
        let now = drain.seen.seconds / drain.seen.answers;
        // Half as much is no chance: there was a queue when it was measured before. Else chance plays a part.
        self.calm = Some(self.calm.filter(|calm| now > calm / 2.0).map_or(now, |calm| f64::midpoint(calm, now)));
        self.limit = drain.held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::cmp::Reverse;
    use std::collections::{BinaryHeap, VecDeque};

    /// A provider that works on `capacity` requests at once, each for as many microseconds as `takes` says, with as much
    /// asked of it as the limit lets through: how many answers it gave in a second, and what they took on average, both of
    /// the second half, and the limits there.
    fn run(
        gradient: &Gradient,
        capacity: usize,
        answers: usize,
        mut takes: impl FnMut() -> u64,
    ) -> (f64, f64, Vec<u64>) {
        let (mut now, mut begun, mut took) = (0, 0, 0);
        let (mut waiting, mut working) = (VecDeque::new(), BinaryHeap::new());
        let mut limits = Vec::new();
        for answer in 0..answers {
            while ((waiting.len() + working.len()) as u64) < gradient.limit() {
                waiting.push_back(now);
            }
            while working.len() < capacity
                && let Some(asked) = waiting.pop_front()
            {
                working.push(Reverse((now + takes(), asked)));
            }
            let under_way = (waiting.len() + working.len()) as u64;
            let Reverse((end, asked)) = working.pop().unwrap();
            now = end;
            let limit = gradient.see(Duration::from_micros(now - asked), under_way);
            if answer == answers / 2 {
                begun = now;
            } else if answer > answers / 2 {
                took += now - asked;
                limits.push(limit);
            }
        }
        let count = limits.len() as f64;
        (count * 1e6 / (now - begun) as f64, took as f64 / 1e6 / count, limits)
    }

    const TENTH: u64 = 100_000;

    #[test]
    fn the_limit_finds_what_a_provider_can_take_and_stays_there() {
        for capacity in [5, 16, 20, 100] {
            let gradient = Gradient::new(GradientConfig::default());
            let (rate, took, limits) = run(&gradient, capacity, 20_000, || TENTH);
            assert!(rate >= 0.9 * 10.0 * capacity as f64, "{capacity}: {rate}");
            assert!(took <= 0.15, "{capacity}: {took}");
            let most = *limits.iter().max().unwrap();
            assert!(most <= 2 * capacity as u64, "{capacity}: {most}");
        }
    }

    #[test]
    fn answers_of_very_different_lengths_do_not_hold_the_limit_down() {
        for (capacity, least) in [(5, 0.7), (16, 0.8), (100, 0.9)] {
            let mut dice = StdRng::seed_from_u64(7);
            // Exponential, around a tenth of a second: one in ten takes a hundredth or less.
            let takes = || (-(1.0 - dice.random::<f64>()).ln() * TENTH as f64) as u64;
            let gradient = Gradient::new(GradientConfig::default());
            let (rate, took, _) = run(&gradient, capacity, 40_000, takes);
            assert!(rate >= least * 10.0 * capacity as f64, "{capacity}: {rate}");
            assert!(took <= 0.2, "{capacity}: {took}");
        }
    }

    #[test]
    fn a_provider_that_becomes_slower_for_good_keeps_its_work() {
        let gradient = Gradient::new(GradientConfig::default());
        run(&gradient, 50, 5000, || TENTH);
        let (rate, ..) = run(&gradient, 50, 40_000, || 4 * TENTH);
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
