//! Python's seconds, timedeltas and datetimes as durations.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDelta, PyDeltaAccess, PyFloat};
use std::time::Duration;

/// A finite duration of zero or more, from seconds or a timedelta.
pub(crate) fn duration(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds = if let Ok(seconds) = value.cast_exact::<PyFloat>() {
        // The usual case before those that cost more to tell.
        seconds.value()
    } else if let Ok(delta) = value.cast::<PyDelta>() {
        f64::from(delta.get_days()) * 86_400.0
            + f64::from(delta.get_seconds())
            + f64::from(delta.get_microseconds()) / 1e6
    } else if value.is_instance_of::<PyBool>() {
        return Err(wrong_type(name, value));
    } else {
        value.extract::<f64>().map_err(|_| wrong_type(name, value))?
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        PyValueError::new_err(format!(
            "{name} is {seconds}: give a finite number of seconds, 0 or more, or a timedelta"
        ))
    })
}

/// The same, where None is no limit.
pub(crate) fn timeout(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    value.map(|value| duration("timeout", value)).transpose()
}

/// How long until a moment: seconds or a timedelta from now, or a datetime with a time zone. What is past is zero.
pub(crate) fn until(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let Ok(moment) = value.cast::<PyDateTime>() else { return duration(name, value) };
    if moment.getattr("tzinfo")?.is_none() {
        return Err(PyValueError::new_err(format!(
            "{name} is a datetime without a time zone: give one with tzinfo=, for example datetime.now(timezone.utc)"
        )));
    }
    let at: f64 = moment.call_method0("timestamp")?.extract()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(Duration::try_from_secs_f64(at - now.as_secs_f64()).unwrap_or_default())
}

/// A moment since 1970 as an aware datetime in UTC.
pub(crate) fn datetime(py: Python<'_>, since_1970: Duration) -> PyResult<Bound<'_, PyAny>> {
    let class = py.import("datetime")?;
    let utc = class.getattr("timezone")?.getattr("utc")?;
    class.getattr("datetime")?.call_method1("fromtimestamp", (since_1970.as_secs_f64(), utc))
}

fn wrong_type(name: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
    PyTypeError::new_err(format!("{name} is a {kind}: give seconds (int or float) or a timedelta"))
}
