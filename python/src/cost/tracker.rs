//! The cost tracker.

use super::arguments::{self, Count, Narrow, attribution, filter, optional_count, optional_time, time_to_py};
use super::price::{Fallback, PriceTable};
use super::record::{CostRecord, settlement};
use super::reservation::Reservation;
use super::usage::{self, Usage};
use super::{budget, carbon, decimal};
use crate::duration::duration;
use crate::error::Result;
use crate::{log, runtime};
use headrace::Error;
use headrace::cost::budget::{Budget, Period, Scope};
use headrace::cost::carbon::{Override, Range};
use headrace::cost::money::Money;
use headrace::cost::{self as core, Aggregate, Attribution, Call, Deferred, Dimension, Filter};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::HashMap;
use std::sync::Arc;

/// Prices calls, keeps budgets, writes the ledger.
#[pyclass(frozen, subclass, module = "headrace._core.cost")]
pub(crate) struct CostTracker {
    pub(crate) core: core::CostTracker,
    /// Who is met again and again: tenants without tags.
    tenants: Mutex<HashMap<String, Arc<Attribution>>>,
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

impl CostTracker {
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
        Ok(Self { core, tenants: Mutex::default() })
    }

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

    fn budgets<'py>(&self, py: Python<'py>) -> Result<Vec<Bound<'py, PyDict>>> {
        let found = py.detach(|| self.core.budgets())?;
        Ok(found.iter().map(|status| budget::status_to_py(py, status)).collect::<PyResult<_>>()?)
    }

    #[getter]
    fn total<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let total = py.detach(|| self.core.total(&Filter::default()))?;
        Ok(decimal::to_py(py, total)?)
    }

    #[pyo3(signature = (by=None, *, since=None, until=None, bucket=None, timezone="UTC", tenant=None, provider=None,
                        model=None, tag=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn summary<'py>(
        &self,
        py: Python<'py>,
        by: Option<Vec<String>>,
        since: Option<&Bound<'py, PyAny>>,
        until: Option<&Bound<'py, PyAny>>,
        bucket: Option<&str>,
        timezone: &str,
        tenant: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        tag: Option<String>,
    ) -> Result<Vec<Bound<'py, PyDict>>> {
        let by = by.unwrap_or_else(|| vec!["provider".into(), "model".into()]);
        let dimensions = by.iter().map(|name| Dimension::parse(name)).collect::<headrace::Result<Vec<_>>>()?;
        let filter = filter(since, until, Narrow { tenant, provider, model, tag })?;
        let span = match bucket {
            Some(name) => Some((calendar(name)?, budget::zone(timezone)?)),
            None => None,
        };
        let groups = py.detach(|| self.core.summary(&dimensions, &filter, span))?;
        let row = |group: &core::SummaryRow| {
            let fields = PyDict::new(py);
            if let Some(start) = group.start {
                fields.set_item("start", time_to_py(py, start)?)?;
            }
            for (name, key) in by.iter().zip(&group.keys) {
                fields.set_item(name, key)?;
            }
            sum_to_py(&fields, &group.sum)?;
            Ok(fields)
        };
        Ok(groups.iter().map(row).collect::<PyResult<_>>()?)
    }

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
    ) -> Result<Vec<CostRecord>> {
        let filter = filter(since, until, Narrow { tenant, provider, model, tag })?;
        let limit = optional_count(limit.as_ref(), "limit")?;
        let found = py.detach(|| self.core.records(&filter, limit, newest_first))?;
        Ok(found.into_iter().map(|core| CostRecord { core }).collect())
    }

    fn purge(&self, py: Python<'_>, before: &Bound<'_, PyAny>) -> Result<usize> {
        let before = arguments::time(before, "before")?;
        Ok(py.detach(|| self.core.purge(before))?)
    }

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

    fn stats(&self) -> HashMap<&'static str, u64> {
        let stats = self.core.stats();
        HashMap::from([
            ("records", stats.records),
            ("estimated", stats.estimated),
            ("refused", stats.refused),
            ("unknown_footprint", stats.unknown_footprint),
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
    let core::Settlement { cache, latency_s, attempts, is_usage_estimated, told_cost } = outcome;
    Call { model, usage: &usage.core, time, cache, latency_s, attempts, is_usage_estimated, told_cost }
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

fn sum_to_py(fields: &Bound<'_, PyDict>, sum: &Aggregate) -> PyResult<()> {
    let py = fields.py();
    fields.set_item("calls", sum.calls)?;
    fields.set_item("cache_hits", sum.cache_hits)?;
    fields.set_item("estimated_calls", sum.estimated)?;
    fields.set_item("input_tokens", sum.input_tokens)?;
    fields.set_item("cached_input_tokens", sum.cached_input_tokens)?;
    fields.set_item("output_tokens", sum.output_tokens)?;
    fields.set_item("cost", decimal::to_py(py, sum.cost)?)?;
    fields.set_item("saved", decimal::to_py(py, sum.saved)?)?;
    fields.set_item("energy_wh", carbon::range_to_py(py, sum.energy_wh)?)?;
    fields.set_item("co2e_g", carbon::range_to_py(py, sum.co2e_g)?)?;
    fields.set_item("avoided_co2e_g", carbon::range_to_py(py, sum.avoided_co2e_g)?)?;
    fields.set_item("calls_of_unknown_footprint", sum.unknown_footprint)
}
