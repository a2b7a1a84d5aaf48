//! A lease for Python.

use super::text::id_text;
use crate::awaitable::awaitable;
use crate::duration::{datetime, duration};
use crate::error::{BindError, Result};
use crate::inbox::ringing;
use crate::payload;
use crate::runtime::wait;
use headrace::Error;
use headrace::queue as core;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString};
use std::time::Duration;

/// The right to work on a request for a time.
///
/// In a `with` or `async with` block: ack at the end, nack where it raises. `ack`, `nack` and `extend` wait for the disk
/// where the queue is on a file; in a coroutine, use `aack`, `anack` and `aextend`.
///
/// >>> import headrace
/// >>> q = headrace.RequestQueue()
/// >>> id = q.put({"question": "scope 1 in 2023?"})
/// >>> with q.get() as job:
/// ...     print(job.payload["question"], job.attempt)
/// scope 1 in 2023? 1
/// >>> q.status(id)
/// 'done'
#[pyclass(frozen, module = "headrace._core.queue")]
pub(crate) struct Lease {
    lease: core::Lease,
    payload: PyOnceLock<Py<PyAny>>,
}

impl Lease {
    /// A lease that its caller has for certain.
    pub(super) fn accepted(lease: core::Lease) -> Self {
        lease.accept();
        Self::offered(lease)
    }

    pub(super) fn offered(lease: core::Lease) -> Self {
        Self { lease, payload: PyOnceLock::new() }
    }
}

