//! Keywords that many methods share.

use crate::duration::duration;
use crate::error::Result;
use headrace::Error;
use headrace::cost::budget::Scope;
use headrace::cost::{Attribution, DEFAULT_LEASE, Filter};
use jiff::Timestamp;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyString};
use std::sync::Arc;
use std::time::Duration;

/// Microseconds since 1970 of an aware `datetime`.
pub(crate) fn time(value: &Bound<'_, PyAny>, name: &str) -> PyResult<i64> {
    if let Ok(time) = value.extract::<Timestamp>() {
        return Ok(time.as_microsecond());
    }
    let kind = value.get_type().qualname()?;
    if value.is_instance_of::<PyDateTime>() && !value.getattr("tzinfo")?.is_none() {
        return Err(PyValueError::new_err(format!("{name} is {value}: give a time between the years 1 and 9999")));
    }
    let given = if value.is_instance_of::<PyDateTime>() { " without a time zone" } else { "" };
    Err(PyTypeError::new_err(format!(
        "{name} is a {kind}{given}: give a datetime with a time zone, such as datetime.now(timezone.utc)"
    )))
}

/// A whole number from zero on, as Python gives it; who takes it says its name where it is none.
pub(crate) enum Count {
    /// It is one.
    Good(u64),
    /// What was given in its place.
    Bad(String),
}

impl<'py> FromPyObject<'_, 'py> for Count {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match value.extract() {
            Ok(count) => Ok(Self::Good(count)),
            Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
                Ok(Self::Bad(value.str()?.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}

impl Count {
    /// The number.
    pub(crate) fn named<N: TryFrom<u64>>(&self, name: &str) -> headrace::Result<N> {
        let given = match self {
            Self::Good(count) => match N::try_from(*count) {
                Ok(count) => return Ok(count),
                Err(_) => count.to_string(),
            },
            Self::Bad(given) => given.clone(),
        };
        Err(Error::invalid(format!("{name} is {given}: give a whole number of at least 0 that fits a count")))
    }
}

/// The same, where it may be left out.
pub(crate) fn optional_count<N: TryFrom<u64>>(count: Option<&Count>, name: &str) -> headrace::Result<Option<N>> {
    count.map(|count| count.named(name)).transpose()
}

pub(crate) fn optional_time(value: Option<&Bound<'_, PyAny>>, name: &str) -> PyResult<Option<i64>> {
    value.map(|value| time(value, name)).transpose()
}

pub(crate) fn time_to_py(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    Ok(time.into_pyobject(py)?.into_any())
}

/// A time above zero, in seconds or as a timedelta.
pub(crate) fn lease(value: &Bound<'_, PyAny>, name: &str) -> Result<Duration> {
    let length = duration(name, value)?;
    if length.is_zero() || length.as_secs() >= 1 << 32 {
        return Err(Error::invalid(format!("{name} is {value}: give a finite number of seconds above 0")).into());
    }
    Ok(length)
}

/// The lease of a reservation, where it is given.
pub(crate) fn lease_or_default(value: Option<&Bound<'_, PyAny>>) -> Result<Duration> {
    value.map_or(Ok(DEFAULT_LEASE), |value| lease(value, "lease_seconds"))
}

/// Seconds that a provider took.
pub(crate) fn latency(value: Option<&Bound<'_, PyAny>>) -> Result<Option<f64>> {
    Ok(value.map(|value| duration("latency", value)).transpose()?.map(|length| length.as_secs_f64()))
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
