//! Keywords that many methods share.

use crate::error::Result;
use headrace::Error;
use headrace::cost::budget::Scope;
use headrace::cost::{Attribution, Filter};
use jiff::Timestamp;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::sync::Arc;
use std::time::Duration;

/// Microseconds since 1970 of an aware `datetime`.
pub(crate) fn time(value: &Bound<'_, PyAny>, name: &str) -> PyResult<i64> {
    let time: Timestamp = value.extract().map_err(|_| {
        PyTypeError::new_err(format!(
            "{name} is not a datetime with a time zone: give datetime.now(timezone.utc) or the like"
        ))
    })?;
    Ok(time.as_microsecond())
}

pub(crate) fn optional_time(value: Option<&Bound<'_, PyAny>>, name: &str) -> PyResult<Option<i64>> {
    value.map(|value| time(value, name)).transpose()
}

pub(crate) fn time_to_py(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    Ok(time.into_pyobject(py)?.into_any())
}

/// Seconds, finite and above zero.
pub(crate) fn seconds(value: f64, name: &str) -> Result<Duration> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|duration| !duration.is_zero() && duration.as_secs() < 1 << 32)
        .ok_or_else(|| Error::invalid(format!("{name} is {value}: give a finite number of seconds above 0")).into())
}

/// Tags from a list, a tuple or a set of strings; one string is refused, as it would be read as letters.
pub(crate) fn attribution(tenant: &str, tags: Option<&Bound<'_, PyAny>>) -> Result<Arc<Attribution>> {
    let mut found: Vec<String> = Vec::new();
    if let Some(tags) = tags {
        if tags.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err("tags is one string: give a list of strings").into());
        }
        for tag in tags.try_iter()? {
            found.push(tag?.extract()?);
        }
    }
    Ok(Arc::new(Attribution::new(tenant, found)?))
}

/// Keywords that say which records are meant.
#[derive(Default)]
pub(crate) struct Narrow {
    pub(crate) tenant: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) tag: Option<String>,
}

pub(crate) fn filter(
    since: Option<&Bound<'_, PyAny>>,
    until: Option<&Bound<'_, PyAny>>,
    narrow: Narrow,
) -> Result<Filter> {
    let Narrow { tenant, provider, model, tag } = narrow;
    Ok(Filter {
        since: optional_time(since, "since")?,
        until: optional_time(until, "until")?,
        scope: Scope { tenant, provider, model, tag },
    })
}
