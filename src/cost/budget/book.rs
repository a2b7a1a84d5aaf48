//! Budgets in memory: what is spent and reserved in each period. One lock outside guards it all.

use super::{Budget, BudgetStatus, OnExceed, Step, Taken};
use crate::cost::attribution::Attribution;
use crate::cost::money::Money;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};

/// Every budget, its spending by period, and the reservations.
#[derive(Debug, Default)]
pub(crate) struct Book {
    lines: Vec<Line>,
    holds: HashMap<u64, Hold>,
    next_hold: u64,
}

#[derive(Debug)]
struct Line {
    budget: Budget,
    /// By the start of the period (or of the step of a rolling one).
    taken: BTreeMap<i64, Taken>,
}

#[derive(Debug)]
struct Hold {
    amount: Money,
    expires: i64,
    /// Which budgets hold the amount, and in which period.
    parts: Vec<(usize, i64)>,
}

/// The call that a budget is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) who: &'a Attribution,
    pub(crate) amount: Money,
    pub(crate) time: i64,
}

impl Line {
    fn taken(&self, now: i64) -> Taken {
        self.taken.range(self.budget.lower(now)..).fold(Taken::default(), |sum, (_, part)| Taken {
            spent: sum.spent + part.spent,
            reserved: sum.reserved + part.reserved,
        })
    }

    /// Periods that can count no more are forgotten, unless a reservation is still in them.
    fn forget(&mut self, now: i64) {
        let lower = self.budget.lower(now);
        self.taken.retain(|&start, part| start >= lower || part.reserved != Money::ZERO);
    }
}

impl Book {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Sets a budget; `spent` is what the ledger holds for it by period.
    pub(crate) fn set(&mut self, budget: Budget, spent: BTreeMap<i64, Money>) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.budget.identity() == budget.identity()) {
            line.budget = budget;
            return;
        }
        let taken = spent.into_iter().map(|(start, spent)| (start, Taken { spent, reserved: Money::ZERO })).collect();
        self.lines.push(Line { budget, taken });
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
        for (place, line) in self.lines.iter_mut().enumerate() {
            if line.budget.scope.covers(asked.provider, asked.model, asked.who) {
                let start = line.budget.bucket(asked.time);
                let part = line.taken.entry(start).or_default();
                part.reserved += asked.amount;
                parts.push((place, start));
            }
        }
        self.next_hold += 1;
        let hold = Hold { amount: asked.amount, expires, parts };
        self.holds.insert(self.next_hold, hold);
        Ok(self.next_hold)
    }

    fn check(&self, asked: Asked<'_>) -> Option<Error> {
        self.lines.iter().find_map(|line| {
            if !line.budget.scope.covers(asked.provider, asked.model, asked.who) {
                return None;
            }
            let taken = line.taken(asked.time);
            if taken.total() + asked.amount <= line.budget.limit {
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
        for (place, start) in hold.parts {
            if let Some(part) = self.lines[place].taken.get_mut(&start) {
                part.reserved = part.reserved - hold.amount;
            }
        }
        true
    }

    /// Extends the lease of a reservation; whether it still had one.
    pub(crate) fn extend(&mut self, hold: u64, expires: i64) -> bool {
        self.holds.get_mut(&hold).map(|hold| hold.expires = expires).is_some()
    }

    /// Books what a call did cost.
    pub(crate) fn spend(&mut self, asked: Asked<'_>, now: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        for line in &mut self.lines {
            if !line.budget.scope.covers(asked.provider, asked.model, asked.who) {
                continue;
            }
            let before = line.taken(now).spent;
            let part = line.taken.entry(line.budget.bucket(asked.time)).or_default();
            part.spent += asked.amount;
            let after = line.taken(now).spent;
            line.forget(now);
            steps.push(Step { budget: line.budget.clone(), before, after });
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
        self.lines.iter().map(status).collect()
    }
}
