//! A response: what was answered, where it came from, what it cost.

use crate::cost::{decimal, usage::Usage};
use crate::error::Result;
use crate::payload::json_to_py;
use headrace::Error;
use headrace::chat::{self, Reply, Stop};
use headrace::client as core;
use headrace::cost::CacheUse;
use headrace::cost::money::Money;
use headrace::usage;
use headrace::wire::{Protocol, openai_chat};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// An answer, with where it came from and what it cost.
///
/// It is a value: it can be pickled, compared, and turned into a dict by `to_dict()` or `dict(response)`.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct Response {
    pub(crate) core: core::Response,
    parsed: Option<Py<PyAny>>,
}

impl From<core::Response> for Response {
    fn from(core: core::Response) -> Self {
        Self { core, parsed: None }
    }
}

/// The fields of a dict, in their order.
const FIELDS: [&str; 14] = [
    "text",
    "reasoning",
    "refusal",
    "tool_calls",
    "finish_reason",
    "usage",
    "cost",
    "saved_cost",
    "estimated",
    "cache",
    "similarity",
    "provider",
    "model",
    "attempts",
];

#[pymethods]
impl Response {
    /// The words of the first choice; empty where the model said none.
    #[getter]
    fn text(&self) -> String {
        self.core.text()
    }

    /// The thoughts of the model, where the provider shows them; else empty.
    #[getter]
    fn reasoning(&self) -> String {
        self.first().map(chat::Choice::reasoning).unwrap_or_default()
    }

    /// The words in which the model declined; None where it did not.
    #[getter]
    fn refusal(&self) -> Option<String> {
        let words = self.first()?.parts.iter().filter_map(|part| match part {
            chat::Part::Refusal { text } => Some(text.as_str()),
            _ => None,
        });
        Some(words.collect::<String>()).filter(|words| !words.is_empty())
    }

    /// The tools that the model asks for, in its order.
    #[getter]
    fn tool_calls(&self) -> Vec<ToolCall> {
        self.first()
            .into_iter()
            .flat_map(chat::Choice::tool_calls)
            .map(|call| ToolCall { core: call.clone() })
            .collect()
    }

    /// The words of every choice, where several were asked for by `n=`.
    #[getter]
    fn texts(&self) -> Vec<String> {
        self.core.reply.choices.iter().map(chat::Choice::text).collect()
    }

    /// Why the model stopped, in OpenAI's words (`stop`, `length`, `tool_calls`, `content_filter`); None where it is not told.
    #[getter]
    fn finish_reason(&self) -> Option<String> {
        self.first()?.stop.as_ref().map(|stop| stop_name(stop).to_owned())
    }

    /// The answer as what was asked for by `response_format`: an instance of the pydantic model, or the JSON read; None where
    /// no form was asked for, or the answer is not of it.
    #[getter]
    fn parsed(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.parsed.as_ref().map(|parsed| parsed.clone_ref(py))
    }

    fn _with_parsed(&self, parsed: Py<PyAny>) -> Self {
        Self { core: self.core.clone(), parsed: Some(parsed) }
    }

    /// What the call used; of a cached answer, what it used when it was made.
    #[getter]
    fn usage(&self) -> Usage {
        Usage { core: self.core.usage }
    }

