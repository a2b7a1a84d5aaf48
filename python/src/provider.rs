//! The providers for Python.

use crate::duration::duration;
use crate::error::Result;
use crate::payload::body_from_py;
use crate::runtime::{runtime, wait};
use headrace::Error;
use headrace::provider::simulated::{self, FaultPlan, MODELS, ServerHandle, SimulatedConfig};
use headrace::provider::{HttpProviderConfig, Provider, ProviderRow, Secret, registry};
use headrace::wire::protocols;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<HttpProvider>()?;
    module.add_class::<KnownProvider>()?;
    module.add_class::<Simulated>()?;
    module.add_class::<SimulatedServer>()?;
    module.add_function(wrap_pyfunction!(known, module)?)
}

/// The core provider behind a Python object.
pub(crate) fn provider(object: &Bound<'_, PyAny>) -> PyResult<Arc<dyn Provider>> {
    if let Ok(http) = object.cast::<HttpProvider>() {
        return Ok(Arc::clone(&http.get().core) as Arc<dyn Provider>);
    }
    if let Ok(simulated) = object.cast::<Simulated>() {
        return Ok(Arc::new(simulated.get().core.clone()));
    }
    let kind = object.get_type().name()?.to_string();
    Err(PyTypeError::new_err(format!(
        "{kind} is no provider: give one of headrace.providers, such as OpenAI(api_key=...)"
    )))
}

/// A provider that is known by name.
///
/// Attributes:
///     name: what stands before the slash of its models, as in `openai`.
///     title: the name as its makers write it.
///     base_url: its address; empty where every customer has one of their own.
///     protocol: what it speaks, `openai_chat`, `anthropic` or `gemini`.
///     key_variables: the environment variables that may hold its key, the usual one first; empty for a local server.
///
/// Example:
///     >>> from headrace.providers import known
///     >>> next(row for row in known() if row.name == "mistral").key_variables
///     ('MISTRAL_API_KEY',)
#[pyclass(frozen, module = "headrace._core.provider")]
pub(crate) struct KnownProvider(&'static ProviderRow);

#[pymethods]
impl KnownProvider {
    /// What stands before the slash of its models, as in `openai`.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The name as its makers write it.
    #[getter]
    fn title(&self) -> &str {
        &self.0.title
    }

    /// Its address; empty where every customer has one of their own.
    #[getter]
    fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// What it speaks, `openai_chat`, `anthropic` or `gemini`.
    #[getter]
    fn protocol(&self) -> &str {
        self.0.protocol().name()
    }

    /// The environment variables that may hold its key, the usual one first; empty for a local server.
    #[getter]
    fn key_variables<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.key_variables)
    }

    fn __repr__(&self) -> String {
        let address = if self.0.base_url.is_empty() { "an address of yours" } else { &self.0.base_url };
        format!("<KnownProvider {:?} at {address}>", self.0.name)
    }
}

/// The providers that are known by name.
///
/// Returns:
///     A tuple of `KnownProvider`, the cloud's before the local ones.
#[pyfunction]
fn known(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, registry().iter().map(KnownProvider))
}

/// A provider that is asked over HTTP.
///
/// Args:
///     name: what stands before the slash of its models.
///     row: the name of a provider that is known by name, whose address, protocol and habits are taken; None for a server
///         that speaks OpenAI's chat.
///     base_url: the URL before the protocol's path; None for that of `row`.
///     api_key: its key; it is never shown, logged or pickled.
///     protocol: what the server speaks: `openai_chat`, `openai_responses`, `anthropic` or `gemini`; None for that of `row`.
///     headers: sent with every request, before the provider's own; their values are never shown.
///     connect_timeout: seconds, or a timedelta, until a connection must be made; None for 10.
///     read_timeout: seconds, or a timedelta, that the server may send nothing; None for 120.
///     first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
///     total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.
///
/// Raises:
///     ConfigError: the name has a slash, `row` or `protocol` is unknown, the URL is none or holds a key, or the key or a header has a
///         line break or a character in it that cannot be sent.
#[pyclass(frozen, subclass, module = "headrace._core.provider")]
pub(crate) struct HttpProvider {
    core: Arc<headrace::provider::HttpProvider>,
}

