//! The cost tracker.

use super::arguments::{self, Count, Narrow, attribution, filter, optional_count, optional_time};
use super::budget;
use super::price::{Fallback, PriceTable};
use super::record::{CostRecord, settlement};
use super::reservation::Reservation;
use super::results::{Dollars, Records, Statuses, Summary};
use super::usage::{self, Usage};
use crate::duration::duration;
use crate::error::Result;
use crate::{log, runtime};
use headrace::Error;
use headrace::cost::budget::{Budget, Period, Scope};
use headrace::cost::carbon::{Override, Range};
use headrace::cost::money::Money;
use headrace::cost::{self as core, Attribution, Call, Deferred, Dimension, Filter, SummaryRow};
use headrace::lock::Lock;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// Prices calls, keeps budgets, writes the ledger.
#[pyclass(frozen, subclass, module = "headrace._core.cost")]
pub(crate) struct CostTracker {
    pub(crate) core: core::CostTracker,
    /// Who is met again and again: tenants without tags.
    tenants: Lock<HashMap<String, Arc<Attribution>>>,
}

/// The answer of a call: at once where it is there, else with the GIL released and Ctrl-C seen.
pub(crate) fn answer<T: Send + 'static>(py: Python<'_>, pending: Deferred<T>) -> Result<T> {
    let answer = if pending.is_ready() {
        pending.wait().map_err(Into::into)
    } else {
        runtime::wait(py, async move { Ok(pending.finish().await?) })
    };
    log::flush(py);
    answer
}

/// Dimensions: one text, or several.
#[derive(FromPyObject)]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl CostTracker {
    fn sums(
        &self,
        by: Option<Names>,
        filter: &Filter,
        bucket: Option<&str>,
        timezone: &str,
    ) -> Result<(Vec<String>, Deferred<Vec<SummaryRow>>)> {
        let by = match by {
            None => vec!["provider".into(), "model".into()],
            Some(Names::One(name)) => vec![name],
            Some(Names::Many(names)) => names,
        };
        let dimensions = by.iter().map(|name| Dimension::parse(name)).collect::<headrace::Result<Vec<_>>>()?;
        let span = match bucket {
            Some(name) => Some((calendar(name)?, budget::zone(timezone)?)),
            None => None,
        };
        Ok((by, self.core.summary(&dimensions, filter, span)))
    }

    fn who(&self, tenant: &str, tags: Option<&Bound<'_, PyAny>>) -> Result<Arc<Attribution>> {
        let tags = tags.filter(|tags| !tags.len().is_ok_and(|count| count == 0));
        if tags.is_some() {
            return attribution(tenant, tags);
        }
        if let Some(who) = self.tenants.lock().get(tenant) {
            return Ok(Arc::clone(who));
        }
        let who = attribution(tenant, None)?;
        self.tenants.lock().insert(tenant.to_owned(), Arc::clone(&who));
        Ok(who)
    }
}