    /// What it cost now, in dollars: nothing from the cache.
    #[getter]
    fn cost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.cost)
    }

    /// What the cache or the choice of a route saved, in dollars.
    #[getter]
    fn saved_cost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.saved)
    }

    /// Whether usage or price were estimated, since the provider told no usage or no price is known.
    #[getter]
    fn estimated(&self) -> bool {
        self.core.estimated
    }

    /// `exact` or `semantic` where the cache answered, or an equal call at the same time; else None.
    #[getter]
    fn cache(&self) -> Option<&'static str> {
        self.core.cache.as_str()
    }

    /// How near the cached question is, from 0 to 1, for an answer by similarity; else None.
    #[getter]
    fn similarity(&self) -> Option<f32> {
        self.core.similarity
    }

    /// The provider that answered.
    #[getter]
    fn provider(&self) -> &str {
        &self.core.provider
    }

    /// The model that answered, as `provider/model`.
    #[getter]
    fn model(&self) -> &str {
        &self.core.model
    }

    /// How often a provider was asked for it, retries and fallbacks in it; 0 from the cache.
    #[getter]
    fn attempts(&self) -> u32 {
        self.core.attempts
    }

    /// Seconds that it waited for its turns in the queue.
    #[getter]
    fn waited(&self) -> f64 {
        self.core.waited.as_secs_f64()
    }

    /// The provider's whole reply, in the JSON of its protocol; of a stream, as it would have come whole.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.core.reply.raw)
    }

    /// The first choice as a message of OpenAI's, to go on with: `[*messages, r.message, {"role": "tool", ...}]`.
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.message_json())
    }

    /// All of it but `raw`, as values that JSON has: amounts of money are texts.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for name in FIELDS {
            dict.set_item(name, self.field(py, name)?)?;
        }
        dict.set_item("waited", self.waited())?;
        Ok(dict)
    }

    fn keys(&self) -> Vec<&'static str> {
        FIELDS.into_iter().chain(["waited"]).collect()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.to_dict(py)?.get_item(name)? {
            Some(value) => Ok(value),
            None => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.state() == other.get().state())
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (self.core.text(), &self.core.model, self.core.cost.attodollars()).hash(&mut hasher);
        hasher.finish()
    }

    #[expect(clippy::type_complexity, reason = "what pickle asks for")]
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>, Option<Py<PyAny>>))> {
        let py = slf.py();
        let make = py.get_type::<Self>().getattr("_from_state")?;
        Ok((make, (PyBytes::new(py, &slf.get().state()), slf.get().parsed(py))))
    }

    #[classmethod]
    fn _from_state(_class: &Bound<'_, PyType>, state: &[u8], parsed: Option<Py<PyAny>>) -> Result<Self> {
        let state: State<Reply> = serde_json::from_slice(state)
            .map_err(|error| Error::invalid(format!("this is no pickled Response: {error}")))?;
        Ok(Self { core: state.into_core()?, parsed })
    }

    fn __str__(&self) -> String {
        self.core.text()
    }

    fn __repr__(&self) -> String {
        let core = &self.core;
        let start: String = core.text().chars().take(60).collect();
        let source = core.cache.as_str().map_or_else(|| core.provider.clone(), |kind| format!("{kind} cache"));
        format!("<Response {start:?} from {source}, {} USD>", core.cost)
    }
}

impl Response {
    fn first(&self) -> Option<&chat::Choice> {
        self.core.reply.choices.first()
    }

    /// The first choice as a message of OpenAI's chat.
    pub(crate) fn message_json(&self) -> serde_json::Value {
        let mut written = openai_chat::PROTOCOL.write_reply(&self.core.reply);
        written.pointer_mut("/choices/0/message").map(serde_json::Value::take).unwrap_or_default()
    }

    fn field<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let as_json = |value: serde_json::Value| json_to_py(py, &value);
        match name {
            "text" => as_json(self.text().into()),
            "reasoning" => as_json(self.reasoning().into()),
            "refusal" => as_json(self.refusal().into()),
            "tool_calls" => as_json(self.tool_calls().iter().map(ToolCall::json).collect()),
            "finish_reason" => as_json(self.finish_reason().into()),
            "usage" => as_json(serde_json::to_value(self.core.usage).unwrap_or_default()),
            "cost" => as_json(self.core.cost.to_string().into()),
            "saved_cost" => as_json(self.core.saved.to_string().into()),
            "estimated" => as_json(self.core.estimated.into()),
            "cache" => as_json(self.cache().into()),
            "similarity" => as_json(self.core.similarity.into()),
            "provider" => as_json(self.core.provider.clone().into()),
            "model" => as_json(self.core.model.clone().into()),
            _ => as_json(self.core.attempts.into()),
        }
    }

    fn state(&self) -> Vec<u8> {
        serde_json::to_vec(&State::of(&self.core)).unwrap_or_default()
    }
}

