//! What scripts answer, read by shape: an answer of another shape is another program's.

use crate::{Error, Result};
use redis::Value;

fn strange(value: &Value) -> Error {
    let shape = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::Array(_) => "a list",
        _ => "a text",
    };
    Error::Store(format!(
        "a script answered {shape} where another shape was expected: is another version of headrace at work in this Redis?"
    ))
}

/// A number.
pub(crate) fn int_of(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        other => text_of(other)?.parse().map_err(|_| strange(other)),
    }
}

/// Bytes.
pub(crate) fn bytes_of(value: &Value) -> Result<&[u8]> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.as_bytes()),
        other => Err(strange(other)),
    }
}

/// A text.
pub(crate) fn text_of(value: &Value) -> Result<&str> {
    std::str::from_utf8(bytes_of(value)?).map_err(|_| strange(value))
}

/// A list.
pub(crate) fn list_of(value: &Value) -> Result<&[Value]> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(strange(other)),
    }
}
