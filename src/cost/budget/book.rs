//! Budgets in memory: what is spent and reserved in each period. One lock outside guards it all.

use super::{Budget, BudgetStatus, OnExceed, Spending, Taken};
use crate::cost::attribution::Attribution;
use crate::cost::money::Money;
use crate::cost::record::RateCard;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Every budget, its spending by period, and the reservations.
#[derive(Debug, Default)]
pub(crate) struct Book {
    lines: BTreeMap<u64, Line>,
    holds: HashMap<u64, Hold>,
    /// The number that the next budget or reservation gets.
    next: u64,
}

#[derive(Debug)]
struct Line {
    budget: Budget,
    /// By the start of the period (or of the step of a rolling one).
    taken: BTreeMap<i64, Taken>,
}

#[derive(Debug)]
struct Hold {
    card: Arc<RateCard>,
    who: Arc<Attribution>,
    amount: Money,
    time: i64,
    expires: i64,
    /// Which budgets hold the amount, and in which period.
    parts: Vec<(u64, i64)>,
}

/// The call that a budget is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) card: &'a Arc<RateCard>,
    pub(crate) who: &'a Arc<Attribution>,
    pub(crate) amount: Money,
    pub(crate) time: i64,
}

impl Asked<'_> {
    /// Whether a budget covers the call.
    pub(crate) fn is_for(&self, budget: &Budget) -> bool {
        budget.scope.covers(&self.card.provider, &self.card.model, self.who)
    }
}

impl Line {
    fn taken(&self, now: i64) -> Taken {
        let (first, last) = self.budget.span(now);
        self.taken.range(first..=last).fold(Taken::default(), |sum, (_, part)| Taken {
            spent: sum.spent + part.spent,
            reserved: sum.reserved + part.reserved,
        })
    }

    /// Periods that can count no more are forgotten, unless a reservation is still in them.
    fn forget(&mut self, now: i64) {
        let kept = self.budget.kept(now);
        self.taken.retain(|&start, part| start >= kept || part.reserved != Money::ZERO);
    }
}

impl Book {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Sets a budget; `spent` is what the ledger holds for it by period. What runs counts too.
    pub(crate) fn set(&mut self, budget: Budget, spent: BTreeMap<i64, Money>) {
        if let Some(line) = self.lines.values_mut().find(|line| line.budget.identity() == budget.identity()) {
            line.budget = budget;
            return;
        }
        let taken = spent.into_iter().map(|(start, spent)| (start, Taken { spent, reserved: Money::ZERO })).collect();
        let mut line = Line { budget, taken };
        self.next += 1;
        for hold in self.holds.values_mut() {
            if line.budget.scope.covers(&hold.card.provider, &hold.card.model, &hold.who) {
                let start = line.budget.bucket(hold.time);
                line.taken.entry(start).or_default().reserved += hold.amount;
                hold.parts.push((self.next, start));
            }
        }
        self.lines.insert(self.next, line);
    }

    /// Removes the budget of that identity; whether there was one.
    pub(crate) fn remove(&mut self, budget: &Budget) -> bool {
        let count = self.lines.len();
        self.lines.retain(|_, line| line.budget.identity() != budget.identity());
        self.lines.len() < count
    }

    /// Reserves in all budgets that cover the call, or in none.
    pub(crate) fn reserve(&mut self, asked: Asked<'_>, expires: i64) -> Result<u64> {
        let mut refused = self.check(asked);
        if refused.is_some() && self.lapse(asked.time) {
            refused = self.check(asked);
        }
        if let Some(error) = refused {
            return Err(error);
        }
        let mut parts = Vec::new();
        for (&id, line) in &mut self.lines {
            if asked.is_for(&line.budget) {
                let start = line.budget.bucket(asked.time);
                line.taken.entry(start).or_default().reserved += asked.amount;
                parts.push((id, start));
            }
        }
        self.next += 1;
        let (card, who) = (Arc::clone(asked.card), Arc::clone(asked.who));
        self.holds.insert(self.next, Hold { card, who, amount: asked.amount, time: asked.time, expires, parts });
        Ok(self.next)
    }

    fn check(&self, asked: Asked<'_>) -> Option<Error> {
        self.lines.values().find_map(|line| {
            if !asked.is_for(&line.budget) {
                return None;
            }
            let taken = line.taken(asked.time);
            if taken.has_room(asked.amount, line.budget.limit) {
                return None;
            }
            let error = line.budget.exceeded(taken, asked.amount);
            match line.budget.on_exceed {
                OnExceed::Reject => Some(error),
                OnExceed::Warn => {
                    tracing::warn!("{error}");
                    None
                }
            }
        })
    }

    /// Gives back what a reservation holds; whether there was one.
    pub(crate) fn release(&mut self, hold: u64) -> bool {
        let Some(hold) = self.holds.remove(&hold) else { return false };
        for (id, start) in hold.parts {
            if let Some(part) = self.lines.get_mut(&id).and_then(|line| line.taken.get_mut(&start)) {
                part.reserved = part.reserved - hold.amount;
            }
        }
        true
    }

    /// Extends the lease of a reservation; whether it still had one.
    pub(crate) fn extend(&mut self, hold: u64, expires: i64, now: i64) -> bool {
        let held = self.holds.get_mut(&hold).filter(|hold| hold.expires > now);
        held.map(|hold| hold.expires = expires).is_some()
    }

    /// Books what a call did cost.
    pub(crate) fn spend(&mut self, asked: Asked<'_>, now: i64) -> Vec<Spending> {
        let mut steps = Vec::new();
        for line in self.lines.values_mut() {
            if !asked.is_for(&line.budget) {
                continue;
            }
            let before = line.taken(now).spent;
            let part = line.taken.entry(line.budget.bucket(asked.time)).or_default();
            part.spent += asked.amount;
            let after = line.taken(now).spent;
            line.forget(now);
            steps.push(Spending { budget: line.budget.clone(), before, after });
        }
        steps
    }

    /// Releases the reservations whose lease is over; whether there were any.
    fn lapse(&mut self, now: i64) -> bool {
        let over: Vec<u64> = self.holds.iter().filter(|(_, hold)| hold.expires <= now).map(|(&id, _)| id).collect();
        for &hold in &over {
            self.release(hold);
        }
        !over.is_empty()
    }

    /// Every budget and how much of it is gone.
    pub(crate) fn status(&mut self, now: i64) -> Vec<BudgetStatus> {
        self.lapse(now);
        let status = |line: &Line| BudgetStatus { budget: line.budget.clone(), taken: line.taken(now) };
        self.lines.values().map(status).collect()
    }
}
