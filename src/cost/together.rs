//! Money set aside for many calls at once: for the first so many of them that it reaches for.

use super::attribution::Attribution;
use super::ledger::Held;
use super::money::Money;
use super::record::{Call, CostRecord};
use super::reservation::Reservation;
use super::tracker::CostTracker;
use crate::usage::Usage;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What was set aside for many calls.
#[derive(Debug)]
pub struct Together {
    /// For how many of them, from the first on.
    pub count: usize,
    /// The money; None where it is for none of them.
    pub hold: Option<Reservation>,
    /// Why it is not for all of them.
    pub refusal: Option<Error>,
}

impl CostTracker {
    /// Sets the worst cases of calls to one model aside as one reservation, for the first so many of them that fit into
    /// every budget together. What running calls hold counts, and is not waited for.
    ///
    /// # Errors
    /// Those of the ledger.
    ///
    /// ```
    /// use headrace::cost::{Attribution, CostTracker, money::Money, price::PriceTable};
    /// use std::{sync::Arc, time::Duration};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let costs = CostTracker::open("memory://", PriceTable::builtin().clone()).unwrap();
    /// let cent: Money = "0.01".parse().unwrap();
    /// let who = Arc::new(Attribution::default());
    /// let held = costs.hold_together("openai/gpt-4o-mini", &[cent, cent], &who, Duration::from_secs(60)).await.unwrap();
    /// assert!(held.count == 2 && held.refusal.is_none());
    /// # });
    /// ```
    pub async fn hold_together(
        &self,
        model: &str,
        amounts: &[Money],
        who: &Arc<Attribution>,
        lease: Duration,
    ) -> Result<Together> {
        let first = self.quote(Call::new(model, &Usage::new(0, 0)), who)?;
        let sums: Vec<Money> = amounts
            .iter()
            .scan(Money::ZERO, |sum, amount| {
                *sum += *amount;
                Some(*sum)
            })
            .collect();
        let (mut fits, mut too_many, mut count, mut refusal) = (0, sums.len() + 1, sums.len(), None);
        while count > 0 {
            let amount = sums.get(count - 1).copied().unwrap_or_default();
            let time = self.accounts.now();
            let worst = Arc::new(CostRecord { time, amount, ..first.clone() });
            match self.hold_now(&worst, lease).await {
                Ok(hold) if count + 1 == too_many => return Ok(Together { count, hold: Some(hold), refusal }),
                // More may fit: the search goes on with this money free again.
                Ok(hold) => {
                    fits = count;
                    hold.release().await?;
                }
                Err(error @ Error::BudgetExceeded(_)) => {
                    // What fitted before may not fit now, where others take of the same budget meanwhile.
                    (too_many, refusal) = (count, Some(error));
                    fits = fits.min(count - 1);
                }
                Err(error) => return Err(error),
            }
            count = if too_many - fits > 1 { fits + (too_many - fits) / 2 } else { fits };
        }
        if refusal.is_some() {
            self.accounts.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Together { count: 0, hold: None, refusal })
    }

    async fn hold_now(&self, worst: &Arc<CostRecord>, lease: Duration) -> Result<Reservation> {
        let accounts = &self.accounts;
        match accounts.held(accounts.ask_to_hold(worst, lease), worst).await? {
            Held::Taken(hold) => Ok(Reservation::new(Arc::clone(accounts), hold.take(), Arc::clone(worst))),
            Held::InTheWay(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::budget::Budget;
    use crate::cost::price::PriceTable;

    const MODEL: &str = "openai/gpt-4o-mini";
    const LEASE: Duration = Duration::from_mins(1);

    fn tracker(limit: &str) -> CostTracker {
        let costs = CostTracker::open("memory://", PriceTable::builtin().clone()).unwrap();
        costs.set_budget(Budget::new(limit.parse().unwrap()).unwrap(), Vec::new(), None).wait().unwrap();
        costs
    }

    fn amounts(cents: &[u64]) -> Vec<Money> {
        cents.iter().map(|cents| "0.01".parse::<Money>().unwrap().times(*cents)).collect()
    }

    #[tokio::test]
    async fn it_is_for_as_many_as_fit_and_for_no_fewer() {
        let who = Arc::new(Attribution::default());
        for (limit, cents, expected) in [
            ("0.10", vec![1; 10], 10),
            ("0.09", vec![1; 10], 9),
            ("0.01", vec![1; 1000], 1),
            ("0.05", vec![2, 2, 2], 2),
            ("0.05", vec![6, 1, 1], 0),
            ("9.99", vec![1; 1000], 999),
        ] {
            let costs = tracker(limit);
            let held = costs.hold_together(MODEL, &amounts(&cents), &who, LEASE).await.unwrap();
            assert_eq!((held.count, held.hold.is_some()), (expected, expected > 0), "{limit} {}", cents.len());
            assert_eq!(held.refusal.is_some(), expected < cents.len());
        }
    }

    #[tokio::test]
    async fn what_is_held_counts_until_it_is_given_back() {
        let (costs, who) = (tracker("0.10"), Arc::new(Attribution::default()));
        let first = costs.hold_together(MODEL, &amounts(&[1; 6]), &who, LEASE).await.unwrap();
        let second = costs.hold_together(MODEL, &amounts(&[1; 6]), &who, LEASE).await.unwrap();
        assert_eq!((first.count, second.count), (6, 4));
        drop(first);
        drop(second);
        assert_eq!(costs.hold_together(MODEL, &amounts(&[1; 10]), &who, LEASE).await.unwrap().count, 10);
        assert_eq!(costs.hold_together(MODEL, &[], &who, LEASE).await.unwrap().count, 0);
    }
}
