//! Budgets in memory: what is spent and reserved in each period. One lock outside guards it all.

use crate::cost::attribution::Attribution;
use crate::cost::budget::{Budget, BudgetStatus, Room, Spending, Taken};
use crate::cost::ledger::Asked;
use crate::cost::money::Money;
use crate::cost::record::RateCard;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Every budget, its spending by period, and the reservations.
#[derive(Debug, Default)]
pub(crate) struct Book {
    lines: BTreeMap<u64, BudgetLine>,
    holds: HashMap<u64, Running>,
    /// The number that the next budget or reservation gets.
    next: u64,
}

/// By the start of the period (or of the step of a rolling one).
type Spans = BTreeMap<i64, Taken>;

#[derive(Debug)]
struct BudgetLine {
    budget: Budget,
    taken: Spans,
    /// Of a budget for each tenant, the parts.
    by_tenant: HashMap<String, Spans>,
}

/// A call that runs.
#[derive(Debug)]
struct Running {
    card: Arc<RateCard>,
    who: Arc<Attribution>,
    amount: Money,
    time: i64,
    expires: i64,
    /// Which budgets hold the amount, and in which period.
    parts: Vec<(u64, i64)>,
}

impl BudgetLine {
    fn new(budget: Budget) -> Self {
        Self { budget, taken: Spans::new(), by_tenant: HashMap::new() }
    }

    fn spans(&self, tenant: &str) -> Option<&Spans> {
        if self.budget.scope.is_each_tenant() { self.by_tenant.get(tenant) } else { Some(&self.taken) }
    }

    fn part(&mut self, tenant: &str, start: i64) -> &mut Taken {
        let spans = if self.budget.scope.is_each_tenant() {
            self.by_tenant.entry(tenant.to_owned()).or_default()
        } else {
            &mut self.taken
        };
        spans.entry(start).or_default()
    }

    fn taken(&self, tenant: &str, now: i64) -> Taken {
        self.spans(tenant).map_or_else(Taken::default, |spans| sum(&self.budget, spans, now))
    }

    /// Periods that can count no more are forgotten, unless a reservation is still in them.
    fn forget(&mut self, now: i64) {
        let kept = self.budget.kept(now);
        let counts = |start: &i64, part: &mut Taken| *start >= kept || part.reserved != Money::ZERO;
        self.taken.retain(counts);
        self.by_tenant.retain(|_, spans| {
            spans.retain(counts);
            !spans.is_empty()
        });
    }
}

fn sum(budget: &Budget, spans: &Spans, now: i64) -> Taken {
    let (first, last) = budget.span(now);
    spans.range(first..=last).fold(Taken::default(), |sum, (_, part)| Taken {
        spent: sum.spent + part.spent,
        reserved: sum.reserved + part.reserved,
    })
}

impl Book {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Sets a budget; `spent` is what the ledger holds for it, with tenant and period. What runs counts too.
    pub(crate) fn set(&mut self, budget: Budget, spent: impl IntoIterator<Item = (Arc<Attribution>, i64, Money)>) {
        if let Some(line) = self.lines.values_mut().find(|line| line.budget.identity() == budget.identity()) {
            line.budget = budget;
            return;
        }
        let mut line = BudgetLine::new(budget);
        for (who, start, amount) in spent {
            line.part(who.tenant(), start).spent += amount;
        }
        self.next += 1;
        for hold in self.holds.values_mut() {
            if line.budget.scope.covers(&hold.card.provider, &hold.card.model, &hold.who) {
                let start = line.budget.bucket(hold.time);
                line.part(hold.who.tenant(), start).reserved += hold.amount;
                hold.parts.push((self.next, start));
            }
        }
        self.lines.insert(self.next, line);
    }

    /// Whether the call would fit if no other ran: whether a budget that refuses covers it.
    pub(crate) fn admit(&self, asked: Asked<'_>) -> Result<bool> {
        let mut is_covered = false;
        for line in self.lines.values().filter(|line| asked.is_for(&line.budget)) {
            let taken = line.taken(asked.who.tenant(), asked.time);
            is_covered |= line.budget.refuses();
            if let Room::None(error) = line.budget.room(asked.who.tenant(), taken, asked.amount) {
                return Err(error);
            }
        }
        Ok(is_covered)
    }

    /// Removes the budget of that identity; whether there was one.
    pub(crate) fn remove(&mut self, budget: &Budget) -> bool {
        let count = self.lines.len();
        self.lines.retain(|_, line| line.budget.identity() != budget.identity());
        self.lines.len() < count
    }

    /// Reserves in all budgets that cover the call, or in none: then, whether running calls are in the way.
    pub(crate) fn reserve(&mut self, asked: Asked<'_>, expires: i64) -> Result<std::result::Result<u64, Error>> {
        let mut room = self.room(asked);
        if !matches!(room, Room::Now) && self.lapse(asked.time) {
            room = self.room(asked);
        }
        match room {
            Room::Now => {}
            Room::Later(error) => return Ok(Err(error)),
            Room::None(error) => return Err(error),
        }
        let mut parts = Vec::new();
        for (&id, line) in &mut self.lines {
            if asked.is_for(&line.budget) {
                let start = line.budget.bucket(asked.time);
                line.part(asked.who.tenant(), start).reserved += asked.amount;
                parts.push((id, start));
            }
        }
        self.next += 1;
        let (card, who) = (Arc::clone(asked.card), Arc::clone(asked.who));
        self.holds.insert(self.next, Running { card, who, amount: asked.amount, time: asked.time, expires, parts });
        Ok(Ok(self.next))
    }

    fn room(&self, asked: Asked<'_>) -> Room {
        let mut room = Room::Now;
        for line in self.lines.values().filter(|line| asked.is_for(&line.budget)) {
            let taken = line.taken(asked.who.tenant(), asked.time);
            match line.budget.room(asked.who.tenant(), taken, asked.amount) {
                Room::Now => {}
                Room::Later(error) => room = Room::Later(error),
                none @ Room::None(_) => return none,
            }
        }
        room
    }

    /// Gives back what a reservation holds; whether there was one.
    pub(crate) fn release(&mut self, hold: u64) -> bool {
        let Some(hold) = self.holds.remove(&hold) else { return false };
        for (id, start) in hold.parts {
            if let Some(line) = self.lines.get_mut(&id) {
                let part = line.part(hold.who.tenant(), start);
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
            let (tenant, start) = (asked.who.tenant(), line.budget.bucket(asked.time));
            let before = line.taken(tenant, now).spent;
            line.part(tenant, start).spent += asked.amount;
            let after = line.taken(tenant, now).spent;
            line.forget(now);
            steps.push(Spending::new(line.budget.clone(), tenant, before, after));
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
        let mut all = Vec::new();
        for line in self.lines.values() {
            let status = |tenant, spans| BudgetStatus {
                budget: line.budget.clone(),
                tenant,
                taken: sum(&line.budget, spans, now),
            };
            all.push(status(None, &line.taken));
            let parts = line.by_tenant.iter().map(|(tenant, spans)| status(Some(tenant.clone()), spans));
            let mut parts: Vec<_> = parts.filter(|status| status.taken != Taken::default()).collect();
            parts.sort_unstable_by(|one, other| one.tenant.cmp(&other.tenant));
            all.append(&mut parts);
        }
        all
    }
}
