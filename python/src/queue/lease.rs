//! A lease for Python.

use super::text::id_text;
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

/// A request that was handed out.
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

#[pymethods]
impl Lease {
    fn _accept(&self) {
        self.lease.accept();
    }

    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        id_text(py, self.lease.id())
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let value = self.payload.get_or_try_init(py, || payload::to_py(py, self.lease.payload()).map(Bound::unbind))?;
        Ok(value.bind(py).clone())
    }

    #[getter]
    fn priority(&self) -> &'static str {
        self.lease.priority().name()
    }

    #[getter]
    fn tenant<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.lease.tenant())
    }

    #[getter]
    fn attempt(&self) -> u32 {
        self.lease.attempt()
    }

    #[getter]
    fn enqueued_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.lease.enqueued_at())
    }

    #[getter]
    fn waited(&self) -> f64 {
        self.lease.waited().as_secs_f64()
    }

    #[pyo3(signature = (result=None, *, tokens=None))]
    fn ack(&self, py: Python<'_>, result: Option<&Bound<'_, PyAny>>, tokens: Option<u64>) -> Result<()> {
        let result = result.map(payload::from_py).transpose()?;
        if self.lease.is_durable() {
            return wait(py, async { Ok(self.lease.ack_async(result, tokens).await?) });
        }
        Ok(ringing(py, || self.lease.ack(result, tokens))?)
    }

    #[pyo3(signature = (error=None, *, delay=None, retry=true))]
    fn nack(
        &self,
        py: Python<'_>,
        error: Option<&Bound<'_, PyAny>>,
        delay: Option<&Bound<'_, PyAny>>,
        retry: bool,
    ) -> Result<()> {
        let delay = delay.map(|delay| duration("delay", delay)).transpose()?;
        let error = error.map_or_else(|| Ok("nack".to_owned()), |error| error.str().map(|text| text.to_string()))?;
        if self.lease.is_durable() {
            return wait(py, async { Ok(self.lease.nack_async(&error, delay, retry).await?) });
        }
        Ok(ringing(py, || self.lease.nack(&error, delay, retry))?)
    }

    fn extend(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> Result<()> {
        let by = duration("seconds", seconds)?;
        wait(py, async { Ok(self.lease.extend_async(by).await?) })
    }

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
