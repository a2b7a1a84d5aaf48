//! Python to JSON text, strictly: exact types only, so that reading gives back an equal value of the same type.

use super::{kind_of, no_float, no_text, too_deep};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::io::Write;

/// How many lists and dicts may lie inside one another.
pub(super) const MAX_DEPTH: usize = 128;

pub(super) fn text_of(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    write(&mut out, value, 0)?;
    Ok(out)
}

/// No Python code runs in here: only exact types of the interpreter are looked into.
fn write(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return write_text(out, text);
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        let depth = deeper(depth)?;
        out.push(b'{');
        for (place, (key, item)) in dict.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            write_text(out, key.cast_exact::<PyString>().map_err(|_| bad_key(&key))?)?;
            out.push(b':');
            write(out, &item, depth)?;
        }
        out.push(b'}');
        return Ok(());
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        let depth = deeper(depth)?;
        out.push(b'[');
        for (place, item) in list.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            write(out, &item, depth)?;
        }
        out.push(b']');
        return Ok(());
    }
    if let Ok(number) = value.cast_exact::<PyInt>() {
        match number.extract::<i64>() {
            Ok(small) => write!(out, "{small}")?,
            Err(_) => out.extend_from_slice(number.str()?.to_str()?.as_bytes()),
        }
        return Ok(());
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        let float = number.value();
        if !float.is_finite() {
            return Err(no_float(float));
        }
        return serde_json::to_writer(out, &float).map_err(|_| no_float(float));
    }
    if let Ok(flag) = value.cast_exact::<PyBool>() {
        out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
        return Ok(());
    }
    if value.is_none() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    Err(refusal(value))
}

fn write_text(out: &mut Vec<u8>, text: &Bound<'_, PyString>) -> PyResult<()> {
    let text = text.to_str().map_err(|_| no_text())?;
    serde_json::to_writer(out, text).map_err(|_| no_text())
}

fn deeper(depth: usize) -> PyResult<usize> {
    if depth == MAX_DEPTH { Err(too_deep(MAX_DEPTH)) } else { Ok(depth + 1) }
}

fn bad_key(key: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("a JSON object's key must be a str, not {}: give str(key)", kind_of(key)))
}

/// Why a value is refused, and what to give in its place.
fn refusal(value: &Bound<'_, PyAny>) -> PyErr {
    let kind = kind_of(value);
    let alike = [
        (value.is_instance_of::<PyTuple>(), "list"),
        (value.is_instance_of::<PyInt>(), "int"),
        (value.is_instance_of::<PyString>(), "str"),
        (value.is_instance_of::<PyFloat>(), "float"),
        (value.is_instance_of::<PyDict>(), "dict"),
        (value.is_instance_of::<PyList>(), "list"),
        (value.is_instance_of::<PyBytes>(), "bytes"),
    ];
    let message = match alike.into_iter().find(|(is_alike, _)| *is_alike) {
        Some((_, plain)) => format!("a {kind} would come back as a {plain}: give a plain {plain}"),
        None => format!("{kind} is neither JSON nor bytes: give a dict, list, str, number, bool, None or bytes"),
    };
    PyTypeError::new_err(message)
}
