//! A bound on what is sent besides the calls, retries and second requests: in an outage, trying again must not become the
//! load that keeps a provider down.
//!
//! Counted over a window: beside the calls that went to a provider in it, at most a share of them is sent, however many
//! fail. Some may be free, so that a client with little to do retries as well.

use crate::lock::Lock;
use std::time::{Duration, Instant};

/// Half of the window.
const SPAN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    calls: u64,
    extras: u64,
}

#[derive(Debug)]
struct Spans {
    begun: Instant,
    now: Span,
    before: Span,
}

/// What one provider was asked lately.
#[derive(Debug)]
pub(crate) struct ExtraBudget {
    spans: Lock<Spans>,
}

impl Default for ExtraBudget {
    fn default() -> Self {
        Self { spans: Lock::new(Spans { begun: Instant::now(), now: Span::default(), before: Span::default() }) }
    }
}

impl Spans {
    fn roll(&mut self, now: Instant) {
        let past = now.saturating_duration_since(self.begun);
        if past >= SPAN {
            self.before = if past < 2 * SPAN { self.now } else { Span::default() };
            (self.now, self.begun) = (Span::default(), now);
        }
    }
}

impl ExtraBudget {
    /// Counts a call that goes to the provider for the first time.
    pub(crate) fn count_call(&self) {
        let mut spans = self.spans.lock();
        spans.roll(Instant::now());
        spans.now.calls += 1;
    }

    /// Takes one out of the budget, of which `free` are there whatever the share; whether there was one.
    pub(crate) fn take(&self, share: f64, free: u32) -> bool {
        self.take_at(share, free, Instant::now())
    }

    fn take_at(&self, share: f64, free: u32, now: Instant) -> bool {
        let mut spans = self.spans.lock();
        spans.roll(now);
        let calls = spans.now.calls + spans.before.calls;
        let extras = spans.now.extras + spans.before.extras;
        let most = (calls as f64 * share) as u64;
        if extras >= most.max(u64::from(free)) {
            return false;
        }
        spans.now.extras += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_calls_is_sent_again_and_a_few_in_any_case() {
        let budget = ExtraBudget::default();
        let taken = |budget: &ExtraBudget| (0..10_000).filter(|_| budget.take(0.1, 10)).count();
        assert_eq!(taken(&budget), 10);
        (0..1000).for_each(|_| budget.count_call());
        assert_eq!(taken(&budget), 100 - 10);
        // What is long past counts no more.
        assert!(!budget.take_at(0.1, 10, Instant::now() + SPAN));
        assert!(budget.take_at(0.1, 10, Instant::now() + 4 * SPAN));
    }

    #[test]
    fn without_a_share_nothing_is_sent_again() {
        let budget = ExtraBudget::default();
        budget.count_call();
        assert!(!budget.take(0.0, 0));
    }
}
