//! Limits on what may be spent, kept exactly: a call reserves its worst case and settles what it did cost.

#![deny(clippy::disallowed_types, clippy::float_arithmetic)]

mod fraction;
mod period;

pub use fraction::Fraction;
pub use period::Period;

use super::attribution::Attribution;
use super::money::Money;
use crate::{Error, Result};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// In place of a tenant: each of them, also those yet unknown.
pub const EACH: &str = "*";

/// Which calls a budget covers: those that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The tenant; [`EACH`] is all of them, and in a budget each for himself.
    pub tenant: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The model, without its provider.
    pub model: Option<String>,
    /// A tag that the call carries.
    pub tag: Option<String>,
}

impl Scope {
    /// Whether it is of every tenant.
    pub fn is_each_tenant(&self) -> bool {
        self.tenant.as_deref() == Some(EACH)
    }

    /// Whether a call is covered.
    pub fn covers(&self, provider: &str, model: &str, who: &Attribution) -> bool {
        let fits = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        (self.is_each_tenant() || fits(&self.tenant, who.tenant()))
            && fits(&self.provider, provider)
            && (fits(&self.model, model)
                || self.model.as_deref().is_some_and(|wanted| is_full_name(wanted, provider, model)))
            && self.tag.as_ref().is_none_or(|tag| who.tags().contains(tag))
    }
}

fn is_full_name(wanted: &str, provider: &str, model: &str) -> bool {
    wanted.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')) == Some(model)
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts =
            [("tenant", &self.tenant), ("provider", &self.provider), ("model", &self.model), ("tag", &self.tag)];
        let mut separator = "";
        for (name, value) in parts {
            if let Some(value) = value {
                write!(f, "{separator}{name} {value}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() { f.write_str("everything") } else { Ok(()) }
    }
}

/// What happens to a call that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExceed {
    /// It is refused with `BudgetExceeded`.
    Reject,
    /// It goes on, and is logged.
    Warn,
}

impl OnExceed {
    /// Reads `reject` or `warn`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "reject" => Ok(Self::Reject),
            "warn" => Ok(Self::Warn),
            _ => Err(Error::invalid(format!("on_exceed {text:?} is unknown: give reject or warn"))),
        }
    }

    /// The word that `parse` reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Warn => "warn",
        }
    }
}

/// A limit on what calls may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The most that may be spent in one period.
    pub limit: Money,
    /// The calls it covers.
    pub scope: Scope,
    /// How long until it starts anew.
    pub period: Period,
    /// The time zone in which days, weeks and months begin.
    pub zone: TimeZone,
    /// What happens to a call that does not fit.
    pub on_exceed: OnExceed,
}

impl Budget {
    /// A budget for everything, by calendar month in UTC, that refuses what does not fit.
    ///
    /// # Errors
    /// `InvalidArgument` where the limit is negative.
    pub fn new(limit: Money) -> Result<Self> {
        if limit < Money::ZERO {
            return Err(Error::invalid(format!("budget limit {limit} is negative: give 0 or more")));
        }
        let (scope, period) = (Scope::default(), Period::Month);
        Ok(Self { limit, scope, period, zone: TimeZone::UTC, on_exceed: OnExceed::Reject })
    }

    /// Refuses what no call can be for.
    pub(crate) fn check(&self) -> Result<()> {
        let parts = [&self.scope.tenant, &self.scope.provider, &self.scope.model, &self.scope.tag];
        if parts.into_iter().flatten().any(String::is_empty) {
            return Err(Error::invalid(
                "a budget's tenant, provider, model or tag is empty: name it, or leave it out to cover all",
            ));
        }
        Ok(())
    }

    /// Two budgets with one identity are one: setting it again changes its limit.
    pub(crate) fn identity(&self) -> (Scope, String, String) {
        (self.scope.clone(), self.period.to_string(), self.zone_name())
    }

    /// The zone's IANA name.
    pub fn zone_name(&self) -> String {
        self.zone.iana_name().unwrap_or("UTC").to_owned()
    }

    pub(crate) fn bucket(&self, time: i64) -> i64 {
        self.period.bucket(time, &self.zone)
    }

    /// The first and the last span that count at `now`.
    pub(crate) fn span(&self, now: i64) -> (i64, i64) {
        (self.period.lower(now, &self.zone), self.period.upper(now, &self.zone))
    }

    /// The first span that has to be remembered.
    pub(crate) fn kept(&self, now: i64) -> i64 {
        self.period.kept(now, &self.zone)
    }

