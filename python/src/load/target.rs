//! Targets: those of the core, and any Python callable.

use super::seconds;
use super::workload::PyRequest;
use crate::error::Result;
use crate::queue::RequestQueue;
use async_trait::async_trait;
use headrace::load::observation::{CacheKind, Observation};
use headrace::load::request::LoadRequest;
use headrace::load::target::{HttpConfig, HttpTarget, Null, QueueTarget, Sleep, Stall, Target};
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Of whom is asked.
#[pyclass(frozen, module = "headrace._core.load", name = "Target")]
pub(crate) struct PyTarget {
    pub(crate) core: Arc<dyn Target>,
    text: String,
}

#[pymethods]
impl PyTarget {
    /// Answers at once: what is left is the generator's own cost.
    #[staticmethod]
    fn null() -> Self {
        Self { core: Arc::new(Null), text: "Target.null()".into() }
    }

    /// Answers after ``time`` seconds, always or on average.
    #[staticmethod]
    #[pyo3(signature = (time, *, exponential=false, seed=0))]
    fn sleep(time: f64, exponential: bool, seed: u64) -> Result<Self> {
        let text = format!("Target.sleep({time}, exponential={})", if exponential { "True" } else { "False" });
        let time = seconds("time", time)?;
        let core = if exponential { Sleep::exponential(time, seed) } else { Sleep::fixed(time) };
        Ok(Self { core: Arc::new(core), text })
    }

    /// Stands still for the first ``stall`` seconds of each ``period``, otherwise answers after ``service``.
    #[staticmethod]
    #[pyo3(signature = (period, stall, *, service=0.0, one_at_a_time=false))]
    fn stall(period: f64, stall: f64, service: f64, one_at_a_time: bool) -> Result<Self> {
        let text = format!("Target.stall({period}, {stall}, service={service})");
        let target = Stall::new(seconds("period", period)?, seconds("stall", stall)?, seconds("service", service)?);
        let target = if one_at_a_time { target.one_at_a_time() } else { target };
        Ok(Self { core: Arc::new(target), text })
    }

    /// A request queue with workers of its own: a request is put, taken, acked, and its result waited for.
    ///
    /// `Run.extra` has ``enqueue_ms``, how long the put took, and ``queue_wait_ms``, from there to the worker.
    ///
    /// Args:
    ///     queue: Workers take everything that is in it, whoever put it there.
    ///     workers: How many take requests at once.
    ///     service: For how many seconds a worker is busy with one.
    #[staticmethod]
    #[pyo3(signature = (queue, *, workers=4, service=0.0))]
    fn queue(queue: &RequestQueue, workers: usize, service: f64) -> Result<Self> {
        if workers == 0 {
            return Err(headrace::Error::invalid("workers is 0: give at least 1").into());
        }
        let text = format!("Target.queue({:?}, workers={workers}, service={service})", queue.queue.name());
        let core = QueueTarget::new(queue.queue.clone(), workers, seconds("service", service)?);
        Ok(Self { core: Arc::new(core), text })
    }

    /// An OpenAI-compatible server.
    ///
    /// Args:
    ///     base_url: As in ``http://127.0.0.1:8080/v1``.
    ///     model: For requests that name none.
    ///     api_key: The bearer key; in no repr or message.
    ///     stream: Whether to stream, which is what shows the time to first token.
    ///     limit_tokens: Whether to ask for as many tokens as the workload says, as ``max_tokens``.
    ///     headers: More headers.
    ///     timeout: When a request is given up, in seconds.
    ///
    /// Raises:
    ///     ConfigError: The URL is none, or a header cannot be sent.
    #[staticmethod]
    #[pyo3(signature = (base_url, *, model, api_key=None, stream=true, limit_tokens=false, headers=None, timeout=30.0))]
    fn http(
        base_url: String,
        model: String,
        api_key: Option<String>,
        stream: bool,
        limit_tokens: bool,
        headers: Option<BTreeMap<String, String>>,
        timeout: f64,
    ) -> Result<Self> {
        let text = format!("Target.http({base_url:?}, model={model:?})");
        let config = HttpConfig {
            api_key,
            stream,
            limit_tokens,
            headers: headers.unwrap_or_default(),
            timeout: seconds("timeout", timeout)?,
            ..HttpConfig::new(base_url, model)
        };
        Ok(Self { core: Arc::new(HttpTarget::new(config)?), text })
    }

