//! Python values as payloads and back: bytes stay bytes, everything else is JSON.

use bytes::Bytes;
use headrace::Payload;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// Deeper nesting than this is refused, as it would end the stack.
const MAX_DEPTH: usize = 128;

/// The payload for a Python value.
pub(crate) fn from_py(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        // Not copied: the object stays alive as long as the payload. A subclass could run code when it is freed.
        return Ok(Payload::Bytes(Bytes::from_owner(PyBackedBytes::from(bytes.clone()))));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Payload::bytes(bytes.as_bytes()));
    }
    Ok(Payload::from(&json_from_py(value, 0)?))
}

/// The Python value of a payload.
pub(crate) fn to_py<'py>(py: Python<'py>, payload: &Payload) -> PyResult<Bound<'py, PyAny>> {
    match payload {
        Payload::Bytes(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        Payload::Json(text) => {
            let value = serde_json::from_slice(text)
                .map_err(|error| PyValueError::new_err(format!("stored JSON cannot be read: {error}")))?;
            json_to_py(py, &value)
        }
    }
}

/// A JSON value for a Python value; numbers keep every digit.
pub(crate) fn json_from_py(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > MAX_DEPTH {
        return Err(PyValueError::new_err(format!("the value is nested more than {MAX_DEPTH} deep: flatten it")));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::String(text.to_str()?.to_owned()));
    }
    if value.is_instance_of::<PyInt>() {
        let text = value.str()?;
        return Ok(Value::Number(Number::from_string_unchecked(text.to_str()?.to_owned())));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        let float = number.value();
        return Number::from_f64(float)
            .map(Value::Number)
            .ok_or_else(|| PyValueError::new_err(format!("{float} has no JSON form: give a finite number, or None")));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let mut map = Map::with_capacity(dict.len());
        for (key, item) in dict {
            let key = key.cast::<PyString>().map_err(|_| {
                let kind = key.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
                PyTypeError::new_err(format!("a JSON object's key must be a str, not {kind}"))
            })?;
            map.insert(key.to_str()?.to_owned(), json_from_py(&item, depth + 1)?);
        }
        return Ok(Value::Object(map));
    }
    if let Ok(list) = value.cast::<PyList>() {
        return list.iter().map(|item| json_from_py(&item, depth + 1)).collect::<PyResult<_>>().map(Value::Array);
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return tuple.iter().map(|item| json_from_py(&item, depth + 1)).collect::<PyResult<_>>().map(Value::Array);
    }
    Err(PyTypeError::new_err(format!(
        "{} is neither JSON nor bytes: give a dict, list, str, number, bool, None or bytes",
        value.get_type().name()?
    )))
}

/// A Python value for a JSON value.
pub(crate) fn json_to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Number(number) => {
            if let Some(small) = number.as_i64() {
                small.into_pyobject(py)?.into_any()
            } else if number.as_str().contains(['.', 'e', 'E']) {
                PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any()
            } else {
                py.get_type::<PyInt>().call1((number.as_str(),))?
            }
        }
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