    /// The error for a call of a tenant that does not fit.
    pub(crate) fn exceeded(&self, tenant: &str, taken: Taken, asked: Money) -> Error {
        let mut scope = self.scope.clone();
        if scope.is_each_tenant() {
            scope.tenant = Some(tenant.to_owned());
        }
        Error::BudgetExceeded(format!(
            "a call of at most ${asked} does not fit the budget of ${} a {} for {scope}: ${} spent, ${} reserved; \
             raise the limit, or wait for the next {}",
            self.limit, self.period, taken.spent, taken.reserved, self.period
        ))
    }

    pub(crate) fn refuses(&self) -> bool {
        self.on_exceed == OnExceed::Reject
    }

    /// Whether a call has room: none, where what is spent leaves too little; only later, where running calls hold the rest.
    /// A budget that only warns says so and has room.
    pub(crate) fn room(&self, tenant: &str, taken: Taken, asked: Money) -> Room {
        if taken.has_room(asked, self.limit) {
            return Room::Now;
        }
        let error = self.exceeded(tenant, taken, asked);
        match self.on_exceed {
            OnExceed::Warn => {
                tracing::warn!("{error}");
                Room::Now
            }
            OnExceed::Reject if Taken { reserved: Money::ZERO, ..taken }.has_room(asked, self.limit) => {
                Room::Later(error)
            }
            OnExceed::Reject => Room::None(error),
        }
    }
}

/// Whether a budget has room for a call.
#[derive(Debug)]
pub(crate) enum Room {
    /// It has.
    Now,
    /// When calls that run have settled, perhaps.
    Later(Error),
    /// It has not.
    None(Error),
}

/// How much of a budget is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// By calls that are over.
    pub spent: Money,
    /// By calls that run.
    pub reserved: Money,
}

impl Taken {
    /// Whether a call of at most `asked` has room below a limit. What costs nothing always has.
    pub(crate) fn has_room(self, asked: Money, limit: Money) -> bool {
        asked == Money::ZERO || self.total() + asked <= limit
    }

    pub(crate) fn total(self) -> Money {
        self.spent + self.reserved
    }
}

/// A budget and how much of it is gone now.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetStatus {
    /// The budget.
    pub budget: Budget,
    /// Of a budget for each tenant, whose part this is; without one, the part of a tenant that has none yet.
    pub tenant: Option<String>,
    /// How much is gone.
    pub taken: Taken,
}

impl BudgetStatus {
    /// What is left; zero where more was spent than allowed.
    pub fn remaining(&self) -> Money {
        (self.budget.limit - self.taken.total()).max(Money::ZERO)
    }
}

/// Spending crossed a fraction of a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The budget.
    pub budget: Budget,
    /// Of a budget for each tenant, whose part it is.
    pub tenant: Option<String>,
    /// The fraction that was crossed.
    pub fraction: Fraction,
    /// What is spent now.
    pub spent: Money,
}

/// Told of alerts, on the thread that settles the call, with no lock held.
pub type AlertListener = Arc<dyn Fn(&Alert) + Send + Sync>;

/// A budget's spending before and after one call.
#[derive(Debug, Clone)]
pub struct Spending {
    /// The budget.
    pub budget: Budget,
    /// Of a budget for each tenant, whose part it is.
    pub tenant: Option<String>,
    /// What was spent before.
    pub before: Money,
    /// What is spent now.
    pub after: Money,
}

impl Spending {
    pub(crate) fn new(budget: Budget, tenant: &str, before: Money, after: Money) -> Self {
        let tenant = budget.scope.is_each_tenant().then(|| tenant.to_owned());
        Self { budget, tenant, before, after }
    }
}

/// Who wants to know, and at which fractions.
#[derive(Clone)]
pub(crate) struct AlertWatch {
    pub(crate) identity: (Scope, String, String),
    pub(crate) fractions: Vec<Fraction>,
    pub(crate) listener: AlertListener,
}

impl AlertWatch {
    /// Calls the listener for each fraction that this step crossed.
    pub(crate) fn see(&self, step: &Spending) {
        if step.budget.identity() != self.identity {
            return;
        }
        for &fraction in &self.fractions {
            let mark = fraction.of(step.budget.limit);
            if step.before < mark && step.after >= mark {
                let (budget, tenant) = (step.budget.clone(), step.tenant.clone());
                (self.listener)(&Alert { budget, tenant, fraction, spent: step.after });
            }
        }
    }
}