#[pymethods]
impl HttpProvider {
    #[new]
    #[pyo3(signature = (name, *, row=None, base_url=None, api_key=None, protocol=None, headers=None,
        connect_timeout=None, read_timeout=None, first_token_timeout=None, total_timeout=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        name: &str,
        row: Option<&str>,
        base_url: Option<&str>,
        api_key: Option<&str>,
        protocol: Option<&str>,
        headers: Option<BTreeMap<String, String>>,
        connect_timeout: Option<&Bound<'_, PyAny>>,
        read_timeout: Option<&Bound<'_, PyAny>>,
        first_token_timeout: Option<&Bound<'_, PyAny>>,
        total_timeout: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        let mut config = match row {
            None => HttpProviderConfig::new(name, base_url.unwrap_or_default(), api_key),
            Some(row) => {
                let known = registry().iter().find(|known| known.name == row).ok_or_else(|| {
                    let names: Vec<_> = registry().iter().map(|known| known.name.as_str()).collect();
                    Error::Config(format!("provider {row:?} is not known: give one of {}", names.join(", ")))
                })?;
                let mut config = HttpProviderConfig::of_row(known, api_key);
                name.clone_into(&mut config.name);
                if let Some(url) = base_url {
                    config.base_url = HttpProviderConfig::new(name, url, None).base_url;
                }
                config
            }
        };
        if let Some(given) = protocol {
            config.protocol = headrace::provider::protocol(given).ok_or_else(|| {
                let names: Vec<_> = protocols().iter().map(|known| known.name()).collect();
                Error::Config(format!("protocol {given:?} is not known: give one of {}", names.join(", ")))
            })?;
        }
        let headers = headers.unwrap_or_default();
        config.headers.extend(headers.into_iter().map(|(name, value)| (name, Secret::new(&value))));
        if let Some(given) = connect_timeout {
            config.connect_timeout = duration("connect_timeout", given)?;
        }
        if let Some(given) = read_timeout {
            config.read_timeout = duration("read_timeout", given)?;
        }
        config.first_token_timeout =
            first_token_timeout.map(|given| duration("first_token_timeout", given)).transpose()?;
        config.total_timeout = total_timeout.map(|given| duration("total_timeout", given)).transpose()?;
        Ok(Self { core: Arc::new(headrace::provider::HttpProvider::new(config)?) })
    }

    /// What stands before the slash of its models.
    #[getter]
    fn name(&self) -> &str {
        &self.core.config().name
    }

    /// The URL before the protocol's path, as it may be shown.
    #[getter]
    fn base_url(&self) -> &str {
        self.core.base_url()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, core) = (slf.get_type().name()?, &slf.get().core);
        let key = if core.config().api_key.is_some() { "***" } else { "None" };
        Ok(format!("<{class} {:?} at {}, api_key={key}>", core.config().name, core.base_url()))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a provider holds a key and is not pickled: make it anew where it is needed"))
    }
}

