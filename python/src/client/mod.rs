//! The client for Python.

mod batch;
mod call;
mod chunk;
mod feed;
mod map;
mod response;
mod stream;

pub(crate) use response::{Response, ToolCall};

use crate::awaitable::awaitable;
use crate::error::Result;
use crate::payload::json_to_py;
use crate::provider::provider;
use crate::runtime::{runtime, wait};
use headrace::Error;
use headrace::client::{self as core, ClientConfig, Embeddings, HedgePolicy, ModelRoute, Pick};
use headrace::provider::{BreakerConfig, GradientConfig, RetryPolicy};
use numpy::PyArray2;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::HashMap;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Client>()?;
    module.add_class::<Response>()?;
    module.add_class::<ToolCall>()?;
    module.add_class::<stream::ChatStream>()?;
    module.add_class::<chunk::Chunk>()?;
    module.add_class::<feed::CallFeed>()?;
    module.add_class::<batch::BatchRun>()?;
    module.add_class::<map::MapRun>()
}

/// The client; `headrace.Client` adds defaults, the asyncio twins and `map`.
#[pyclass(frozen, subclass, module = "headrace._core.client")]
pub(crate) struct Client {
    pub(crate) client: core::Client,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (providers, *, cache, queue, costs, fallbacks, routes, max_attempts, max_retry_share, hedge,
        adaptive))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        providers: Vec<Bound<'_, PyAny>>,
        cache: Option<PyRef<'_, crate::cache::SemanticCache>>,
        queue: PyRef<'_, crate::queue::RequestQueue>,
        costs: PyRef<'_, crate::cost::tracker::CostTracker>,
        fallbacks: HashMap<String, Vec<String>>,
        routes: Vec<(String, Vec<String>, String, Vec<String>)>,
        max_attempts: u32,
        max_retry_share: f64,
        hedge: Option<f64>,
        adaptive: bool,
    ) -> Result<Self> {
        let client = core::Client::new(ClientConfig {
            providers: providers.iter().map(provider).collect::<PyResult<_>>()?,
            cache: cache.map(|cache| cache.core.clone()),
            queue: queue.queue.clone(),
            costs: costs.core.clone(),
            fallbacks,
            routes: routes.into_iter().map(route).collect::<Result<_>>()?,
            retry: RetryPolicy { max_attempts, most_share: max_retry_share, ..RetryPolicy::default() },
            breaker: BreakerConfig::default(),
            hedge: hedge.map(|most_share| HedgePolicy { most_share }),
            adaptive: adaptive.then(GradientConfig::default),
        })?;
        // What a dead process left in a durable queue is finished from now on.
        let _inside = runtime().enter();
        client.watch_orphans();
        Ok(Self { client })
    }

    fn _chat(&self, py: Python<'_>, call: &Bound<'_, PyDict>) -> Result<Response> {
        let (call, client) = (call::chat_call(call)?, self.client.clone());
        let core = wait(py, async move { Ok(client.chat(call).await?) })?;
        Ok(Response::from(core))
    }

    fn _achat<'py>(&self, py: Python<'py>, call: &Bound<'py, PyDict>) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (call::chat_call(call)?, self.client.clone());
        Ok(awaitable(py, async move { Ok(Response::from(client.chat(call).await?)) })?)
    }

    fn _stream(&self, py: Python<'_>, call: &Bound<'_, PyDict>, finish: Py<PyAny>) -> Result<stream::ChatStream> {
        let (call, client) = (call::chat_call(call)?, self.client.clone());
        let model = call.request.model.clone();
        let stream = wait(py, async move { Ok(client.stream(call).await?) })?;
        Ok(stream::ChatStream::new(stream, model, finish))
    }

    fn _astream<'py>(
        &self,
        py: Python<'py>,
        call: &Bound<'py, PyDict>,
        finish: Py<PyAny>,
    ) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (call::chat_call(call)?, self.client.clone());
        let model = call.request.model.clone();
        Ok(awaitable(py, async move { Ok(stream::ChatStream::new(client.stream(call).await?, model, finish)) })?)
    }

    fn _embed<'py>(&self, py: Python<'py>, texts: Vec<String>, call: &Bound<'py, PyDict>) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (call::embed_call(call)?, self.client.clone());
        let made = wait(py, async move { Ok(client.embed(&texts, &call).await?) })?;
        embeddings(py, &made)
    }

    fn _aembed<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        call: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyAny>> {
        let (call, client) = (call::embed_call(call)?, self.client.clone());
        Ok(awaitable(py, async move {
            let made = client.embed(&texts, &call).await?;
            Python::attach(|py| Ok(embeddings(py, &made)?.unbind()))
        })?)
    }

    /// Many calls under way, none of them yet.
    fn _map(&self) -> map::MapRun {
        map::MapRun::new(self.client.clone())
    }

    /// The batches of a model.
    fn _batches(&self, model: &str) -> Result<batch::BatchRun> {
        Ok(batch::BatchRun::new(self.client.batches(model)?)?)
    }

    /// The entries of the cache nearest to a call's question.
    fn _explain(
        &self,
        py: Python<'_>,
        call: &Bound<'_, PyDict>,
        limit: usize,
    ) -> Result<crate::cache::explanation::Explanations> {
        let call = call::chat_call(call)?;
        Ok(py.detach(|| self.client.explain(&call, limit))?.into())
    }

    /// Whether the cache holds the answer to the very question of a call. Nothing is asked or counted.
    fn _is_cached(&self, py: Python<'_>, call: &Bound<'_, PyDict>) -> Result<bool> {
        let call = call::chat_call(call)?;
        Ok(py.detach(|| self.client.is_cached(&call)))
    }

    /// The models that the providers are known to have, as `provider/model`; a provider that takes any model is not in it.
    #[getter]
    fn models(&self) -> Vec<String> {
        self.client.models()
    }

    /// The names of the routes.
    #[getter]
    fn routes(&self) -> Vec<&str> {
        self.client.routes()
    }

    #[getter]
    fn _provider_names(&self) -> Vec<String> {
        self.client.providers().into_iter().map(str::to_owned).collect()
    }

    /// The figures of the calls, and all figures as Prometheus reads them.
    fn _metrics<'py>(&self, py: Python<'py>) -> Result<(Bound<'py, PyAny>, String)> {
        let metrics = py.detach(|| self.client.metrics())?;
        Ok((json_to_py(py, &metrics.to_json())?, metrics.to_prometheus()))
    }

    /// Calls as each is over, from now on.
    fn _feed(&self, capacity: usize) -> feed::CallFeed {
        feed::CallFeed::new(self.client.feed(capacity))
    }

    /// How many calls go to each provider at once, found out by `adaptive=True`; empty without it.
    #[getter]
    fn concurrency(&self) -> HashMap<&str, u64> {
        self.client.concurrency()
    }

    /// Whether calls go through to each provider: its name, and `closed` (they do), `open` (it failed too often and is
    /// left alone for a while) or `half_open` (one call is on its way to see).
    fn health(&self) -> HashMap<String, &'static str> {
        self.client.health().into_iter().map(|(name, state)| (name.to_owned(), state.name())).collect()
    }
}

fn route((name, models, pick, needs): (String, Vec<String>, String, Vec<String>)) -> Result<ModelRoute> {
    let found = Pick::parse(&pick);
    let pick = found.ok_or_else(|| Error::Config(format!("pick is {pick:?}: give first, cheapest or fastest")))?;
    Ok(ModelRoute { pick, needs, ..ModelRoute::new(&name, models) })
}

fn embeddings<'py>(py: Python<'py>, made: &Embeddings) -> Result<Bound<'py, PyAny>> {
    let array = PyArray2::from_vec2(py, &made.vectors)
        .map_err(|_| Error::Embedding("the provider gave vectors of different lengths: ask again".into()))?;
    Ok(array.into_any())
}
