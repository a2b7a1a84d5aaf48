//! Python to JSON as a request to a provider takes it: what has one obvious JSON form gets it.

use super::{kind_of, no_float, no_text, too_deep};
use crate::client::{Response, ToolCall};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};
use serde_json::{Map, Number, Value};

/// How deep a body may be nested: less than a JSON reader takes, as other parts are put around it.
const MAX_DEPTH: usize = 120;

/// A JSON value for what a caller gives as part of a request; numbers keep every digit.
///
/// A tuple is an array; an enum is its value; a pydantic model is what its `model_dump(mode="json")` gives, without what
/// is None; a response is its message, and a tool call is one of a message's; a dataclass is an object of its fields; a whole number of another library (`__index__`) is a number.
///
/// # Errors
/// `TypeError` for what has no JSON form and for a key that is no text, `ValueError` for NaN, a lone surrogate, or
/// nesting deeper than 120.
pub(crate) fn body_from_py(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert(value, 0)
}

fn convert(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if value.is_none() {
        return Ok(Value::Null);
    }
    if depth > MAX_DEPTH {
        return Err(too_deep(MAX_DEPTH));
    }
    if is_enum(value)? {
        return convert(&value.getattr(intern!(value.py(), "value"))?, depth + 1);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::String(text_of(text)?));
    }
    if value.is_instance_of::<PyInt>() {
        return whole_number(value);
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        let float = number.value();
        return Number::from_f64(float).map(Value::Number).ok_or_else(|| no_float(float));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let mut map = Map::with_capacity(dict.len());
        // A copy: what runs below may change the dict.
        for pair in dict.items() {
            let (key, item): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            map.insert(key_of(&key)?, convert(&item, depth + 1)?);
        }
        return Ok(Value::Object(map));
    }
    if let Ok(list) = value.cast::<PyList>() {
        return list.iter().map(|item| convert(&item, depth + 1)).collect::<PyResult<_>>().map(Value::Array);
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return tuple.iter().map(|item| convert(&item, depth + 1)).collect::<PyResult<_>>().map(Value::Array);
    }
    object(value, depth)
}

/// What is none of JSON's own types.
fn object(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let py = value.py();
    // A class has the methods of its instances as well: those are meant, not it.
    if !value.is_instance_of::<PyType>() {
        if let Ok(response) = value.cast::<Response>() {
            return Ok(response.get().message_json());
        }
        if let Ok(call) = value.cast::<ToolCall>() {
            return Ok(call.get().json());
        }
        if let Ok(dump) = value.getattr(intern!(py, "model_dump")) {
            let options = PyDict::new(py);
            options.set_item("mode", "json")?;
            options.set_item("exclude_none", true)?;
            return convert(&dump.call((), Some(&options))?, depth + 1);
        }
        if value.hasattr(intern!(py, "__dataclass_fields__"))? {
            static FIELDS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let mut map = Map::new();
            for field in FIELDS.import(py, "dataclasses", "fields")?.call1((value,))?.try_iter()? {
                let name = field?.getattr(intern!(py, "name"))?.cast_into::<PyString>()?;
                map.insert(text_of(&name)?, convert(&value.getattr(&name)?, depth + 1)?);
            }
            return Ok(Value::Object(map));
        }
        if value.hasattr(intern!(py, "__index__"))? {
            return whole_number(value);
        }
    }
    Err(PyTypeError::new_err(format!(
        "{} has no JSON form: give a dict, list, str, number, bool, None, enum, dataclass or pydantic model",
        kind_of(value)
    )))
}

/// A number by its value: a subclass may print itself as it likes.
fn whole_number(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    static INDEX: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if let Ok(small) = value.extract::<i64>() {
        return Ok(Value::Number(small.into()));
    }
    let plain = INDEX.import(value.py(), "operator", "index")?.call1((value,))?;
    let digits = value.py().get_type::<PyInt>().getattr("__repr__")?.call1((plain,))?;
    Ok(Value::Number(Number::from_string_unchecked(digits.extract()?)))
}

fn key_of(key: &Bound<'_, PyAny>) -> PyResult<String> {
    if is_enum(key)? {
        return key_of(&key.getattr(intern!(key.py(), "value"))?);
    }
    let text = key.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!("a JSON object's key must be a str, not {}: give str(key)", kind_of(key)))
    })?;
    text_of(text)
}

fn text_of(text: &Bound<'_, PyString>) -> PyResult<String> {
    text.to_str().map(str::to_owned).map_err(|_| no_text())
}

fn is_enum(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static ENUM: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    value.is_instance(ENUM.import(value.py(), "enum", "Enum")?)
}
