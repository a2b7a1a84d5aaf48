//! The client for Python.

use crate::awaitable::awaitable;
use crate::cost::{decimal, usage::Usage};
use crate::duration::timeout;
use crate::error::Result;
use crate::payload::{body_from_py, json_to_py};
use crate::provider::provider;
use crate::runtime::wait;
use headrace::Error;
use headrace::client::{self as core, ChatCall, ClientConfig, Embeddings, Reply, StreamChunk};
use headrace::provider::{BreakerConfig, RetryPolicy};
use numpy::PyArray2;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Client>()?;
    module.add_class::<Response>()?;
    module.add_class::<ChatStream>()?;
    module.add_class::<Chunk>()
}

/// The client; `headrace.Client` adds defaults, the asyncio twins and `map`.
#[pyclass(frozen, subclass, module = "headrace._core.client")]
pub(crate) struct Client {
    client: core::Client,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (providers, *, cache, queue, costs, fallbacks, max_attempts))]
    fn new(
        providers: Vec<Bound<'_, PyAny>>,
        cache: Option<PyRef<'_, crate::cache::SemanticCache>>,
        queue: PyRef<'_, crate::queue::RequestQueue>,
        costs: PyRef<'_, crate::cost::tracker::CostTracker>,
        fallbacks: HashMap<String, Vec<String>>,
        max_attempts: u32,
    ) -> Result<Self> {
        let client = core::Client::new(ClientConfig {
            providers: providers.iter().map(provider).collect::<PyResult<_>>()?,
            cache: cache.map(|cache| cache.core.clone()),
            queue: queue.queue.clone(),
            costs: costs.core.clone(),
            fallbacks,
            retry: RetryPolicy { max_attempts, ..RetryPolicy::default() },
            breaker: BreakerConfig::default(),
        })?;
        Ok(Self { client })
    }

    fn _chat(&self, py: Python<'_>, call: &Bound<'_, PyDict>) -> Result<Response> {
        let (call, client) = (chat_call(call)?, self.client.clone());
        let reply = wait(py, async move { Ok(client.chat(call).await?) })?;
        Ok(Response { reply })
    }

    fn _achat<'py>(&self, py: Python<'py>, call: &Bound<'py, PyDict>) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (chat_call(call)?, self.client.clone());
        Ok(awaitable(py, async move { Ok(Response { reply: client.chat(call).await? }) })?)
    }

    fn _stream(&self, py: Python<'_>, call: &Bound<'_, PyDict>) -> Result<ChatStream> {
        let (call, client) = (chat_call(call)?, self.client.clone());
        let stream = wait(py, async move { Ok(client.stream(call).await?) })?;
        Ok(ChatStream { stream: Arc::new(tokio::sync::Mutex::new(stream)) })
    }

    fn _astream<'py>(&self, py: Python<'py>, call: &Bound<'py, PyDict>) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (chat_call(call)?, self.client.clone());
        Ok(awaitable(py, async move {
            let stream = client.stream(call).await?;
            Ok(ChatStream { stream: Arc::new(tokio::sync::Mutex::new(stream)) })
        })?)
    }

    fn _embed<'py>(&self, py: Python<'py>, texts: Vec<String>, call: &Bound<'py, PyDict>) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (chat_call(call)?, self.client.clone());
        let made = wait(py, async move { Ok(client.embed(&call.model, &texts, &call).await?) })?;
        embeddings(py, &made)
    }

    fn _aembed<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        call: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (chat_call(call)?, self.client.clone());
        Ok(awaitable(py, async move {
            let made = client.embed(&call.model, &texts, &call).await?;
            Python::attach(|py| Ok(embeddings(py, &made)?.unbind()))
        })?)
    }

    #[getter]
    fn models(&self) -> Vec<String> {
        self.client.models()
    }

    #[getter]
    fn _provider_names(&self) -> Vec<String> {
        self.client.providers().into_iter().map(str::to_owned).collect()
    }
}

fn embeddings<'py>(py: Python<'py>, made: &Embeddings) -> Result<Bound<'py, PyAny>> {
    let array = PyArray2::from_vec2(py, &made.vectors)
        .map_err(|_| Error::Embedding("the provider gave vectors of different lengths: ask again".into()))?;
    Ok(array.into_any())
}

