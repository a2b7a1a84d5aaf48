//! A piece of an answer.

use super::response::{ToolCall, stop_name};
use crate::error::Result;
use crate::payload::json_to_py;
use headrace::Error;
use headrace::chat::{self, Event};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A piece of an answer.
///
/// It is a value: it can be pickled, compared, and turned into a dict by `to_dict()`.
#[pyclass(frozen, eq, module = "headrace._core.client")]
#[derive(PartialEq)]
pub(crate) struct Chunk {
    piece: Piece,
}

/// What a chunk says, as it is pickled.
#[derive(PartialEq, Default, Serialize, Deserialize)]
struct Piece {
    text: String,
    reasoning: String,
    tool_call: Option<chat::ToolCall>,
    arguments: String,
    choice: u32,
    finish_reason: Option<String>,
    raw: Value,
}

impl Chunk {
    /// The piece that an event is, `raw` in OpenAI's words.
    pub(super) fn of(event: Event, raw: Value) -> Self {
        let mut piece = Piece { raw, ..Piece::default() };
        match event {
            Event::Text { at, text } => (piece.choice, piece.text) = (at.choice, text),
            Event::Reasoning { at, text, .. } => (piece.choice, piece.reasoning) = (at.choice, text),
            Event::ToolCallStart { at, id, name } => {
                let call = chat::ToolCall { id, name, arguments: String::new(), extra: serde_json::Map::new() };
                (piece.choice, piece.tool_call) = (at.choice, Some(call));
            }
            Event::ToolCallDelta { at, arguments } => (piece.choice, piece.arguments) = (at.choice, arguments),
            Event::Refusal { at, .. } | Event::Citation { at, .. } | Event::Part { at, .. } => piece.choice = at.choice,
            Event::Extra { choice, .. } => piece.choice = choice.unwrap_or(0),
            Event::Stop { choice, stop } => {
                (piece.choice, piece.finish_reason) = (choice, Some(stop_name(&stop).to_owned()));
            }
            Event::Start { .. } | Event::Usage(_) | Event::Error(_) => {}
        }
        Self { piece }
    }
}

#[pymethods]
impl Chunk {
    /// The words that it adds; may be empty.
    #[getter]
    fn text(&self) -> &str {
        &self.piece.text
    }

    /// The thoughts that it adds; may be empty.
    #[getter]
    fn reasoning(&self) -> &str {
        &self.piece.reasoning
    }

    /// The tool call that it begins, its arguments still empty; None in any other chunk.
    #[getter]
    fn tool_call(&self) -> Option<ToolCall> {
        self.piece.tool_call.as_ref().map(|call| ToolCall::new(&call.id, &call.name, ""))
    }

    /// The JSON text that it adds to a tool call's arguments; may be empty.
    #[getter]
    fn arguments(&self) -> &str {
        &self.piece.arguments
    }

    /// The choice that it belongs to, from 0.
    #[getter]
    fn choice(&self) -> u32 {
        self.piece.choice
    }

    /// Why the model stopped, in OpenAI's words, in the chunk that says so; None in any other.
    #[getter]
    fn finish_reason(&self) -> Option<&str> {
        self.piece.finish_reason.as_deref()
    }

    /// The chunk in the shape of OpenAI's `chat.completion.chunk`, whatever the provider speaks.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.piece.raw)
    }

    /// All of it but `raw`, as values that JSON has.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let call = self.tool_call().map(|call| call.json());
        let dict = json!({
            "text": self.piece.text, "reasoning": self.piece.reasoning, "tool_call": call, "arguments": self.piece.arguments,
            "choice": self.piece.choice, "finish_reason": self.piece.finish_reason,
        });
        json_to_py(py, &dict)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.piece.text, &self.piece.reasoning, &self.piece.arguments, self.piece.choice, &self.piece.finish_reason)
            .hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let py = slf.py();
        let make = py.get_type::<Self>().getattr("_from_state")?;
        Ok((make, (PyBytes::new(py, &serde_json::to_vec(&slf.get().piece).unwrap_or_default()),)))
    }

    #[classmethod]
    fn _from_state(_class: &Bound<'_, PyType>, state: &[u8]) -> Result<Self> {
        let piece = serde_json::from_slice(state)
            .map_err(|error| Error::invalid(format!("this is no pickled Chunk: {error}")))?;
        Ok(Self { piece })
    }

    fn __str__(&self) -> &str {
        &self.piece.text
    }

    fn __repr__(&self) -> String {
        format!("<Chunk {:?}>", self.piece.text)
    }
}
