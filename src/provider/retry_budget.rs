//! A bound on retries: in an outage, trying again must not become the load that keeps a provider down.
//!
//! Counted over a window: of what went to a provider in it, at most a share is retries, however many calls fail. A few are
//! free, so that a client with little to do retries as well.

use super::RetryPolicy;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Half of the window.
const SPAN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    calls: u64,
    retries: u64,
}

#[derive(Debug)]
struct Spans {
    begun: Instant,
    now: Span,
    before: Span,
}

/// What one provider was asked lately.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    spans: Mutex<Spans>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { spans: Mutex::new(Spans { begun: Instant::now(), now: Span::default(), before: Span::default() }) }
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

impl RetryBudget {
    /// Counts a call that goes to the provider for the first time.
    pub(crate) fn count_call(&self) {
        let mut spans = self.spans.lock();
        spans.roll(Instant::now());
        spans.now.calls += 1;
    }

    /// Takes a retry out of the budget; whether there was one.
    pub(crate) fn take(&self, policy: &RetryPolicy) -> bool {
        self.take_at(policy, Instant::now())
    }

    fn take_at(&self, policy: &RetryPolicy, now: Instant) -> bool {
        let mut spans = self.spans.lock();
        spans.roll(now);
        let calls = spans.now.calls + spans.before.calls;
        let retries = spans.now.retries + spans.before.retries;
        let most = (calls as f64 * policy.most_share) as u64;
        if retries >= most.max(u64::from(policy.free_retries)) {
            return false;
        }
        spans.now.retries += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_calls_is_tried_again_and_a_few_in_any_case() {
        let (budget, policy) = (RetryBudget::default(), RetryPolicy::default());
        let taken = |budget: &RetryBudget| (0..10_000).filter(|_| budget.take(&policy)).count();
        assert_eq!(taken(&budget), policy.free_retries as usize);
        (0..1000).for_each(|_| budget.count_call());
        assert_eq!(taken(&budget), 100 - policy.free_retries as usize);
        // What is long past counts no more.
        assert!(!budget.take_at(&policy, Instant::now() + SPAN));
        assert!(budget.take_at(&policy, Instant::now() + 4 * SPAN));
    }

    #[test]
    fn without_a_share_nothing_is_tried_again() {
        let policy = RetryPolicy { most_share: 0.0, free_retries: 0, ..RetryPolicy::default() };
        let budget = RetryBudget::default();
        budget.count_call();
        assert!(!budget.take(&policy));
    }
}