/// Leases that their caller has for certain.
pub(super) fn lease_list(py: Python<'_>, leases: Vec<core::Lease>) -> PyResult<Bound<'_, PyList>> {
    PyList::new(py, leases.into_iter().map(Lease::accepted))
}

/// What a nack is given, in the core's terms.
fn nack_arguments(
    error: Option<&Bound<'_, PyAny>>,
    delay: Option<&Bound<'_, PyAny>>,
) -> Result<(String, Option<Duration>)> {
    let delay = delay.map(|delay| duration("delay", delay)).transpose()?;
    let error = error.map_or_else(|| Ok("nack".to_owned()), |error| error.str().map(|text| text.to_string()))?;
    Ok((error, delay))
}

#[pymethods]
impl Lease {
    fn _accept(&self) {
        self.lease.accept();
    }

    /// Whether it was acked, nacked or found lost through this object.
    fn _is_settled(&self) -> bool {
        self.lease.is_settled()
    }

    /// The request's id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, self.lease.id())
    }

    /// What was put.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let value = self.payload.get_or_try_init(py, || payload::to_py(py, self.lease.payload()).map(Bound::unbind))?;
        Ok(value.bind(py).clone())
    }

    /// How urgent it was put: critical, high, normal or low.
    #[getter]
    fn priority(&self) -> &'static str {
        self.lease.priority().name()
    }

    /// Whose it is.
    #[getter]
    fn tenant<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.lease.tenant())
    }

    /// Which attempt this is, from 1.
    #[getter]
    fn attempt(&self) -> u32 {
        self.lease.attempt()
    }

    /// When it was put, in UTC.
    #[getter]
    fn enqueued_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.lease.enqueued_at())
    }

    /// Seconds that it was ready before it was handed out.
    #[getter]
    fn waited(&self) -> f64 {
        self.lease.waited().as_secs_f64()
    }

    /// End the lease: the work is done. `aack` is the same for asyncio.
    ///
    /// Args:
    ///     result: any JSON value, or bytes; `RequestQueue.result` gives it as it is.
    ///     tokens: what the work really took; corrects the estimate that counts against limits.
    ///
    /// Raises:
    ///     LeaseLost: the lease is over: settled, run out, or its request cancelled.
    ///     StoreError: it could not be written.
    ///
    /// >>> import headrace
    /// >>> q = headrace.RequestQueue()
    /// >>> id = q.put("question")
    /// >>> q.get().ack({"answer": 42})
    /// >>> q.result(id)
    /// {'answer': 42}
    #[pyo3(signature = (result=None, *, tokens=None))]
    fn ack(&self, py: Python<'_>, result: Option<&Bound<'_, PyAny>>, tokens: Option<u64>) -> Result<()> {
        let result = result.map(payload::from_py).transpose()?;
        if self.lease.is_durable() {
            return wait(py, async { Ok(self.lease.ack_async(result, tokens).await?) });
        }
        Ok(ringing(py, || self.lease.ack(result, tokens))?)
    }

    /// End the lease: the work failed. `anack` is the same for asyncio.
    ///
    /// Args:
    ///     error: what went wrong; its text goes into the request's history.
    ///     delay: seconds, or a timedelta, until it is tried again; None: exponential backoff with full jitter, from 1 s.
    ///     retry: False sends it to the dead letters at once.
    ///
    /// Raises:
    ///     LeaseLost: the lease is over.
    ///     StoreError: it could not be written.
    #[pyo3(signature = (error=None, *, delay=None, retry=true))]
    fn nack(
        &self,
        py: Python<'_>,
        error: Option<&Bound<'_, PyAny>>,
        delay: Option<&Bound<'_, PyAny>>,
        retry: bool,
    ) -> Result<()> {
        let (error, delay) = nack_arguments(error, delay)?;
        if self.lease.is_durable() {
            return wait(py, async { Ok(self.lease.nack_async(&error, delay, retry).await?) });
        }
        Ok(ringing(py, || self.lease.nack(&error, delay, retry))?)
    }

    /// Make the lease last that long from now. `aextend` is the same for asyncio.
    ///
    /// Args:
    ///     seconds: how long from now, in seconds or as a timedelta.
    ///
    /// Raises:
    ///     LeaseLost: the lease is over.
    ///     StoreError: it could not be written.
    fn extend(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> Result<()> {
        let by = duration("seconds", seconds)?;
        wait(py, async { Ok(self.lease.extend_async(by).await?) })
    }

    /// An awaitable, or None where it is done: in memory there is nothing to wait for.
    #[pyo3(signature = (result, tokens))]
    fn _ack_future<'py>(
        slf: &Bound<'py, Self>,
        result: Option<&Bound<'py, PyAny>>,
        tokens: Option<u64>,
    ) -> Result<Option<Bound<'py, PyAny>>> {
        let result = result.map(payload::from_py).transpose()?;
        let (py, lease) = (slf.py(), slf.get());
        if !lease.lease.is_durable() {
            ringing(py, || lease.lease.ack(result, tokens))?;
            return Ok(None);
        }
        let held = slf.clone().unbind();
        Ok(Some(awaitable(py, async move { Ok(held.get().lease.ack_async(result, tokens).await?) })?))
    }

    /// As `_ack_future`.
    #[pyo3(signature = (error, delay, retry))]
    fn _nack_future<'py>(
        slf: &Bound<'py, Self>,
        error: Option<&Bound<'py, PyAny>>,
        delay: Option<&Bound<'py, PyAny>>,
        retry: bool,
    ) -> Result<Option<Bound<'py, PyAny>>> {
        let (error, delay) = nack_arguments(error, delay)?;
        let (py, lease) = (slf.py(), slf.get());
        if !lease.lease.is_durable() {
            ringing(py, || lease.lease.nack(&error, delay, retry))?;
            return Ok(None);
        }
        let held = slf.clone().unbind();
        Ok(Some(awaitable(py, async move { Ok(held.get().lease.nack_async(&error, delay, retry).await?) })?))
    }

    /// As `_ack_future`.
    fn _extend_future<'py>(slf: &Bound<'py, Self>, seconds: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyAny>>> {
        let by = duration("seconds", seconds)?;
        if !slf.get().lease.is_durable() {
            slf.get().extend(slf.py(), seconds)?;
            return Ok(None);
        }
        let held = slf.clone().unbind();
        Ok(Some(awaitable(slf.py(), async move { Ok(held.get().lease.extend_async(by).await?) })?))
    }

    /// The lease itself: at the end of the block it is acked, or nacked where that raised.
    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, _traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyAny>>,
        error: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> Result<bool> {
        let Some(kind) = kind else {
            // The worker may have settled it inside the block, with a result of its own.
            return match self.ack(py, None, None) {
                Err(BindError::Core(Error::LeaseLost(_))) if self.lease.is_settled() => Ok(false),
                other => other.map(|()| false),
            };
        };
        let name = kind.getattr("__name__")?;
        let text = error.map_or_else(|| Ok(String::new()), |error| error.str().map(|text| text.to_string()))?;
        let reason = PyString::new(py, &format!("{name}: {text}"));
        match self.nack(py, Some(reason.as_any()), None, true) {
            Err(BindError::Core(Error::LeaseLost(_))) => Ok(false),
            other => other.map(|()| false),
        }
    }

    fn __repr__(&self) -> String {
        let lease = &self.lease;
        format!(
            "<Lease {} {} tenant={:?} attempt={} {} bytes>",
            lease.id(),
            lease.priority().name(),
            lease.tenant(),
            lease.attempt(),
            lease.payload().len()
        )
    }
}