#[pymethods]
impl CostTracker {
    #[new]
    #[pyo3(signature = (*, prices=None, fallback=Fallback::Name("estimate".into()), url="memory://",
                        retention=None))]
    fn new(
        py: Python<'_>,
        prices: Option<&PriceTable>,
        fallback: Fallback<'_>,
        url: &str,
        retention: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        let retention = retention.map(|length| duration("retention", length)).transpose()?;
        let mut table = prices.map_or_else(core::price::PriceTable::builtin, |prices| prices.core.read().clone());
        table.set_fallback(fallback.read()?)?;
        let clock = crate::clock::current();
        let core = py.detach(|| core::CostTracker::with_clock(url, table, clock))?;
        core.set_retention(retention)?;
        Ok(Self { core, tenants: Lock::default() })
    }

    /// Writes a call into the ledger; with `sqlite:///`, returns when it is on disk.
    ///
    /// A call that was not reserved is a fact: it counts in budgets, and is not refused. Where the ledger cannot be written (a
    /// lock, a full disk), the record has no `id`, is kept in memory and written later: `stats()["waiting"]`, `flush()`.
    ///
    /// Args:
    ///     model: The model, as `provider/model`.
    ///     usage: What it used; of a cached answer, what it would have used.
    ///     tenant: Who it is for.
    ///     tags: More of who it is for, as `project=csrd`.
    ///     at: When, a datetime with a time zone; now where it is not given.
    ///     cache: `exact` or `semantic` where the cache answered: the cost is then zero, and `saved` what it would be.
    ///     latency: Seconds that the provider took, or a timedelta; bounds the energy of its servers.
    ///     attempts: How often the provider was asked.
    ///     usage_estimated: Whether the usage is an estimate: the record says so.
    ///     told_cost: What the provider says that the call cost, in dollars; kept beside what is computed.
    ///
    /// Raises:
    ///     ValueError: An argument is not possible.
    ///     StoreError: Too many records wait already.
    #[pyo3(signature = (model, usage, *, tenant="default", tags=None, at=None, cache=None, latency=None, attempts=None,
                        usage_estimated=false, told_cost=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn record(
        &self,
        py: Python<'_>,
        model: &str,
        usage: &Usage,
        tenant: &str,
        tags: Option<&Bound<'_, PyAny>>,
        at: Option<&Bound<'_, PyAny>>,
        cache: Option<&str>,
        latency: Option<&Bound<'_, PyAny>>,
        attempts: Option<Count>,
        usage_estimated: bool,
        told_cost: Option<&Bound<'_, PyAny>>,
    ) -> Result<CostRecord> {
        let (who, time) = (self.who(tenant, tags)?, optional_time(at, "at")?);
        let outcome = settlement(cache, latency, attempts.as_ref(), usage_estimated, told_cost)?;
        let core = answer(py, self.core.record(call(model, usage, time, outcome), &who))?;
        Ok(CostRecord { core })
    }

    /// The same as `record`, to be awaited: nothing else waits for the disk.
    #[pyo3(signature = (model, usage, *, tenant="default", tags=None, at=None, cache=None, latency=None, attempts=None,
                        usage_estimated=false, told_cost=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn arecord<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        usage: &Usage,
        tenant: &str,
        tags: Option<&Bound<'_, PyAny>>,
        at: Option<&Bound<'_, PyAny>>,
        cache: Option<&str>,
        latency: Option<&Bound<'_, PyAny>>,
        attempts: Option<Count>,
        usage_estimated: bool,
        told_cost: Option<&Bound<'_, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let (who, time) = (self.who(tenant, tags)?, optional_time(at, "at")?);
        let outcome = settlement(cache, latency, attempts.as_ref(), usage_estimated, told_cost)?;
        let pending = self.core.record(call(model, usage, time, outcome), &who);
        Ok(crate::awaitable::awaitable(py, async move { Ok(CostRecord { core: pending.finish().await? }) })?)
    }

    /// What a call would cost, as a record that is not written.
    ///
    /// Args:
    ///     model: The model, as `provider/model`.
    ///     usage: What it uses; or the text or the messages of a call, whose most tokens are then estimated.
    ///     at: When; now where it is not given.
    ///     max_output_tokens: For a text, the most output that the call asks for; else the model's longest.
    ///
    /// Raises:
    ///     ValueError: An argument is not possible.
    ///     UnknownModel: No list has the model and the fallback is to raise.
    #[pyo3(signature = (model, usage, *, at=None, max_output_tokens=None))]
    fn quote(
        &self,
        py: Python<'_>,
        model: &str,
        usage: &Bound<'_, PyAny>,
        at: Option<&Bound<'_, PyAny>>,
        max_output_tokens: Option<Count>,
    ) -> Result<CostRecord> {
        let who = self.who("default", None)?;
        let usage = usage::of_call(usage, model, max_output_tokens.as_ref(), &self.core.prices())?;
        let call = Call { time: optional_time(at, "at")?, ..Call::new(model, &usage) };
        let core = self.core.quote(call, &who)?;
        log::flush(py);
        Ok(CostRecord { core })
    }

    /// Sets the worst case of a call aside in every budget that covers it.
    ///
    /// Args:
    ///     model: The model, as `provider/model`.
    ///     usage: The most that it uses; or the text or the messages of the call, as for `quote`.
    ///     tenant: Who it is for.
    ///     tags: More of who it is for.
    ///     lease_seconds: How long the money stays aside where nobody settles or releases it, 600 s where it is not given;
    ///         also a timedelta.
    ///     max_output_tokens: As for `quote`.
    ///
    /// Raises:
    ///     BudgetExceeded: It does not fit; nothing is set aside.
    ///     StoreError: A budget covers the call and the ledger cannot be written.
    #[pyo3(signature = (model, usage, *, tenant="default", tags=None, lease_seconds=None, max_output_tokens=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn reserve(
        &self,
        py: Python<'_>,
        model: &str,
        usage: &Bound<'_, PyAny>,
        tenant: &str,
        tags: Option<&Bound<'_, PyAny>>,
        lease_seconds: Option<&Bound<'_, PyAny>>,
        max_output_tokens: Option<Count>,
    ) -> Result<Reservation> {
        let lease = arguments::lease_or_default(lease_seconds)?;
        let usage = usage::of_call(usage, model, max_output_tokens.as_ref(), &self.core.prices())?;
        let held = answer(py, self.core.reserve(model, &usage, &self.who(tenant, tags)?, lease))?;
        Ok(Reservation { core: Arc::new(held) })
    }

    /// The same as `reserve`, to be awaited.
    #[pyo3(signature = (model, usage, *, tenant="default", tags=None, lease_seconds=None, max_output_tokens=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn areserve<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        usage: &Bound<'_, PyAny>,
        tenant: &str,
        tags: Option<&Bound<'_, PyAny>>,
        lease_seconds: Option<&Bound<'_, PyAny>>,
        max_output_tokens: Option<Count>,
    ) -> Result<Bound<'py, PyAny>> {
        let lease = arguments::lease_or_default(lease_seconds)?;
        let usage = usage::of_call(usage, model, max_output_tokens.as_ref(), &self.core.prices())?;
        let pending = self.core.reserve(model, &usage, &self.who(tenant, tags)?, lease);
        Ok(crate::awaitable::awaitable(py, async move { Ok(Reservation { core: Arc::new(pending.finish().await?) }) })?)
    }

    /// Sets a budget, or changes the limit of the one with the same scope, period and zone. What the ledger holds counts.
    ///
    /// Args:
    ///     limit: Dollars, as a Decimal, an integer or a text.
    ///     tenant: Only calls for this tenant; `"*"` is the same limit for each tenant, also those yet unknown.
    ///     provider: Only calls of this provider.
    ///     model: Only calls of this model.
    ///     tag: Only calls with this tag.
    ///     period: `hour`, `day`, `week`, `month` (where it is not given), `ever`, or a rolling length: `rolling 24h` or a
    ///         timedelta.
    ///     timezone: The IANA name of the zone in which the period begins.
    ///     on_exceed: `reject` a call that does not fit, or `warn` in the log.
    ///     alert_at: Fractions of the limit; 0.5, 0.8 and 1 where they are not given.
    ///     alerts: Called with a dictionary when spending crosses a fraction, by the process whose call did.
    ///
    /// Raises:
    ///     ValueError: An argument is not possible.
    ///     TypeError: The limit is a float.
    #[pyo3(signature = (limit, *, tenant=None, provider=None, model=None, tag=None, period=None, timezone="UTC",
                        on_exceed="reject", alert_at=None, alerts=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn set_budget(
        &self,
        py: Python<'_>,
        limit: &Bound<'_, PyAny>,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
        period: Option<&Bound<'_, PyAny>>,
        timezone: &str,
        on_exceed: &str,
        alert_at: Option<Vec<Bound<'_, PyAny>>>,
        alerts: Option<&Bound<'_, PyAny>>,
    ) -> Result<()> {
        let scope = Scope { tenant, provider, model, tag };
        let budget = budget::budget(limit, scope, budget::period(period)?, timezone, on_exceed)?;
        let fractions = budget::fractions(alert_at)?;
        let listener = alerts.map(budget::listener).transpose()?;
        answer(py, self.core.set_budget(budget, fractions, listener))
    }

    /// The same as `set_budget`, to be awaited.
    #[pyo3(signature = (limit, *, tenant=None, provider=None, model=None, tag=None, period=None, timezone="UTC",
                        on_exceed="reject", alert_at=None, alerts=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn aset_budget<'py>(
        &self,
        py: Python<'py>,
        limit: &Bound<'py, PyAny>,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
        period: Option<&Bound<'py, PyAny>>,
        timezone: &str,
        on_exceed: &str,
        alert_at: Option<Vec<Bound<'py, PyAny>>>,
        alerts: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let scope = Scope { tenant, provider, model, tag };
        let budget = budget::budget(limit, scope, budget::period(period)?, timezone, on_exceed)?;
        let fractions = budget::fractions(alert_at)?;
        let set = self.core.set_budget(budget, fractions, alerts.map(budget::listener).transpose()?);
        Ok(crate::awaitable::awaitable(py, async move { Ok(set.await?) })?)
    }

    /// Removes the budget with this scope, period and zone; whether there was one.
    ///
    /// Args:
    ///     tenant: As for `set_budget`, and so the others.
    ///     provider: The provider.
    ///     model: The model.
    ///     tag: The tag.
    ///     period: The period.
    ///     timezone: The zone.
    #[pyo3(signature = (*, tenant=None, provider=None, model=None, tag=None, period=None, timezone="UTC"))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn remove_budget(
        &self,
        py: Python<'_>,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
        period: Option<&Bound<'_, PyAny>>,
        timezone: &str,
    ) -> Result<bool> {
        let (scope, period, zone) =
            (Scope { tenant, provider, model, tag }, budget::period(period)?, budget::zone(timezone)?);
        let budget = Budget { scope, period, zone, ..Budget::new(Money::ZERO)? };
        answer(py, self.core.remove_budget(budget))
    }

    /// The same as `remove_budget`, to be awaited.
    #[pyo3(signature = (*, tenant=None, provider=None, model=None, tag=None, period=None, timezone="UTC"))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn aremove_budget<'py>(
        &self,
        py: Python<'py>,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
        period: Option<&Bound<'py, PyAny>>,
        timezone: &str,
    ) -> Result<Bound<'py, PyAny>> {
        let (scope, period, zone) =
            (Scope { tenant, provider, model, tag }, budget::period(period)?, budget::zone(timezone)?);
        let removed = self.core.remove_budget(Budget { scope, period, zone, ..Budget::new(Money::ZERO)? });
        Ok(crate::awaitable::awaitable(py, async move { Ok(removed.await?) })?)
    }

    /// Every budget, and what of it is `spent`, `reserved` and `remaining`, in dollars; a list of dictionaries.
    ///
    /// Of a budget for each tenant (`tenant="*"`) there is one with `part_of` None, then the part of each tenant, with his name.
    fn budgets(&self, py: Python<'_>) -> Result<Statuses> {
        Ok(Statuses(answer(py, self.core.budgets())?))
    }

    /// The same as `budgets`, to be awaited.
    fn abudgets<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let found = self.core.budgets();
        Ok(crate::awaitable::awaitable(py, async move { Ok(Statuses(found.await?)) })?)
    }

    /// All that was paid, in dollars, exactly.
    #[getter]
    fn total(&self, py: Python<'_>) -> Result<Dollars> {
        Ok(Dollars(answer(py, self.core.total(&Filter::default()))?))
    }

    /// The same as `total`, to be awaited.
    fn atotal<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let total = self.core.total(&Filter::default());
        Ok(crate::awaitable::awaitable(py, async move { Ok(Dollars(total.await?)) })?)
    }

    /// Sums by dimensions and spans of time. Each call is in one row: the rows of any summary add up to the total.
    ///
    /// Args:
    ///     by: One dimension or several: `provider`, `model`, `tenant`, `tags`, `tag:KEY`, `estimated`, `price_version`, `zone`.
    ///     since: From this time on, a datetime with a time zone.
    ///     until: Before this time.
    ///     bucket: `hour`, `day`, `week` or `month`.
    ///     timezone: The IANA name of the zone in which the spans begin.
    ///     tenant: Only this tenant's.
    ///     provider: Only this provider's.
    ///     model: Only this model's.
    ///     tag: Only with this tag.
    ///
    /// Raises:
    ///     ValueError: A name is unknown.
    ///     StoreError: The ledger cannot be read.
    #[pyo3(signature = (by=None, *, since=None, until=None, bucket=None, timezone="UTC", tenant=None, provider=None,
                        model=None, tag=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn summary(
        &self,
        py: Python<'_>,
        by: Option<Names>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        bucket: Option<&str>,
        timezone: &str,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
    ) -> Result<Summary> {
        let filter = filter(since, until, Narrow { tenant, provider, model, tag })?;
        let (by, rows) = self.sums(by, &filter, bucket, timezone)?;
        Ok(Summary { by, rows: answer(py, rows)? })
    }

    /// The same as `summary`, to be awaited.
    #[pyo3(signature = (by=None, *, since=None, until=None, bucket=None, timezone="UTC", tenant=None, provider=None,
                        model=None, tag=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn asummary<'py>(
        &self,
        py: Python<'py>,
        by: Option<Names>,
        since: Option<&Bound<'py, PyAny>>,
        until: Option<&Bound<'py, PyAny>>,
        bucket: Option<&str>,
        timezone: &str,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
    ) -> Result<Bound<'py, PyAny>> {
        let filter = filter(since, until, Narrow { tenant, provider, model, tag })?;
        let (by, rows) = self.sums(by, &filter, bucket, timezone)?;
        Ok(crate::awaitable::awaitable(py, async move { Ok(Summary { by, rows: rows.await? }) })?)
    }

    /// The records that pass, in the order in which they were written.
    ///
    /// Args:
    ///     since: From this time on, a datetime with a time zone.
    ///     until: Before this time.
    ///     tenant: Only this tenant's.
    ///     provider: Only this provider's.
    ///     model: Only this model's.
    ///     tag: Only with this tag.
    ///     limit: The most of them.
    ///     newest_first: In the other order.
    ///
    /// Raises:
    ///     StoreError: The ledger cannot be read.
    #[pyo3(signature = (*, since=None, until=None, tenant=None, provider=None, model=None, tag=None, limit=None,
                        newest_first=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn records(
        &self,
        py: Python<'_>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
        limit: Option<Count>,
        newest_first: bool,
    ) -> Result<Records> {
        let filter = filter(since, until, Narrow { tenant, provider, model, tag })?;
        let limit = optional_count(limit.as_ref(), "limit")?;
        Ok(Records(answer(py, self.core.records(&filter, limit, newest_first))?))
    }

    /// The same as `records`, to be awaited.
    #[pyo3(signature = (*, since=None, until=None, tenant=None, provider=None, model=None, tag=None, limit=None,
                        newest_first=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn arecords<'py>(
        &self,
        py: Python<'py>,
        since: Option<&Bound<'py, PyAny>>,
        until: Option<&Bound<'py, PyAny>>,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
        limit: Option<Count>,
        newest_first: bool,
    ) -> Result<Bound<'py, PyAny>> {
        let filter = filter(since, until, Narrow { tenant, provider, model, tag })?;
        let found = self.core.records(&filter, optional_count(limit.as_ref(), "limit")?, newest_first);
        Ok(crate::awaitable::awaitable(py, async move { Ok(Records(found.await?)) })?)
    }

    /// Forgets the records before a time; how many there were. Budgets keep what they know.
    ///
    /// Args:
    ///     before: A datetime with a time zone.
    ///
    /// Raises:
    ///     StoreError: The ledger cannot be written.
    fn purge(&self, py: Python<'_>, before: &Bound<'_, PyAny>) -> Result<usize> {
        answer(py, self.core.purge(arguments::time(before, "before")?))
    }

    /// The same as `purge`, to be awaited.
    fn apurge<'py>(&self, py: Python<'py>, before: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
        let purged = self.core.purge(arguments::time(before, "before")?);
        Ok(crate::awaitable::awaitable(py, async move { Ok(purged.await?) })?)
    }

    /// Moves all records of a ledger in Redis to one in a file, each once; how many there were.
    ///
    /// Budgets keep what they know. One that was cut off is run again, into the same file.
    ///
    /// Args:
    ///     path: The file; where it is missing it is made.
    ///
    /// Raises:
    ///     ConfigError: The ledger is not in Redis.
    ///     StoreError: Either cannot be written, or another process drains it.
    fn drain(&self, py: Python<'_>, path: std::path::PathBuf) -> Result<usize> {
        let core = self.core.clone();
        answer(py, Deferred::blocking(move || core.drain(&path).wait()))
    }

    /// The same as `drain`, to be awaited.
    fn adrain<'py>(&self, py: Python<'py>, path: std::path::PathBuf) -> Result<Bound<'py, PyAny>> {
        let core = self.core.clone();
        let drained = Deferred::blocking(move || core.drain(&path).wait());
        Ok(crate::awaitable::awaitable(py, async move { Ok(drained.await?) })?)
    }

    /// Writes the records that the ledger could not take yet; how many still wait when the time is over.
    ///
    /// Args:
    ///     timeout: Seconds, or a timedelta; None waits until all are written.
    #[pyo3(signature = (timeout=None))]
    fn flush(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> Result<usize> {
        let patience = timeout.map(|timeout| duration("timeout", timeout)).transpose()?;
        answer(py, self.core.flush(patience))
    }

    /// The same as `flush`, to be awaited.
    #[pyo3(signature = (timeout=None))]
    fn aflush<'py>(&self, py: Python<'py>, timeout: Option<&Bound<'py, PyAny>>) -> Result<Bound<'py, PyAny>> {
        let flushed = self.core.flush(timeout.map(|timeout| duration("timeout", timeout)).transpose()?);
        Ok(crate::awaitable::awaitable(py, async move { Ok(flushed.await?) })?)
    }

    /// Replaces emission factors for the calls that follow; what is recorded keeps its own.
    ///
    /// Args:
    ///     provider: Only for this provider.
    ///     model: Only for this model, without its provider.
    ///     zone: ISO 3166-1 alpha-3 code of the electricity, or `WOR`.
    ///     co2e_g_per_kwh: Carbon intensity of the electricity.
    ///     water_l_per_kwh: Water of the electricity.
    ///     pue: Power usage effectiveness, at least 1.
    ///     wue: Water usage effectiveness on site, in litres a kilowatt-hour.
    ///     total_parameters: All parameters, in billions, or their bounds.
    ///     active_parameters: Active parameters, in billions, or their bounds.
    ///
    /// Raises:
    ///     ValueError: A zone is unknown or a figure impossible.
    #[pyo3(signature = (*, provider=None, model=None, zone=None, co2e_g_per_kwh=None, water_l_per_kwh=None, pue=None,
                        wue=None, total_parameters=None, active_parameters=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn set_emission_factors(
        &self,
        provider: Option<String>,
        model: Option<String>,
        zone: Option<String>,
        co2e_g_per_kwh: Option<f64>,
        water_l_per_kwh: Option<f64>,
        pue: Option<f64>,
        wue: Option<f64>,
        total_parameters: Option<Bounds>,
        active_parameters: Option<Bounds>,
    ) -> Result<()> {
        let (total_parameters, active_parameters) =
            (total_parameters.map(Range::from), active_parameters.map(Range::from));
        Ok(self.core.set_emission_factors(Override {
            provider,
            model,
            zone,
            co2e_g_per_kwh,
            water_l_per_kwh,
            pue,
            wue,
            total_parameters,
            active_parameters,
        })?)
    }

    /// Counts since the tracker was opened: `records`, `estimated`, `refused`, `unknown_footprint`; and `waiting`, the records
    /// that are kept in memory until the ledger can be written.
    fn stats(&self) -> HashMap<&'static str, u64> {
        let stats = self.core.stats();
        HashMap::from([
            ("records", stats.records),
            ("estimated", stats.estimated),
            ("refused", stats.refused),
            ("unknown_footprint", stats.unknown_footprint),
            ("waiting", stats.waiting),
        ])
    }

    fn __repr__(&self) -> String {
        format!("CostTracker(records={})", self.core.stats().records)
    }
}

/// One number, or a low and a high one.
#[derive(FromPyObject)]
enum Bounds {
    Both((f64, f64)),
    One(f64),
}

impl From<Bounds> for Range {
    fn from(bounds: Bounds) -> Self {
        match bounds {
            Bounds::Both((min, max)) => Self { min, max },
            Bounds::One(value) => Self::exactly(value),
        }
    }
}

fn call<'a>(model: &'a str, usage: &'a Usage, time: Option<i64>, outcome: core::Settlement) -> Call<'a> {
    let core::Settlement { cache, latency_s, attempts, is_usage_estimated, told_cost, saved_by_route } = outcome;
    Call { model, usage: &usage.core, time, cache, latency_s, attempts, is_usage_estimated, told_cost, saved_by_route }
}

fn calendar(name: &str) -> Result<Period> {
    match Period::parse(name)? {
        Period::Rolling(_) | Period::Ever => {
            Err(Error::invalid(format!("bucket {name:?} is no span of the calendar: give hour, day, week or month"))
                .into())
        }
        period => Ok(period),
    }
}