    /// A Python callable, plain or async.
    ///
    /// It may return None; a reply of ``Client.chat``; or a dict with any of error, status, first_token, token_gaps
    /// (seconds), input_tokens, output_tokens, cached_input_tokens, cost (a Decimal), cache (exact, semantic, miss),
    /// text, retries and extra (other figures by name). An exception is a failure of the name of its class.
    ///
    /// Args:
    ///     function: Called with a `Request`.
    ///     workers: How many threads call a plain one, 1 to 400; waiting for one counts as the generator's lag.
    #[staticmethod]
    #[pyo3(signature = (function, *, workers=64))]
    fn python(function: Bound<'_, PyAny>, workers: usize) -> Result<Self> {
        if !function.is_callable() {
            let kind = function.get_type();
            return Err(PyTypeError::new_err(format!("the target is a {}: give a callable", kind.name()?)).into());
        }
        if !(1..=400).contains(&workers) {
            return Err(headrace::Error::invalid(format!("workers is {workers}: give 1 to 400")).into());
        }
        let is_async = function.py().import("headrace.loadgen")?.getattr("is_async")?;
        let is_async: bool = is_async.call1((&function,))?.extract()?;
        let text = format!("Target.python({})", function.repr()?);
        let workers = Arc::new(Semaphore::new(workers));
        let core = Callable { function: Arc::new(function.unbind()), is_async, workers };
        Ok(Self { core: Arc::new(core), text })
    }

    fn __repr__(&self) -> &str {
        &self.text
    }
}

struct Callable {
    function: Arc<Py<PyAny>>,
    is_async: bool,
    workers: Arc<Semaphore>,
}

#[async_trait]
impl Target for Callable {
    async fn send(&self, request: &LoadRequest) -> Observation {
        // What is called may outlive a caller who has stopped waiting; so it owns what it uses.
        let request = PyRequest { core: Arc::new(request.clone()) };
        if self.is_async { self.await_it(request).await } else { self.call_it(request).await }
    }
}

impl Callable {
    async fn await_it(&self, request: PyRequest) -> Observation {
        let (sender, receiver) = oneshot::channel();
        let submitted = Python::attach(|py| {
            let done = Done(Mutex::new(Some(sender)));
            let submit = py.import("headrace.loadgen")?.getattr("submit")?;
            submit.call1((self.function.bind(py), request, done)).map(|_| ())
        });
        if let Err(error) = submitted {
            return Python::attach(|py| failure(py, &error));
        }
        receiver.await.unwrap_or_else(|_| Observation::failed("CancelledError"))
    }

    async fn call_it(&self, request: PyRequest) -> Observation {
        let Ok(permit) = Arc::clone(&self.workers).acquire_owned().await else {
            return Observation::failed("RuntimeError");
        };
        let function = Arc::clone(&self.function);
        let called = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            Python::attach(|py| {
                let started = Some(Instant::now());
                let returned = function.bind(py).call1((request,));
                let observation = returned.and_then(|returned| read(&returned));
                Observation { started, ..observation.unwrap_or_else(|error| failure(py, &error)) }
            })
        });
        called.await.unwrap_or_else(|_| Observation::failed("RuntimeError"))
    }
}

/// Takes the result of a coroutine to the task that waits for it.
#[pyclass(frozen, module = "headrace._core.load")]
struct Done(Mutex<Option<oneshot::Sender<Observation>>>);

#[pymethods]
impl Done {
    fn __call__(&self, py: Python<'_>, returned: &Bound<'_, PyAny>, error: Option<Bound<'_, PyAny>>) {
        let observation = match error {
            Some(error) => failure(py, &PyErr::from_value(error)),
            None => read(returned).unwrap_or_else(|error| failure(py, &error)),
        };
        if let Some(sender) = self.0.lock().take() {
            let _ = sender.send(observation);
        }
    }
}

fn failure(py: Python<'_>, error: &PyErr) -> Observation {
    let kind = error.get_type(py).name().map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
    let status = error.value(py).getattr("status_code").and_then(|status| status.extract()).ok();
    Observation { status, ..Observation::failed(kind) }
}