/// The keywords of a call, as the Python package collects them.
fn chat_call(given: &Bound<'_, PyDict>) -> Result<ChatCall> {
    let item = |name: &str| -> PyResult<Bound<'_, PyAny>> {
        given.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("{name} is missing")))
    };
    let messages = match item("messages")? {
        text if text.is_instance_of::<PyString>() => {
            vec![json!({"role": "user", "content": text.extract::<String>()?})]
        }
        list => match body_from_py(&list)? {
            Value::Array(messages) => messages,
            _ => return Err(PyTypeError::new_err("messages is neither a text nor a list of role/content dicts").into()),
        },
    };
    let parameters = match body_from_py(&item("params")?)? {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    };
    let tags = item("tags")?;
    if tags.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("tags is one string: give a list of strings").into());
    }
    let limit = item("timeout")?;
    Ok(ChatCall {
        model: item("model")?.extract()?,
        messages,
        parameters,
        priority: crate::queue::priority(Some(&item("priority")?))?,
        tenant: Arc::from(item("tenant")?.extract::<String>()?),
        tags: tags.try_iter()?.map(|tag| tag?.extract()).collect::<PyResult<_>>()?,
        timeout: timeout(Some(&limit).filter(|limit| !limit.is_none()))?,
        cache: item("cache")?.extract()?,
    })
}

/// An answer, with where it came from and what it cost.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct Response {
    reply: Reply,
}

#[pymethods]
impl Response {
    #[getter]
    fn text(&self) -> &str {
        &self.reply.text
    }

    #[getter]
    fn usage(&self) -> Usage {
        Usage { core: self.reply.usage }
    }

    #[getter]
    fn cost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.reply.cost)
    }

    #[getter]
    fn saved_cost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.reply.saved)
    }

    #[getter]
    fn estimated(&self) -> bool {
        self.reply.estimated
    }

    #[getter]
    fn cache(&self) -> Option<&'static str> {
        self.reply.cache.as_str()
    }

    #[getter]
    fn similarity(&self) -> Option<f32> {
        self.reply.similarity
    }

    #[getter]
    fn provider(&self) -> &str {
        &self.reply.provider
    }

    #[getter]
    fn model(&self) -> &str {
        &self.reply.model
    }

    #[getter]
    fn attempts(&self) -> u32 {
        self.reply.attempts
    }

    #[getter]
    fn waited(&self) -> f64 {
        self.reply.waited.as_secs_f64()
    }

    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.reply.raw)
    }

    fn __str__(&self) -> &str {
        &self.reply.text
    }

    fn __repr__(&self) -> String {
        let reply = &self.reply;
        let start: String = reply.text.chars().take(60).collect();
        let source = reply.cache.as_str().map_or_else(|| reply.provider.clone(), |kind| format!("{kind} cache"));
        format!("<Response {start:?} from {source}, {} USD>", reply.cost)
    }
}

/// An answer in chunks.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct ChatStream {
    stream: Arc<tokio::sync::Mutex<core::ChatStream>>,
}

#[pymethods]
impl ChatStream {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Result<Option<Chunk>> {
        let stream = Arc::clone(&self.stream);
        wait(py, async move { Ok(stream.lock().await.next().await?.map(|chunk| Chunk { chunk })) })
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let stream = Arc::clone(&self.stream);
        Ok(awaitable(py, async move {
            let next = stream.lock().await.next().await?;
            next.map(|chunk| Chunk { chunk }).ok_or_else(|| pyo3::exceptions::PyStopAsyncIteration::new_err(()).into())
        })?)
    }

    #[getter]
    fn response(&self) -> Option<Response> {
        let stream = self.stream.try_lock().ok()?;
        stream.reply().cloned().map(|reply| Response { reply })
    }
}

/// A piece of an answer.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct Chunk {
    chunk: StreamChunk,
}

#[pymethods]
impl Chunk {
    #[getter]
    fn text(&self) -> &str {
        &self.chunk.text
    }

    #[getter]
    fn finish_reason(&self) -> Option<&str> {
        self.chunk.finish_reason.as_deref()
    }

    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.chunk.raw)
    }

    fn __str__(&self) -> &str {
        &self.chunk.text
    }

    fn __repr__(&self) -> String {
        format!("<Chunk {:?}>", self.chunk.text)
    }
}
