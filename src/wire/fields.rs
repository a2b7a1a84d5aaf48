//! The fields of a JSON object, taken out by name; what is left has no name.

use crate::{Error, Result};
use serde_json::{Map, Value};

/// An object whose fields are taken out one by one. A null is a field that was not given.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where the object stands, as in `messages[2].`; empty for the body itself.
    place: String,
    fields: Map<String, Value>,
}

impl Fields {
    /// The fields of a body.
    pub(super) fn of_body(body: Value) -> Result<Self> {
        Self::of("the body", String::new(), body)
    }

    /// The fields of the object at a place, as in `messages[2]`.
    pub(super) fn at(place: &str, value: Value) -> Result<Self> {
        Self::of(place, format!("{place}."), value)
    }

    fn of(name: &str, place: String, value: Value) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self { place, fields }),
            other => Err(expected(name, &other, "an object")),
        }
    }

    /// Where a field stands, as in `messages[2].content`.
    pub(super) fn place(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    /// The field, whatever it is.
    pub(super) fn any(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    /// The field where it is text; anything else stays.
    pub(super) fn text_or_leave(&mut self, name: &str) -> Option<String> {
        match self.fields.remove(name)? {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => {
                self.fields.insert(name.to_owned(), other);
                None
            }
        }
    }

    pub(super) fn text(&mut self, name: &str, what: &str) -> Result<Option<String>> {
        self.typed(name, what, |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    pub(super) fn needed_text(&mut self, name: &str, what: &str) -> Result<String> {
        self.text(name, what)?.ok_or_else(|| Error::invalid(format!("{} is missing: give {what}", self.place(name))))
    }

    pub(super) fn number(&mut self, name: &str, what: &str) -> Result<Option<f64>> {
        self.typed(name, what, |value| value.as_f64().ok_or(value))
    }

    /// A whole number from 0; `4.0` is one.
    pub(super) fn count(&mut self, name: &str, what: &str) -> Result<Option<u64>> {
        self.typed(name, what, |value| count(&value).ok_or(value))
    }

    /// A whole number.
    pub(super) fn integer(&mut self, name: &str, what: &str) -> Result<Option<i64>> {
        self.typed(name, what, |value| {
            let whole = || count(&value).and_then(|count| i64::try_from(count).ok());
            value.as_i64().or_else(whole).ok_or(value)
        })
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "true or false", |value| value.as_bool().ok_or(value))
    }

    pub(super) fn list(&mut self, name: &str, what: &str) -> Result<Option<Vec<Value>>> {
        self.typed(name, what, |value| match value {
            Value::Array(items) => Ok(items),
            other => Err(other),
        })
    }

    pub(super) fn object(&mut self, name: &str, what: &str) -> Result<Option<Map<String, Value>>> {
        self.typed(name, what, |value| match value {
            Value::Object(fields) => Ok(fields),
            other => Err(other),
        })
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str, what: &str) -> Result<Option<Vec<String>>> {
        self.typed(name, what, |value| {
            let texts =
                value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
            texts.ok_or(value)
        })
    }

    /// Puts a field back that has no name after all.
    pub(super) fn leave(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    /// What has no name.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.fields
    }

    fn typed<T>(&mut self, name: &str, what: &str, read: impl FnOnce(Value) -> Result<T, Value>) -> Result<Option<T>> {
        let Some(value) = self.any(name) else { return Ok(None) };
        read(value).map(Some).map_err(|value| expected(&self.place(name), &value, what))
    }
}

/// What was given in place of what is expected.
pub(super) fn expected(place: &str, given: &Value, what: &str) -> Error {
    Error::invalid(format!("{place} is {}: give {what}", excerpt(&given.to_string(), 60)))
}

/// The beginning of a text.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn count(value: &Value) -> Option<u64> {
    let whole = || value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..9e15).contains(number));
    value.as_u64().or_else(|| whole().map(|number| number as u64))
}