/// What both simulated providers are told.
#[allow(clippy::too_many_arguments)]
fn config(
    seed: u64,
    time_to_first_token: Option<&Bound<'_, PyAny>>,
    tokens_per_second: f64,
    requests_per_minute: Option<u64>,
    retry_after: Option<&Bound<'_, PyAny>>,
    stall: Option<&Bound<'_, PyAny>>,
    faults: Option<&Bound<'_, PyAny>>,
    api_keys: Vec<String>,
) -> Result<SimulatedConfig> {
    let mut config = SimulatedConfig { seed, requests_per_minute, api_keys, ..SimulatedConfig::default() };
    if !(tokens_per_second.is_finite() && tokens_per_second >= 0.0) {
        return Err(Error::invalid(format!(
            "tokens_per_second is {tokens_per_second}: give a rate above 0, or 0 for no pause"
        ))
        .into());
    }
    config.tokens_per_second = tokens_per_second;
    let slots = [
        ("time_to_first_token", time_to_first_token, &mut config.time_to_first_token),
        ("retry_after", retry_after, &mut config.retry_after),
        ("stall", stall, &mut config.stall),
    ];
    for (name, given, slot) in slots {
        if let Some(given) = given {
            *slot = duration(name, given)?;
        }
    }
    config.faults = faults.map(fault_plan).transpose()?.unwrap_or_default();
    Ok(config)
}

/// `{"rates": {"rate_limit": 0.1}, "schedule": [{"fault": "reset", "from": 0, "until": 3}]}`
fn fault_plan(given: &Bound<'_, PyAny>) -> Result<FaultPlan> {
    let mut value = body_from_py(given)?;
    if let Some(rates) = value.get_mut("rates")
        && let Some(map) = rates.as_object()
    {
        *rates = map.iter().map(|(name, rate)| serde_json::json!([name, rate])).collect();
    }
    serde_json::from_value(value).map_err(|error| {
        Error::Config(format!(
            "faults cannot be read: {error}; give {{\"rates\": {{\"rate_limit\": 0.1}}, \"schedule\": [{{\"fault\": \"reset\", \"from\": 0, \"until\": 3}}]}}"
        ))
        .into()
    })
}

/// The simulated provider inside the process: seeded, it costs nothing and needs no network.
///
/// It answers as OpenAI's chat does. `n=` gives so many answers, `reasoning_effort=` gives reasoning, and
/// `tool_choice="required"` or the name of a function gives a tool call.
///
/// Args:
///     seed: what the faults and the pauses are drawn from.
///     time_to_first_token: seconds, or a timedelta, until the answer starts.
///     tokens_per_second: how fast it goes on; 0 for no pause.
///     requests_per_minute: how many it takes before it answers 429; None for any number.
///     retry_after: what a 429 asks to wait.
///     stall: how late a stalled reply comes.
///     faults: which requests fail, `{"rates": {"rate_limit": 0.1}, "schedule": [{"fault": "reset", "from": 0, "until":
///         3}]}`; the faults are rate_limit, server_error, unavailable, reset, stall, truncate, malformed, stream_error,
///         no_usage.
///
/// Raises:
///     ConfigError: `faults` has another shape.
///     ValueError: `tokens_per_second` is below 0.
#[pyclass(frozen, module = "headrace._core.provider")]
pub(crate) struct Simulated {
    core: simulated::Simulated,
}

#[pymethods]
impl Simulated {
    #[new]
    #[pyo3(signature = (*, seed=0, time_to_first_token=None, tokens_per_second=2000.0, requests_per_minute=None,
        retry_after=None, stall=None, faults=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        seed: u64,
        time_to_first_token: Option<&Bound<'_, PyAny>>,
        tokens_per_second: f64,
        requests_per_minute: Option<u64>,
        retry_after: Option<&Bound<'_, PyAny>>,
        stall: Option<&Bound<'_, PyAny>>,
        faults: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        let config = config(
            seed,
            time_to_first_token,
            tokens_per_second,
            requests_per_minute,
            retry_after,
            stall,
            faults,
            Vec::new(),
        )?;
        Ok(Self { core: simulated::Simulated::new(config) })
    }

    /// `simulated`, the name before the slash of its models.
    #[getter]
    #[allow(clippy::unused_self)]
    fn name(&self) -> &'static str {
        "simulated"
    }

    /// Its models, as `provider/model`.
    #[getter]
    #[allow(clippy::unused_self)]
    fn models(&self) -> Vec<String> {
        MODELS.iter().map(|model| format!("simulated/{model}")).collect()
    }

    /// How many requests it has had.
    #[getter]
    fn requests(&self) -> u64 {
        self.core.engine().requests()
    }

    /// Say anew which requests fail.
    ///
    /// Args:
    ///     faults: as for the constructor; windows count from the next request.
    ///
    /// Raises:
    ///     ConfigError: `faults` has another shape.
    fn set_faults(&self, faults: &Bound<'_, PyAny>) -> Result<()> {
        self.core.engine().set_faults(fault_plan(faults)?);
        Ok(())
    }

    fn __repr__(&self) -> String {
        let config = self.core.engine().config();
        format!(
            "<Simulated seed={} time_to_first_token={}s tokens_per_second={}>",
            config.seed,
            config.time_to_first_token.as_secs_f64(),
            config.tokens_per_second
        )
    }
}

