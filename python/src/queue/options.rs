//! What a caller may set, as the core takes it.

use crate::duration::{duration, until};
use crate::error::Result;
use crate::payload;
use headrace::Payload;
use headrace::queue::{LimitRule, LimitScope, Priority, PutOptions};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyList, PyString};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn priority(value: Option<&Bound<'_, PyAny>>) -> Result<Priority> {
    let Some(value) = value else { return Ok(Priority::default()) };
    if let Ok(name) = value.cast::<PyString>() {
        return Ok(Priority::from_name(name.to_str()?)?);
    }
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        let index = value.extract::<i64>().unwrap_or(i64::MAX);
        return Ok(Priority::from_index(index)?);
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("priority is a {kind}: give critical, high, normal or low, or 0 to 3")).into())
}

#[derive(FromPyObject)]
pub(super) struct Limit<'py> {
    #[pyo3(item)]
    scope: Bound<'py, PyAny>,
    #[pyo3(item)]
    concurrency: Option<u64>,
    #[pyo3(item)]
    requests_per_minute: Option<u64>,
    #[pyo3(item)]
    tokens_per_minute: Option<u64>,
}

impl Limit<'_> {
    pub(super) fn rule(&self) -> PyResult<LimitRule> {
        let (kind, name): (String, String) = self.scope.extract()?;
        let name: Arc<str> = Arc::from(name);
        let scope = match kind.as_str() {
            "provider" => LimitScope::Provider(name),
            "model" => LimitScope::Model(name),
            "tenant" => LimitScope::Tenant(name),
            _ => LimitScope::Global,
        };
        Ok(LimitRule {
            scope,
            concurrency: self.concurrency,
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
        })
    }
}

pub(super) fn options(
    given: Option<&Bound<'_, PyAny>>,
    tenant: Option<&str>,
    delay: Option<&Bound<'_, PyAny>>,
    deadline: Option<&Bound<'_, PyAny>>,
    key: Option<&str>,
    max_attempts: Option<i64>,
) -> Result<PutOptions> {
    if tenant == Some("") {
        return Err(PyValueError::new_err("tenant is empty: give a name, or leave it out").into());
    }
    Ok(PutOptions {
        priority: priority(given)?,
        tenant: tenant.filter(|tenant| *tenant != "default").map(Arc::from),
        delay: delay.map_or(Ok(Duration::ZERO), |delay| duration("delay", delay))?,
        deadline: deadline.map(|deadline| until("deadline", deadline)).transpose()?,
        key: key.map(Arc::from),
        max_attempts: max_attempts.map(attempts).transpose()?,
        ..PutOptions::default()
    })
}

pub(super) fn attempts(value: i64) -> Result<u32> {
    u32::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| PyValueError::new_err(format!("max_attempts is {value}: give 1 or more")).into())
}

/// A bound; the core refuses zero with what to do.
pub(super) fn bound(name: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value)
        .map_err(|_| PyValueError::new_err(format!("{name} is {value}: give 1 or more, or None for no bound")))
}

pub(super) fn positive(name: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| PyValueError::new_err(format!("{name} is {value}: give 1 or more")))
}

pub(super) fn all_payloads(payloads: &Bound<'_, PyAny>) -> PyResult<Vec<Payload>> {
    if let Ok(list) = payloads.cast_exact::<PyList>() {
        // A list tells its length, and gives its items without an iterator.
        return list.iter().map(|payload| payload::from_py(&payload)).collect();
    }
    payloads.try_iter()?.map(|payload| payload::from_py(&payload?)).collect()
}