/// A response as it is pickled.
#[derive(Serialize, Deserialize)]
struct State<R> {
    reply: R,
    usage: usage::Usage,
    cost: String,
    saved: String,
    estimated: bool,
    cache: Option<String>,
    similarity: Option<f32>,
    provider: String,
    model: String,
    attempts: u32,
    waited: f64,
}

impl<'a> State<&'a Reply> {
    fn of(core: &'a core::Response) -> Self {
        Self {
            reply: &core.reply,
            usage: core.usage,
            cost: core.cost.to_string(),
            saved: core.saved.to_string(),
            estimated: core.estimated,
            cache: core.cache.as_str().map(str::to_owned),
            similarity: core.similarity,
            provider: core.provider.clone(),
            model: core.model.clone(),
            attempts: core.attempts,
            waited: core.waited.as_secs_f64(),
        }
    }
}

impl State<Reply> {
    fn into_core(self) -> headrace::Result<core::Response> {
        Ok(core::Response {
            reply: Arc::new(self.reply),
            usage: self.usage,
            cost: self.cost.parse::<Money>()?,
            saved: self.saved.parse::<Money>()?,
            estimated: self.estimated,
            cache: self.cache.as_deref().and_then(CacheUse::parse).unwrap_or_default(),
            similarity: self.similarity,
            provider: self.provider,
            model: self.model,
            attempts: self.attempts,
            waited: Duration::try_from_secs_f64(self.waited).unwrap_or_default(),
        })
    }
}

/// A tool that the model asks for.
#[pyclass(frozen, module = "headrace._core.client")]
#[derive(Clone)]
pub(crate) struct ToolCall {
    core: chat::ToolCall,
}

impl ToolCall {
    pub(super) fn new(id: &str, name: &str, arguments: &str) -> Self {
        let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
        Self { core: chat::ToolCall { id, name, arguments, extra: serde_json::Map::new() } }
    }

    /// As OpenAI's messages have it.
    pub(crate) fn json(&self) -> serde_json::Value {
        let function = serde_json::json!({"name": self.core.name, "arguments": self.core.arguments});
        serde_json::json!({"id": self.core.id, "type": "function", "function": function})
    }
}

#[pymethods]
impl ToolCall {
    #[new]
    fn py_new(id: &str, name: &str, arguments: &str) -> Self {
        Self::new(id, name, arguments)
    }

    /// The id under which the tool's result is told.
    #[getter]
    fn id(&self) -> &str {
        &self.core.id
    }

    /// The tool.
    #[getter]
    fn name(&self) -> &str {
        &self.core.name
    }

    /// As a message of OpenAI's has it: `{"id", "type", "function": {"name", "arguments"}}`.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.json())
    }

    /// The arguments as JSON text, as the model wrote it.
    #[getter]
    fn arguments(&self) -> &str {
        &self.core.arguments
    }

    /// The arguments, read.
    ///
    /// Raises:
    ///     ValueError: the model wrote no JSON.
    fn parse<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let value = serde_json::from_str(&self.core.arguments)
            .map_err(|error| Error::invalid(format!("the arguments of {} are no JSON: {error}", self.core.name)))?;
        Ok(json_to_py(py, &value)?)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.core == other.get().core)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.core.id, &self.core.name, &self.core.arguments).hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (String, String, String)) {
        let core = &slf.get().core;
        (slf.get_type(), (core.id.clone(), core.name.clone(), core.arguments.clone()))
    }

    fn __repr__(&self) -> String {
        format!("<ToolCall {} {}({})>", self.core.id, self.core.name, self.core.arguments)
    }
}

/// The word of OpenAI's chat completions.
pub(super) fn stop_name(stop: &Stop) -> &str {
    match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::ToolCalls => "tool_calls",
        Stop::ContentFilter => "content_filter",
        Stop::Refusal => "refusal",
        Stop::Cancelled => "cancelled",
        Stop::Error => "error",
        Stop::Unknown(word) => word,
    }
}