/// The simulated provider as an HTTP server on the loopback, which speaks OpenAI's API and Anthropic's Messages.
///
/// Args:
///     port: where it listens; 0 takes a free one.
///     seed: as for `Simulated`, like all that is not named here.
///     api_keys: the keys it takes; any where empty.
///
/// Raises:
///     ConfigError: the port is taken, or `faults` has another shape.
#[pyclass(frozen, module = "headrace._core.provider")]
pub(crate) struct SimulatedServer {
    handle: Mutex<Option<ServerHandle>>,
    url: String,
    process: u32,
}

#[pymethods]
impl SimulatedServer {
    #[new]
    #[pyo3(signature = (port=0, *, seed=0, time_to_first_token=None, tokens_per_second=2000.0, requests_per_minute=None,
        retry_after=None, stall=None, faults=None, api_keys=Vec::new()))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        port: u16,
        seed: u64,
        time_to_first_token: Option<&Bound<'_, PyAny>>,
        tokens_per_second: f64,
        requests_per_minute: Option<u64>,
        retry_after: Option<&Bound<'_, PyAny>>,
        stall: Option<&Bound<'_, PyAny>>,
        faults: Option<&Bound<'_, PyAny>>,
        api_keys: Vec<String>,
    ) -> Result<Self> {
        let config = config(
            seed,
            time_to_first_token,
            tokens_per_second,
            requests_per_minute,
            retry_after,
            stall,
            faults,
            api_keys,
        )?;
        // The server's task lives on the shared runtime, whichever thread started it.
        let handle = wait(py, async move {
            Ok(runtime()
                .spawn(simulated::serve(config, port))
                .await
                .map_err(|_| Error::Config("the server did not start".into()))??)
        })?;
        Ok(Self { url: handle.url(), handle: Mutex::new(Some(handle)), process: headrace::process::id() })
    }

    /// What to give as `base_url`.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// How many requests it has had; 0 once it is closed.
    #[getter]
    fn requests(&self) -> u64 {
        self.handle.lock().as_ref().map_or(0, |handle| handle.engine().requests())
    }

    /// Say anew which requests fail.
    ///
    /// Args:
    ///     faults: as for the constructor; windows count from the next request.
    ///
    /// Raises:
    ///     ConfigError: `faults` has another shape.
    fn set_faults(&self, faults: &Bound<'_, PyAny>) -> Result<()> {
        let plan = fault_plan(faults)?;
        if let Some(handle) = &*self.handle.lock() {
            handle.engine().set_faults(plan);
        }
        Ok(())
    }

    /// Stop it.
    fn close(&self) {
        let handle = self.handle.lock().take();
        // A forked child has a copy of the handle, and none of the tasks behind it.
        if self.process == headrace::process::id() {
            drop(handle);
        } else {
            std::mem::forget(handle);
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.close();
    }

    fn __repr__(&self) -> String {
        let state = if self.handle.lock().is_some() { "" } else { ", closed" };
        format!("<SimulatedServer at {}{state}>", self.url)
    }
}

impl Drop for SimulatedServer {
    fn drop(&mut self) {
        self.close();
    }
}
