//! Budgets from keywords, and as dictionaries.

use super::decimal;
use crate::duration::duration;
use crate::error::Result;
use headrace::Error;
use headrace::cost::budget::{Alert, AlertListener, Budget, BudgetStatus, Fraction, OnExceed, Period, Scope};
use jiff::tz::TimeZone;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDict, PyString};
use std::sync::Arc;

pub(crate) fn zone(name: &str) -> Result<TimeZone> {
    let unknown = || Error::invalid(format!("time zone {name:?} is unknown: give an IANA name such as Europe/Berlin"));
    Ok(TimeZone::get(name).map_err(|_| unknown())?)
}

/// A word such as `month`, which it is where nothing is given, or a timedelta: the time up to now, that long.
pub(crate) fn period(given: Option<&Bound<'_, PyAny>>) -> Result<Period> {
    let Some(given) = given else { return Ok(Period::Month) };
    if let Ok(word) = given.cast::<PyString>() {
        return Ok(Period::parse(word.to_str()?)?);
    }
    if !given.is_instance_of::<PyDelta>() {
        let kind = given.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!(
            "period is a {kind}: give hour, day, week, month, ever, or a timedelta for the time up to now"
        ))
        .into());
    }
    let length = duration("period", given)?;
    if length.subsec_nanos() > 0 {
        return Err(Error::invalid(format!("period is {given}: give whole seconds")).into());
    }
    Ok(Period::parse(&format!("rolling {}s", length.as_secs()))?)
}

/// Parts of the limit at which somebody is told.
pub(crate) fn fractions(given: Option<Vec<Bound<'_, PyAny>>>) -> Result<Vec<Fraction>> {
    let Some(given) = given else {
        return Ok(["0.5", "0.8", "1"].iter().map(|part| part.parse()).collect::<headrace::Result<_>>()?);
    };
    given.iter().map(|part| Ok(part.str()?.to_str()?.parse()?)).collect()
}

pub(crate) fn budget(
    limit: &Bound<'_, PyAny>,
    scope: Scope,
    period: Period,
    timezone: &str,
    on_exceed: &str,
) -> Result<Budget> {
    let (zone, on_exceed) = (zone(timezone)?, OnExceed::parse(on_exceed)?);
    Ok(Budget { scope, period, zone, on_exceed, ..Budget::new(decimal::from_py(limit, "limit")?)? })
}

/// A Python callable as a listener; what it raises is reported as unraisable, as no call is its cause.
pub(crate) fn listener(callback: &Bound<'_, PyAny>) -> Result<AlertListener> {
    if !callback.is_callable() {
        let kind = callback.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!("alerts is a {kind}: give a function of one dictionary")).into());
    }
    let callback = callback.clone().unbind();
    Ok(Arc::new(move |alert: &Alert| {
        Python::attach(|py| {
            let call = || callback.call1(py, (alert_to_py(py, alert)?,));
            if let Err(error) = call() {
                error.write_unraisable(py, Some(callback.bind(py)));
            }
        });
    }))
}

fn alert_to_py<'py>(py: Python<'py>, alert: &Alert) -> PyResult<Bound<'py, PyDict>> {
    let fields = describe(py, &alert.budget, alert.tenant.as_deref())?;
    fields.set_item("fraction", alert.fraction.to_string().parse::<f64>()?)?;
    fields.set_item("spent", decimal::to_py(py, alert.spent)?)?;
    Ok(fields)
}

/// `part_of` is the tenant whose part it is, in a budget for each.
fn describe<'py>(py: Python<'py>, budget: &Budget, part_of: Option<&str>) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("limit", decimal::to_py(py, budget.limit)?)?;
    fields.set_item("tenant", &budget.scope.tenant)?;
    fields.set_item("part_of", part_of)?;
    fields.set_item("provider", &budget.scope.provider)?;
    fields.set_item("model", &budget.scope.model)?;
    fields.set_item("tag", &budget.scope.tag)?;
    fields.set_item("period", budget.period.to_string())?;
    fields.set_item("timezone", budget.zone_name())?;
    fields.set_item("on_exceed", budget.on_exceed.as_str())?;
    Ok(fields)
}

pub(crate) fn status_to_py<'py>(py: Python<'py>, status: &BudgetStatus) -> PyResult<Bound<'py, PyDict>> {
    let fields = describe(py, &status.budget, status.tenant.as_deref())?;
    fields.set_item("spent", decimal::to_py(py, status.taken.spent)?)?;
    fields.set_item("reserved", decimal::to_py(py, status.taken.reserved)?)?;
    fields.set_item("remaining", decimal::to_py(py, status.remaining())?)?;
    Ok(fields)
}
