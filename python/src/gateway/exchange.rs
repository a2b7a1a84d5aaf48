//! The endpoint without a socket: what a transport of httpx asks, answered in the process.

use crate::awaitable::awaitable;
use crate::client::Client;
use crate::duration::timeout;
use crate::error::Result;
use crate::runtime::wait;
use headrace::Error;
use headrace::gateway::{self as core, Gateway, GatewayConfig};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::sync::Arc;
use std::time::Duration;

/// The routes of the endpoint over a client, without a socket.
///
/// Args:
///     client: the client that is asked.
#[pyclass(frozen, module = "headrace._core.gateway")]
pub(crate) struct InProcess {
    routes: core::InProcess,
}

#[pymethods]
impl InProcess {
    #[new]
    fn new(client: PyRef<'_, Client>) -> Self {
        // Whoever asks has his own limits of time.
        let config = GatewayConfig { answer_timeout: None, ..GatewayConfig::default() };
        Self { routes: Gateway::new(client.client.clone(), config).in_process() }
    }

    /// Answer a request: returns when the status and the headers are known.
    ///
    /// Args:
    ///     method: as in `POST`.
    ///     target: the path, with its query.
    ///     headers: names and values, as bytes.
    ///     body: the body.
    ///     timeout: seconds, or a timedelta, to wait; None for no limit.
    ///
    /// Raises:
    ///     Timeout: there was no answer in time.
    ///     ValueError: the request is none of HTTP.
    #[pyo3(signature = (method, target, headers, body, timeout=None))]
    fn exchange(
        &self,
        py: Python<'_>,
        method: String,
        target: String,
        headers: Vec<(PyBackedBytes, PyBackedBytes)>,
        body: PyBackedBytes,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> Result<Exchange> {
        let limit = given(timeout)?;
        wait(py, asked(self.routes.clone(), method, target, owned(&headers), body, limit))
    }

    /// As `exchange`, to be awaited.
    #[pyo3(signature = (method, target, headers, body, timeout=None))]
    #[allow(clippy::too_many_arguments)]
    fn aexchange<'py>(
        &self,
        py: Python<'py>,
        method: String,
        target: String,
        headers: Vec<(PyBackedBytes, PyBackedBytes)>,
        body: PyBackedBytes,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let limit = given(timeout)?;
        Ok(awaitable(py, asked(self.routes.clone(), method, target, owned(&headers), body, limit))?)
    }
}

type Headers = Vec<(String, Vec<u8>)>;

fn owned(headers: &[(PyBackedBytes, PyBackedBytes)]) -> Headers {
    headers.iter().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec())).collect()
}

fn given(limit: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    timeout(limit.filter(|limit| !limit.is_none()))
}

async fn asked(
    routes: core::InProcess,
    method: String,
    target: String,
    headers: Headers,
    body: PyBackedBytes,
    limit: Option<Duration>,
) -> Result<Exchange> {
    let exchange = within(limit, routes.exchange(&method, &target, headers, body.to_vec())).await?;
    let (status, headers) = (exchange.status(), exchange.headers());
    Ok(Exchange { status, headers, inner: Arc::new(tokio::sync::Mutex::new(Some(exchange))) })
}

async fn within<T>(limit: Option<Duration>, work: impl Future<Output = headrace::Result<T>>) -> Result<T> {
    let Some(limit) = limit else { return Ok(work.await?) };
    let late = || Error::Timeout(format!("nothing came within {} s: raise the timeout", limit.as_secs_f64()));
    Ok(tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))?)
}

/// A reply whose body comes piece by piece. Closed before its end, the call is cancelled.
#[pyclass(frozen, module = "headrace._core.gateway")]
pub(crate) struct Exchange {
    status: u16,
    headers: Headers,
    inner: Arc<tokio::sync::Mutex<Option<core::Exchange>>>,
}

#[pymethods]
impl Exchange {
    /// The status code.
    #[getter]
    fn status(&self) -> u16 {
        self.status
    }

    /// The headers: names and values, as bytes.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let bytes = |text: &[u8]| PyBytes::new(py, text);
        self.headers.iter().map(|(name, value)| (bytes(name.as_bytes()), bytes(value))).collect()
    }

    /// The next piece of the body; None after the last one.
    ///
    /// Args:
    ///     timeout: seconds, or a timedelta, to wait; None for no limit.
    ///
    /// Raises:
    ///     Timeout: nothing came in time.
    #[pyo3(signature = (timeout=None))]
    fn next<'py>(&self, py: Python<'py>, timeout: Option<&Bound<'py, PyAny>>) -> Result<Option<Bound<'py, PyBytes>>> {
        let piece = wait(py, piece(Arc::clone(&self.inner), given(timeout)?))?;
        Ok(piece.map(|piece| PyBytes::new(py, &piece)))
    }

    /// As `next`, to be awaited.
    #[pyo3(signature = (timeout=None))]
    fn anext<'py>(&self, py: Python<'py>, timeout: Option<&Bound<'py, PyAny>>) -> Result<Bound<'py, PyAny>> {
        let next = piece(Arc::clone(&self.inner), given(timeout)?);
        Ok(awaitable(py, async move {
            let piece = next.await?;
            Ok(Python::attach(|py| piece.map(|piece| PyBytes::new(py, &piece).unbind())))
        })?)
    }

    /// Leave the reply: what still runs for it is cancelled.
    fn close(&self, py: Python<'_>) -> Result<()> {
        wait(py, closed(Arc::clone(&self.inner)))
    }

    /// As `close`, to be awaited.
    fn aclose<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(awaitable(py, closed(Arc::clone(&self.inner)))?)
    }
}

type Inner = Arc<tokio::sync::Mutex<Option<core::Exchange>>>;

async fn piece(inner: Inner, limit: Option<Duration>) -> Result<Option<Vec<u8>>> {
    let mut exchange = inner.lock().await;
    match exchange.as_mut() {
        Some(exchange) => Ok(within(limit, exchange.next()).await?.map(|piece| piece.to_vec())),
        None => Ok(None),
    }
}

async fn closed(inner: Inner) -> Result<()> {
    drop(inner.lock().await.take());
    Ok(())
}
