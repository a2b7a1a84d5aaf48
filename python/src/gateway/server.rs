//! The endpoint on a socket.

use crate::awaitable::awaitable;
use crate::client::Client;
use crate::duration::{duration, timeout};
use crate::error::Result;
use crate::runtime::wait;
use headrace::Error;
use headrace::gateway::{Gateway, GatewayConfig, KeyRing, ListenConfig, Listening, listen};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;
use std::time::Duration;

/// How long a stop waits for what runs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client as an HTTP endpoint, for any client of OpenAI's or Anthropic's.
///
/// It serves `POST /v1/chat/completions`, `/v1/responses`, `/v1/messages`, `/v1/messages/count_tokens` and
/// `/v1/embeddings`, `GET /v1/models`, `/v1/headrace/costs`, `/v1/headrace/queue`, `/v1/headrace/cache`, `/metrics`,
/// `/healthz` and `/readyz`, from the moment that it is made.
///
/// Args:
///     client: the client that is asked.
///     host: the name or address where it listens. One that others can reach needs keys.
///     port: where it listens; 0 takes a free one.
///     keys: the file of the keys that may ask, `sqlite:///FILE`, as `headrace.keys.KeyRing` writes it; None lets every
///         program of this machine ask.
///     max_body_bytes: the largest request; None for 32 MiB.
///     max_connections: the most connections at once; None for 4096. More wait.
///     header_timeout: seconds, or a timedelta, that the headers of a request may take; None for 60.
///     body_timeout: seconds, or a timedelta, that the body of a request may take; None for 30.
///     answer_timeout: seconds, or a timedelta, that an answer may take in all; None for 600.
///
/// Raises:
///     ConfigError: the place cannot be listened at, or others could reach it and there are no keys.
///     StoreError: the file of the keys cannot be read.
///
/// Example:
///     >>> import urllib.request
///     >>> with headrace.Server(headrace.Client(headrace.providers.Simulated())) as server:
///     ...     urllib.request.urlopen(server.url + "/healthz").read()
///     b'ok'
#[pyclass(frozen, subclass, module = "headrace._core.gateway")]
pub(crate) struct Server {
    listening: Mutex<Option<Listening>>,
    gateway: Gateway,
    url: String,
    process: u32,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (client, host="127.0.0.1", port=0, keys=None, *, max_body_bytes=None, max_connections=None,
        header_timeout=None, body_timeout=None, answer_timeout=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        client: PyRef<'_, Client>,
        host: &str,
        port: u16,
        keys: Option<&str>,
        max_body_bytes: Option<usize>,
        max_connections: Option<usize>,
        header_timeout: Option<&Bound<'_, PyAny>>,
        body_timeout: Option<&Bound<'_, PyAny>>,
        answer_timeout: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        let mut place = ListenConfig { host: host.to_owned(), port, ..ListenConfig::default() };
        let mut config = GatewayConfig::default();
        config.max_body_bytes = positive("max_body_bytes", max_body_bytes)?.unwrap_or(config.max_body_bytes);
        place.max_connections = positive("max_connections", max_connections)?.unwrap_or(place.max_connections);
        if let Some(given) = header_timeout {
            place.header_timeout = duration("header_timeout", given)?;
        }
        if let Some(given) = body_timeout {
            config.body_timeout = duration("body_timeout", given)?;
        }
        if let Some(given) = answer_timeout {
            config.answer_timeout = Some(duration("answer_timeout", given)?);
        }
        config.keys = py.detach(|| keys.map(KeyRing::open).transpose())?.map(Arc::new);
        let gateway = Gateway::new(client.client.clone(), config);
        let served = gateway.clone();
        let listening = wait(py, async move { Ok(listen(served, place).await?) })?;
        let url = listening.url();
        Ok(Self { listening: Mutex::new(Some(listening)), gateway, url, process: headrace::process::id() })
    }

    /// The root, as in `http://127.0.0.1:8080`: what Anthropic's client takes as `base_url`; OpenAI's takes `url + "/v1"`.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// Ask another client from now on; what runs is finished by the one before.
    ///
    /// Args:
    ///     client: the client.
    ///
    /// Raises:
    ///     StoreError: the budgets of the keys cannot be set.
    fn use_client(&self, py: Python<'_>, client: PyRef<'_, Client>) -> Result<()> {
        let (gateway, client) = (self.gateway.clone(), client.client.clone());
        wait(py, async move { Ok(gateway.replace_client(client).await?) })
    }

    /// Say by `/readyz` that the configuration has changed and could not be taken; `use_client` ends it.
    fn _stale(&self) {
        self.gateway.set_stale(true);
    }

    /// Take no new connection, and finish what runs.
    ///
    /// Args:
    ///     timeout: seconds, or a timedelta, that what runs may take; None for 30. What takes longer is broken off.
    ///
    /// Returns:
    ///     Whether all of it was finished.
    #[pyo3(signature = (timeout=None))]
    fn close(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> Result<bool> {
        let patience = patience(timeout)?;
        let Some(listening) = self.taken() else { return Ok(true) };
        wait(py, async move { Ok(listening.stop(Some(patience)).await) })
    }

    /// As `close`, to be awaited.
    #[pyo3(signature = (timeout=None))]
    fn aclose<'py>(&self, py: Python<'py>, timeout: Option<&Bound<'py, PyAny>>) -> Result<Bound<'py, PyAny>> {
        let (patience, listening) = (patience(timeout)?, self.taken());
        Ok(awaitable(py, async move {
            match listening {
                Some(listening) => Ok(listening.stop(Some(patience)).await),
                None => Ok(true),
            }
        })?)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> Result<()> {
        self.close(py, None).map(drop)
    }

    fn __aenter__(slf: Bound<'_, Self>) -> Result<Bound<'_, PyAny>> {
        let (py, me) = (slf.py(), slf.unbind());
        Ok(awaitable(py, async move { Ok(me) })?)
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(&self, py: Python<'py>, _exception: &Bound<'py, PyTuple>) -> Result<Bound<'py, PyAny>> {
        self.aclose(py, None)
    }

    fn __repr__(&self) -> String {
        let state = if self.listening.lock().is_some() { "" } else { ", closed" };
        format!("<Server at {}{state}>", self.url)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(pyo3::exceptions::PyTypeError::new_err(
            "a server is a connection and is not pickled: make one where it is needed",
        ))
    }
}

impl Server {
    /// What listens, where this process may stop it: a forked child has a copy of the handle, and none of the tasks.
    fn taken(&self) -> Option<Listening> {
        let listening = self.listening.lock().take()?;
        if self.process == headrace::process::id() {
            return Some(listening);
        }
        std::mem::forget(listening);
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.taken());
    }
}

fn patience(given: Option<&Bound<'_, PyAny>>) -> PyResult<Duration> {
    Ok(timeout(given.filter(|given| !given.is_none()))?.unwrap_or(PATIENCE))
}

fn positive(name: &str, given: Option<usize>) -> Result<Option<usize>> {
    match given {
        Some(0) => Err(Error::Config(format!("{name} is 0: give 1 or more, or None for the usual")).into()),
        other => Ok(other),
    }
}
