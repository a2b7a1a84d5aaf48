//! The providers for Python.

use crate::duration::duration;
use crate::error::Result;
use crate::payload::body_from_py;
use crate::runtime::{runtime, wait};
use headrace::Error;
use headrace::provider::simulated::{self, FaultPlan, MODELS, ServerHandle, SimulatedConfig};
use headrace::provider::{OpenAiCompatible, OpenAiConfig, Provider};
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::sync::Arc;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<OpenAICompatible>()?;
    module.add_class::<Simulated>()?;
    module.add_class::<SimulatedServer>()
}

/// The core provider behind a Python object.
pub(crate) fn provider(object: &Bound<'_, PyAny>) -> PyResult<Arc<dyn Provider>> {
    if let Ok(http) = object.cast::<OpenAICompatible>() {
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

/// Any server that speaks OpenAI's API.
#[pyclass(frozen, subclass, module = "headrace._core.provider")]
pub(crate) struct OpenAICompatible {
    core: Arc<OpenAiCompatible>,
}

#[pymethods]
impl OpenAICompatible {
    #[new]
    #[pyo3(signature = (base_url, *, name, api_key=None, connect_timeout=None, read_timeout=None))]
    fn new(
        base_url: &str,
        name: &str,
        api_key: Option<&str>,
        connect_timeout: Option<&Bound<'_, PyAny>>,
        read_timeout: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        if name.is_empty() || name.contains('/') {
            return Err(Error::Config(format!("name {name:?} is no provider name: give one without a slash")).into());
        }
        let mut config = OpenAiConfig::new(name, base_url, api_key.filter(|key| !key.trim().is_empty()));
        if let Some(given) = connect_timeout {
            config.connect_timeout = duration("connect_timeout", given)?;
        }
        if let Some(given) = read_timeout {
            config.read_timeout = duration("read_timeout", given)?;
        }
        Ok(Self { core: Arc::new(OpenAiCompatible::new(config)?) })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.core.config().name
    }

    #[getter]
    fn base_url(&self) -> &str {
        &self.core.config().base_url
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, config) = (slf.get_type().name()?, slf.get().core.config());
        let key = if config.api_key.is_some() { "***" } else { "None" };
        Ok(format!("<{class} {:?} at {}, api_key={key}>", config.name, config.base_url))
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

/// The simulated provider inside the process.
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

    #[getter]
    #[allow(clippy::unused_self)]
    fn name(&self) -> &'static str {
        "simulated"
    }

    #[getter]
    #[allow(clippy::unused_self)]
    fn models(&self) -> Vec<String> {
        MODELS.iter().map(|model| format!("simulated/{model}")).collect()
    }

    #[getter]
    fn requests(&self) -> u64 {
        self.core.engine().requests()
    }

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

/// The simulated provider as an HTTP server on the loopback.
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

    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    #[getter]
    fn requests(&self) -> u64 {
        self.handle.lock().as_ref().map_or(0, |handle| handle.engine().requests())
    }

    fn set_faults(&self, faults: &Bound<'_, PyAny>) -> Result<()> {
        let plan = fault_plan(faults)?;
        if let Some(handle) = &*self.handle.lock() {
            handle.engine().set_faults(plan);
        }
        Ok(())
    }

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
