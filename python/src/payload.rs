//! Python values as payloads and back: bytes stay bytes, everything else is JSON.
//!
//! Two ways lead from Python to JSON. [`from_py`] is strict: what it takes comes back equal and of the same type, and
//! all else is refused. It serves what a user stores and reads again. [`body_from_py`] is lenient: it serves what goes
//! to a provider, where a tuple is as good as a list and an enum means its value.

mod body;
mod read;
mod write;

pub(crate) use body::body_from_py;

use bytes::Bytes;
use headrace::Payload;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};
use serde_json::Value;

/// The payload for a Python value that comes back as it goes in.
///
/// # Errors
/// `TypeError` for a type that JSON would change (a tuple, an enum, a key that is no text, a subclass), `ValueError`
/// for a value that it has no form for (NaN, a lone surrogate, nesting deeper than 128).
pub(crate) fn from_py(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        // Not copied: the object stays alive as long as the payload.
        return Ok(Payload::Bytes(Bytes::from_owner(PyBackedBytes::from(bytes.clone()))));
    }
    Ok(Payload::Json(write::text_of(value)?.into()))
}

/// The Python value of a payload.
pub(crate) fn to_py<'py>(py: Python<'py>, payload: &Payload) -> PyResult<Bound<'py, PyAny>> {
    match payload {
        Payload::Bytes(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        Payload::Json(text) => read::value_of(py, text),
    }
}

/// A Python value for a JSON value.
pub(crate) fn json_to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Number(number) => number_to_py(py, number.as_str())?,
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(json_to_py(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => {
            let dict = PyDict::new(py);
            for (key, item) in map {
                dict.set_item(key, json_to_py(py, item)?)?;
            }
            dict.into_any()
        }
    })
}

/// An int where the text is one, of any length; else a float.
fn number_to_py<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    if text.contains(['.', 'e', 'E']) {
        let number: f64 = text.parse().map_err(|_| unreadable(&format!("{text:?} is no number")))?;
        return Ok(PyFloat::new(py, number).into_any());
    }
    match text.parse::<i64>() {
        Ok(small) => Ok(small.into_pyobject(py)?.into_any()),
        Err(_) => py.get_type::<PyInt>().call1((text,)),
    }
}

fn unreadable(why: &str) -> PyErr {
    PyValueError::new_err(format!("stored JSON cannot be read: {why}"))
}

fn no_float(float: f64) -> PyErr {
    PyValueError::new_err(format!("{float} has no JSON form: give a finite number, or None"))
}

fn no_text() -> PyErr {
    PyValueError::new_err("a str has a lone surrogate, which UTF-8 cannot carry: encode it to bytes, or replace it")
}

fn too_deep(most: usize) -> PyErr {
    PyValueError::new_err(format!("the value is nested more than {most} deep: flatten it"))
}

fn kind_of(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string())
}
