//! What verifiers that ask elsewhere have spent.

use crate::lock::Lock;
use std::sync::Arc;

/// What a verifier's calls have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifierSpending {
    /// How often it asked a model or a service.
    pub calls: u64,
    /// What that cost, in attodollars (1e-18 USD).
    pub cost: i128,
    /// How many of the calls failed or were late.
    pub failures: u64,
}

/// Counts what a verifier spends; clones share the count.
///
/// ```
/// use headrace::cache::verify::{SpentMeter, VerifierSpending};
/// let meter = SpentMeter::default();
/// meter.clone().add(VerifierSpending { calls: 1, cost: 5, failures: 0 });
/// assert_eq!((meter.read().calls, meter.read().cost), (1, 5));
/// ```
#[derive(Debug, Clone, Default)]
pub struct SpentMeter(Arc<Lock<VerifierSpending>>);

impl SpentMeter {
    /// Adds what was spent.
    pub fn add(&self, more: VerifierSpending) {
        let mut spent = self.0.lock();
        spent.calls += more.calls;
        spent.cost = spent.cost.saturating_add(more.cost);
        spent.failures += more.failures;
    }

    /// The sum so far.
    #[must_use]
    pub fn read(&self) -> VerifierSpending {
        *self.0.lock()
    }
}
