//! The budgets as a process knows them, and how scripts are told of them.

use super::{Asked, strange};
use crate::cost::attribution::Attribution;
use crate::cost::budget::{Budget, OnExceed, Period, Scope};
use crate::cost::money::Money;
use crate::store::redis::{Arguments, escaped, int_of, list_of, text_of};
use crate::{Error, Result};
use jiff::tz::TimeZone;
use redis::Value;
use serde::{Deserialize, Serialize};

/// Every budget with its number, in their order, and the version of all.
#[derive(Debug, Default)]
pub(super) struct KnownBudgets {
    pub(super) version: String,
    pub(super) budgets: Vec<(u64, Budget)>,
}

/// A budget as Redis has it.
#[derive(Serialize, Deserialize)]
struct Definition {
    scope: [Option<String>; 4],
    period: String,
    zone: String,
    /// In attodollars: JSON's numbers would lose some.
    limit: String,
    on_exceed: String,
}

impl Definition {
    fn of(budget: &Budget) -> Self {
        let Scope { tenant, provider, model, tag } = budget.scope.clone();
        Self {
            scope: [tenant, provider, model, tag],
            period: budget.period.to_string(),
            zone: budget.zone_name(),
            limit: budget.limit.attodollars().to_string(),
            on_exceed: budget.on_exceed.as_str().to_owned(),
        }
    }

    fn into_budget(self) -> Result<Budget> {
        let [tenant, provider, model, tag] = self.scope;
        Ok(Budget {
            limit: Money::from_attodollars(self.limit.parse().map_err(|_| strange())?),
            scope: Scope { tenant, provider, model, tag },
            period: Period::parse(&self.period)?,
            zone: TimeZone::get(&self.zone)
                .map_err(|error| Error::Store(format!("time zone {}: {error}", self.zone)))?,
            on_exceed: OnExceed::parse(&self.on_exceed)?,
        })
    }
}

/// What two budgets that are one have in common.
pub(super) fn identity(budget: &Budget) -> Result<String> {
    let Definition { scope, period, zone, .. } = Definition::of(budget);
    serde_json::to_string(&(scope, period, zone)).map_err(|_| strange())
}

/// All that a budget says.
pub(super) fn definition(budget: &Budget) -> Result<String> {
    serde_json::to_string(&Definition::of(budget)).map_err(|_| strange())
}

/// The start of a span, in twenty digits: texts of them stand in the order of time.
pub(super) fn start(time: i64) -> String {
    format!("{:020}", i128::from(time) - i128::from(i64::MIN))
}

/// The tenant of a part; none, where a budget has no parts.
pub(super) fn part_of<'a>(budget: &Budget, who: &'a Attribution) -> std::borrow::Cow<'a, str> {
    if budget.scope.is_each_tenant() { escaped(who.tenant()) } else { "".into() }
}

/// What the parts of a budget begin with, where a tenant's call is counted.
fn prefix(id: u64, budget: &Budget, who: &Attribution) -> String {
    format!("{id}\u{1}{}\u{1}", part_of(budget, who))
}

impl KnownBudgets {
    /// Reads what a script tells of them.
    pub(super) fn read(version: &Value, budgets: &Value) -> Result<Self> {
        let mut found = Vec::new();
        for [id, definition] in list_of(budgets)?.as_chunks::<2>().0 {
            let definition: Definition = serde_json::from_str(text_of(definition)?).map_err(|_| strange())?;
            found.push((u64::try_from(int_of(id)?).map_err(|_| strange())?, definition.into_budget()?));
        }
        found.sort_unstable_by_key(|(id, _)| *id);
        Ok(Self { version: text_of(version)?.to_owned(), budgets: found })
    }

    /// Those that cover a call.
    pub(super) fn covering<'a>(&'a self, asked: Asked<'a>) -> impl Iterator<Item = &'a (u64, Budget)> {
        self.budgets.iter().filter(move |(_, budget)| asked.is_for(budget))
    }

    /// What a script that decides about a call is told of those.
    pub(super) fn for_asking(&self, asked: Asked<'_>, mut arguments: Arguments) -> Arguments {
        for (id, budget) in self.covering(asked) {
            let (first, last) = budget.span(asked.time);
            arguments = arguments
                .text(prefix(*id, budget, asked.who))
                .text(start(budget.bucket(asked.time)))
                .text(start(first))
                .text(start(last))
                .int(budget.limit.attodollars())
                .flag(budget.refuses());
        }
        arguments
    }

    /// What the script that books a call is told of those.
    pub(super) fn for_booking(&self, asked: Asked<'_>, now: i64, mut arguments: Arguments) -> Arguments {
        for (id, budget) in self.covering(asked) {
            let (first, last) = budget.span(now);
            arguments = arguments
                .text(prefix(*id, budget, asked.who))
                .text(start(budget.bucket(asked.time)))
                .text(start(first))
                .text(start(last))
                .text(start(budget.kept(now)));
        }
        arguments
    }

    /// What the script that tells how much is gone is told of all.
    pub(super) fn for_status(&self, now: i64, mut arguments: Arguments) -> Arguments {
        for (id, budget) in &self.budgets {
            let (first, last) = budget.span(now);
            arguments = arguments
                .int(id)
                .flag(budget.scope.is_each_tenant())
                .text(start(first))
                .text(start(last))
                .text(start(budget.kept(now)));
        }
        arguments
    }
}

/// An amount that a script tells.
pub(super) fn money(value: &Value) -> Result<Money> {
    text_of(value)?.parse().map(Money::from_attodollars).map_err(|_| strange())
}
