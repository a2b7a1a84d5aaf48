//! Money set aside for a call that runs.

use super::accounts::Accounts;
use super::deferred::Deferred;
use super::money::Money;
use super::record::{CacheUse, Call, CostRecord};
use crate::Error;
use crate::usage::{Usage, UsageReport};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Money set aside for a call: settle it with what the call did use, or drop it to give it back.
///
/// It has a lease: where the process dies, the money is free again when that ends.
#[derive(Debug)]
pub struct Reservation {
    accounts: Arc<Accounts>,
    /// Nothing where no budget covers the call and the ledger could not be written.
    hold: Option<u64>,
    worst: Arc<CostRecord>,
    over: Arc<AtomicBool>,
}

/// How a call went, beside its usage.
#[derive(Debug, Clone, Copy)]
pub struct Settlement {
    /// Where the answer came from.
    pub cache: CacheUse,
    /// Seconds that the provider took, where measured.
    pub latency_s: Option<f64>,
    /// How often the provider was asked.
    pub attempts: u32,
    /// Whether the usage is an estimate, as the provider gave none.
    pub is_usage_estimated: bool,
    /// What the provider says that it cost.
    pub told_cost: Option<Money>,
    /// What a route's choice of the model saved against its dearest candidate.
    pub saved_by_route: Option<Money>,
}

impl Default for Settlement {
    fn default() -> Self {
        Self {
            cache: CacheUse::Miss,
            latency_s: None,
            attempts: 1,
            is_usage_estimated: false,
            told_cost: None,
            saved_by_route: None,
        }
    }
}

impl Settlement {
    /// An attempt at a provider: what is known of its usage, how long it took, and how often the call has been tried by then.
    #[must_use]
    pub fn of_attempt(report: &UsageReport, took: Duration, attempts: u32) -> Self {
        Self {
            latency_s: Some(took.as_secs_f64()),
            attempts,
            is_usage_estimated: report.is_estimated,
            told_cost: report.cost_usd.as_deref().and_then(Money::nearest),
            ..Self::default()
        }
    }
}

impl Reservation {
    pub(crate) fn new(accounts: Arc<Accounts>, hold: Option<u64>, worst: Arc<CostRecord>) -> Self {
        Self { accounts, hold, worst, over: Arc::default() }
    }

    /// The most that the call may cost, as it was reserved.
    pub fn worst_case(&self) -> &CostRecord {
        &self.worst
    }

    /// Whether it was settled or released.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Books what the call did use, at the time at which it was reserved, and gives the rest back.
    pub fn settle(&self, usage: &Usage, outcome: Settlement) -> Deferred<CostRecord> {
        self.settle_as(None, usage, outcome)
    }

    /// The same, where another model than the reserved one answered.
    pub fn settle_as(&self, model: Option<&str>, usage: &Usage, outcome: Settlement) -> Deferred<CostRecord> {
        if self.over.swap(true, Ordering::AcqRel) {
            return Deferred::ready(Err(Error::invalid(
                "this reservation is over already: reserve anew for another call",
            )));
        }
        let card = &self.worst.card;
        let name = format!("{}/{}", card.provider, card.model);
        let call = Call {
            model: model.unwrap_or(&name),
            usage,
            time: Some(self.worst.time),
            cache: outcome.cache,
            latency_s: outcome.latency_s,
            attempts: outcome.attempts,
            is_usage_estimated: outcome.is_usage_estimated,
            told_cost: outcome.told_cost,
            saved_by_route: outcome.saved_by_route,
        };
        let over = Arc::clone(&self.over);
        self.accounts.book(call, &self.worst.attribution, self.hold).then(move |settled| {
            // Nothing was booked, and the money is still set aside: it can be settled again, or given back.
            settled.inspect_err(|_| over.store(false, Ordering::Release))
        })
    }

    /// Gives the money back: the call failed or was not made.
    pub fn release(&self) -> Deferred<bool> {
        if self.over.swap(true, Ordering::AcqRel) {
            return Deferred::ready(Ok(false));
        }
        self.hold.map_or_else(|| Deferred::ready(Ok(true)), |hold| self.accounts.release(hold))
    }

    /// Makes the lease last for another `lease` from now.
    ///
    /// The answer fails with `LeaseLost` where it has ended.
    pub fn extend(&self, lease: Duration) -> Deferred<()> {
        let lost = || Error::LeaseLost("the reservation is over or its lease has ended: reserve anew".into());
        let Some(hold) = self.hold.filter(|_| !self.is_over()) else {
            return Deferred::ready(if self.is_over() { Err(lost()) } else { Ok(()) });
        };
        let now = self.accounts.now();
        let expires = now.saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX));
        let extended = self.accounts.store.extend(hold, expires, now);
        extended.then(move |is_extended| if is_extended? { Ok(()) } else { Err(lost()) })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // Nobody waits for it: a file's writer does it soon, and where it cannot the lease ends.
        drop(self.release());
    }
}