/// The observation in what a callable returned: None, a mapping, or a reply of `Client.chat`.
fn read(returned: &Bound<'_, PyAny>) -> PyResult<Observation> {
    if returned.is_none() {
        return Ok(Observation::ok());
    }
    match returned.cast::<PyDict>() {
        Ok(fields) => mapping(fields),
        Err(_) => reply(returned),
    }
}

fn mapping(fields: &Bound<'_, PyDict>) -> PyResult<Observation> {
    let mut observation = Observation::ok();
    let time = |value: &Bound<'_, PyAny>| -> PyResult<Duration> {
        Ok(seconds("a time", value.extract()?).map_err(crate::error::BindError::from)?)
    };
    let (mut input, mut output, mut cached, mut counted) = (0, 0, 0, false);
    for (name, value) in fields {
        if value.is_none() {
            continue;
        }
        match name.extract::<String>()?.as_str() {
            "error" => observation.error = Some(value.extract()?),
            "status" => observation.status = Some(value.extract()?),
            "first_token" => observation.first_token = Some(time(&value)?),
            "token_gaps" => {
                observation.token_gaps = value.try_iter()?.map(|gap| time(&gap?)).collect::<PyResult<_>>()?;
            }
            "input_tokens" => (input, counted) = (value.extract()?, true),
            "output_tokens" => (output, counted) = (value.extract()?, true),
            "cached_input_tokens" => (cached, counted) = (value.extract()?, true),
            "cost" => observation.cost = attodollars(&value)?,
            "cache" => observation.cache = CacheKind::parse(&value.extract::<String>()?),
            "text" => observation.text = Some(value.extract()?),
            "retries" => observation.retries = value.extract()?,
            "extra" => observation.extra = value.extract::<BTreeMap<String, f64>>()?.into_iter().collect(),
            other => {
                return Err(PyTypeError::new_err(format!(
                    "a target returned {other:?}: give error, status, first_token, token_gaps, input_tokens, \
                     output_tokens, cached_input_tokens, cost, cache, text, retries or extra"
                )));
            }
        }
    }
    observation.tokens = counted.then_some((input, output, cached));
    Ok(observation)
}

/// What a reply says by the attributes of `Client.chat`'s; one that has none of them is a success.
fn reply(returned: &Bound<'_, PyAny>) -> PyResult<Observation> {
    let mut observation = Observation::ok();
    let field = |name: &str| returned.getattr_opt(name).map(|found| found.filter(|value| !value.is_none()));
    observation.text = field("text")?.and_then(|text| text.extract().ok());
    if let Some(cost) = field("cost")? {
        observation.cost = attodollars(&cost)?;
    }
    if let Some(attempts) = field("attempts")? {
        observation.retries = attempts.extract::<u32>()?.saturating_sub(1);
    }
    if let Some(waited) = field("waited")? {
        let waited = waited.call_method0("total_seconds").unwrap_or(waited).extract::<f64>()?;
        observation.extra.push(("queue_wait_ms".into(), waited * 1e3));
    }
    if let Some(usage) = field("usage")? {
        let count = |name: &str| usage.getattr(name).and_then(|value| value.extract()).unwrap_or(0);
        observation.tokens = Some((count("input_tokens"), count("output_tokens"), count("cached_input_tokens")));
    }
    if let Some(cache) = returned.getattr_opt("cache")? {
        // A reply that has the field and nothing in it was computed anew.
        observation.cache =
            if cache.is_none() { CacheKind::Miss } else { CacheKind::parse(&cache.extract::<String>()?) };
    }
    Ok(observation)
}

/// A Decimal, or text of one, in attodollars; None where it has more digits.
fn attodollars(value: &Bound<'_, PyAny>) -> PyResult<Option<i128>> {
    let py = value.py();
    let decimal = py.import("decimal")?.getattr("Decimal")?;
    let exact = decimal.call1((value.str()?,))?.call_method1("scaleb", (18,))?;
    let whole = exact.call_method0("to_integral_value")?;
    if !exact.eq(&whole)? {
        return Ok(None);
    }
    py.get_type::<pyo3::types::PyInt>().call1((whole,))?.extract().map(Some)
}
