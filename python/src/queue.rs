//! The request queue for Python.

use crate::duration::{datetime, duration, until};
use crate::error::Result;
use crate::payload;
use crate::runtime::{awaitable, wait};
use headrace::metrics::DurationSummary;
use headrace::queue::{
    self as core, DeadLetter, Failure, LimitRule, LimitScope, Priority, PutOptions, QueueConfig, RequestId,
};
use headrace::{Error, Payload};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyInt, PyList, PyString, PyTuple};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RequestQueue>()?;
    module.add_class::<Lease>()
}

pub(crate) fn priority(value: Option<&Bound<'_, PyAny>>) -> Result<Priority> {
    let Some(value) = value else { return Ok(Priority::default()) };
    if let Ok(name) = value.cast::<PyString>() {
        return Ok(Priority::from_name(name.to_str()?)?);
    }
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        let index = value.extract::<i64>().unwrap_or(i64::MAX);
        return Ok(Priority::from_index(index)?);
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("priority is a {kind}: give critical, high, normal or low, or 0 to 3")).into())
}

#[derive(FromPyObject)]
struct Limit<'py> {
    #[pyo3(item)]
    scope: Bound<'py, PyAny>,
    #[pyo3(item)]
    concurrency: Option<u64>,
    #[pyo3(item)]
    requests_per_minute: Option<u64>,
    #[pyo3(item)]
    tokens_per_minute: Option<u64>,
}

impl Limit<'_> {
    fn rule(&self) -> PyResult<LimitRule> {
        let (kind, name): (String, String) = self.scope.extract()?;
        let name: Arc<str> = Arc::from(name);
        let scope = match kind.as_str() {
            "provider" => LimitScope::Provider(name),
            "model" => LimitScope::Model(name),
            "tenant" => LimitScope::Tenant(name),
            _ => LimitScope::Global,
        };
        Ok(LimitRule {
            scope,
            concurrency: self.concurrency,
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
        })
    }
}

/// The queue; `headrace.RequestQueue` adds the asyncio twins.
#[pyclass(frozen, subclass, module = "headrace._core.queue")]
pub(crate) struct RequestQueue {
    pub(crate) queue: core::RequestQueue,
}

impl RequestQueue {
    /// A request that is there now, in memory.
    fn try_get(&self) -> Result<Option<Lease>> {
        if self.queue.is_durable() {
            return Ok(None);
        }
        Ok(self.queue.try_get()?.map(Lease::accepted))
    }
}

#[pymethods]
impl RequestQueue {
    #[new]
    #[pyo3(signature = (url="memory://", *, name="default", max_size=None, max_bytes=None, lease_seconds=None, max_attempts=5,
        ageing_seconds=None, keep_results_seconds=None, keep_keys_seconds=None, limits=None, weights=None, seed=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        url: &str,
        name: &str,
        max_size: Option<i64>,
        max_bytes: Option<i64>,
        lease_seconds: Option<&Bound<'_, PyAny>>,
        max_attempts: i64,
        ageing_seconds: Option<&Bound<'_, PyAny>>,
        keep_results_seconds: Option<&Bound<'_, PyAny>>,
        keep_keys_seconds: Option<&Bound<'_, PyAny>>,
        limits: Option<Vec<Limit<'_>>>,
        weights: Option<Vec<(String, u32)>>,
        seed: Option<u64>,
    ) -> Result<Self> {
        let mut config = QueueConfig { name: name.to_owned(), seed, ..QueueConfig::default() };
        config.max_size = max_size.map(|size| bound("max_size", size)).transpose()?;
        config.max_bytes = max_bytes.map(|size| bound("max_bytes", size)).transpose()?;
        config.max_attempts = attempts(max_attempts)?;
        let durations = [
            ("lease_seconds", lease_seconds, &mut config.lease),
            ("ageing_seconds", ageing_seconds, &mut config.ageing),
            ("keep_results_seconds", keep_results_seconds, &mut config.keep_results),
            ("keep_keys_seconds", keep_keys_seconds, &mut config.keep_keys),
        ];
        for (name, given, slot) in durations {
            if let Some(given) = given {
                *slot = duration(name, given)?;
            }
        }
        config.limits = limits.unwrap_or_default().iter().map(Limit::rule).collect::<PyResult<_>>()?;
        config.weights =
            weights.unwrap_or_default().into_iter().map(|(tenant, weight)| (Arc::from(tenant), weight)).collect();
        let url = url.to_owned();
        let queue = py.detach(move || core::RequestQueue::open(&url, config))?;
        Ok(Self { queue })
    }

    #[pyo3(signature = (payload, *, priority=None, tenant=None, delay=None, deadline=None, key=None, max_attempts=None, timeout=None))]
    #[allow(clippy::too_many_arguments)]
    fn put<'py>(
        &self,
        py: Python<'py>,
        payload: &Bound<'py, PyAny>,
        priority: Option<&Bound<'py, PyAny>>,
        tenant: Option<&str>,
        delay: Option<&Bound<'py, PyAny>>,
        deadline: Option<&Bound<'py, PyAny>>,
        key: Option<&str>,
        max_attempts: Option<i64>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyString>> {
        let options = options(priority, tenant, delay, deadline, key, max_attempts)?;
        let timeout = crate::duration::timeout(timeout)?;
        let payload = payload::from_py(payload)?;
        if !self.queue.is_durable() {
            if !self.queue.is_bounded() {
                return Ok(id_text(py, self.queue.put(payload, &options)?));
            }
            match self.queue.put(payload.clone(), &options) {
                Err(Error::QueueFull(_)) if timeout.is_none_or(|timeout| !timeout.is_zero()) => {}
                other => return Ok(id_text(py, other?)),
            }
        }
        let queue = self.queue.clone();
        let id = wait(py, async move { Ok(queue.put_async(payload, options, timeout).await?) })?;
        Ok(id_text(py, id))
    }

    /// The id, or None where an asyncio caller has to wait.
    #[pyo3(signature = (payload, priority, tenant, delay, deadline, key, max_attempts, timeout))]
    #[allow(clippy::too_many_arguments)]
    fn _try_put<'py>(
        &self,
        py: Python<'py>,
        payload: &Bound<'py, PyAny>,
        priority: Option<&Bound<'py, PyAny>>,
        tenant: Option<&str>,
        delay: Option<&Bound<'py, PyAny>>,
        deadline: Option<&Bound<'py, PyAny>>,
        key: Option<&str>,
        max_attempts: Option<i64>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Option<Bound<'py, PyString>>> {
        crate::duration::timeout(timeout)?;
        if self.queue.is_durable() {
            return Ok(None);
        }
        let options = options(priority, tenant, delay, deadline, key, max_attempts)?;
        match self.queue.put(payload::from_py(payload)?, &options) {
            Err(Error::QueueFull(_)) => Ok(None),
            other => Ok(Some(id_text(py, other?))),
        }
    }

    #[pyo3(signature = (payloads, priority, tenant, delay, deadline, key, max_attempts, timeout))]
    #[allow(clippy::too_many_arguments)]
    fn _put_many_future<'py>(
        &self,
        py: Python<'py>,
        payloads: &Bound<'py, PyAny>,
        priority: Option<&Bound<'py, PyAny>>,
        tenant: Option<&str>,
        delay: Option<&Bound<'py, PyAny>>,
        deadline: Option<&Bound<'py, PyAny>>,
        key: Option<&str>,
        max_attempts: Option<i64>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let options = options(priority, tenant, delay, deadline, key, max_attempts)?;
        let timeout = crate::duration::timeout(timeout)?;
        let payloads = all_payloads(payloads)?;
        let queue = self.queue.clone();
        Ok(awaitable(py, async move {
            let ids = queue.put_many_async(payloads, options, timeout).await?;
            Ok(ids.iter().map(ToString::to_string).collect::<Vec<_>>())
        })?)
    }

    #[pyo3(signature = (payloads, *, priority=None, tenant=None, delay=None, deadline=None, key=None, max_attempts=None, timeout=None))]
    #[allow(clippy::too_many_arguments)]
    fn put_many<'py>(
        &self,
        py: Python<'py>,
        payloads: &Bound<'py, PyAny>,
        priority: Option<&Bound<'py, PyAny>>,
        tenant: Option<&str>,
        delay: Option<&Bound<'py, PyAny>>,
        deadline: Option<&Bound<'py, PyAny>>,
        key: Option<&str>,
        max_attempts: Option<i64>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyList>> {
        let options = options(priority, tenant, delay, deadline, key, max_attempts)?;
        let timeout = crate::duration::timeout(timeout)?;
        let payloads = all_payloads(payloads)?;
        if !self.queue.is_durable() && !self.queue.is_bounded() {
            return id_texts(py, &self.queue.put_many(payloads, &options)?);
        }
        let queue = self.queue.clone();
        let ids = wait(py, async move { Ok(queue.put_many_async(payloads, options, timeout).await?) })?;
        id_texts(py, &ids)
    }

    #[pyo3(signature = (timeout=None))]
    fn get(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> Result<Lease> {
        let timeout = crate::duration::timeout(timeout)?;
        if let Some(lease) = self.try_get()? {
            return Ok(lease);
        }
        let queue = self.queue.clone();
        let lease = wait(py, async move { Ok(queue.get_async(timeout).await?) })?;
        Ok(Lease::accepted(lease))
    }

    /// A request that is there now, in memory; None where an asyncio caller has to wait.
    #[pyo3(signature = (timeout))]
    fn _try_get(&self, timeout: Option<&Bound<'_, PyAny>>) -> Result<Option<Lease>> {
        crate::duration::timeout(timeout)?;
        self.try_get()
    }

    #[pyo3(signature = (n, timeout=None))]
    fn get_many(&self, py: Python<'_>, n: i64, timeout: Option<&Bound<'_, PyAny>>) -> Result<Vec<Lease>> {
        let (most, timeout) = (positive("n", n)?, crate::duration::timeout(timeout)?);
        if !self.queue.is_durable() {
            let leases = self.queue.try_get_many(most)?;
            if !leases.is_empty() {
                return Ok(leases.into_iter().map(Lease::accepted).collect());
            }
        }
        let queue = self.queue.clone();
        let leases = wait(py, async move { Ok(queue.get_many_async(most, timeout).await?) })?;
        Ok(leases.into_iter().map(Lease::accepted).collect())
    }

    /// Leases that are not accepted yet: a caller that is cancelled before it has them gives them back.
    #[pyo3(signature = (n, timeout))]
    fn _get_many_future<'py>(
        &self,
        py: Python<'py>,
        n: i64,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let (most, timeout) = (positive("n", n)?, crate::duration::timeout(timeout)?);
        let queue = self.queue.clone();
        Ok(awaitable(py, async move {
            let leases = queue.get_many_async(most, timeout).await?;
            Ok(leases.into_iter().map(Lease::offered).collect::<Vec<_>>())
        })?)
    }

    #[pyo3(signature = (id, timeout=None))]
    fn result<'py>(&self, py: Python<'py>, id: &str, timeout: Option<&Bound<'py, PyAny>>) -> Result<Bound<'py, PyAny>> {
        let (id, timeout) = (id.parse::<RequestId>()?, crate::duration::timeout(timeout)?);
        let queue = self.queue.clone();
        let result = wait(py, async move { Ok(queue.result_async(id, timeout).await?) })?;
        optional_payload(py, result.as_ref())
    }

    #[pyo3(signature = (id, timeout))]
    fn _result_future<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let (id, timeout) = (id.parse::<RequestId>()?, crate::duration::timeout(timeout)?);
        let queue = self.queue.clone();
        Ok(awaitable(py, async move {
            let result = queue.result_async(id, timeout).await?;
            Python::attach(|py| Ok(optional_payload(py, result.as_ref())?.unbind()))
        })?)
    }

    fn status(&self, py: Python<'_>, id: &str) -> Result<&'static str> {
        let id = id.parse::<RequestId>()?;
        Ok(py.detach(|| self.queue.status(id))?.name())
    }

    fn cancel(&self, py: Python<'_>, id: &str) -> Result<bool> {
        let id = id.parse::<RequestId>()?;
        let queue = self.queue.clone();
        wait(py, async move { Ok(queue.cancel_async(id).await?) })
    }

    fn requeue(&self, py: Python<'_>, id: &str) -> Result<()> {
        let id = id.parse::<RequestId>()?;
        let queue = self.queue.clone();
        wait(py, async move { Ok(queue.requeue_async(id).await?) })
    }

    fn dead<'py>(&self, py: Python<'py>) -> Result<Vec<Bound<'py, PyDict>>> {
        let letters = py.detach(|| self.queue.dead())?;
        letters.iter().map(|letter| dead_letter(py, letter)).collect()
    }

    fn pause(&self) {
        self.queue.pause();
    }

    fn resume(&self) {
        self.queue.resume();
    }

    #[pyo3(signature = (timeout=None))]
    fn drain(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> Result<()> {
        let timeout = crate::duration::timeout(timeout)?;
        let queue = self.queue.clone();
        wait(py, async move { Ok(queue.drain_async(timeout).await?) })
    }

    #[pyo3(signature = (timeout))]
    fn _drain_future<'py>(&self, py: Python<'py>, timeout: Option<&Bound<'py, PyAny>>) -> Result<Bound<'py, PyAny>> {
        let timeout = crate::duration::timeout(timeout)?;
        let queue = self.queue.clone();
        Ok(awaitable(py, async move { Ok(queue.drain_async(timeout).await?) })?)
    }

    fn close(&self) {
        self.queue.close();
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize> {
        Ok(py.detach(|| self.queue.len())?)
    }

    // A queue is not false for being empty.
    fn __bool__(&self) -> bool {
        true
    }

    #[getter]
    fn url(&self) -> &str {
        self.queue.url()
    }

    #[getter]
    fn name(&self) -> &str {
        self.queue.name()
    }

    fn stats<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let stats = py.detach(|| self.queue.stats())?;
        let dict = PyDict::new(py);
        let states = PyDict::new(py);
        for (status, count) in stats.by_status {
            states.set_item(status.name(), count)?;
        }
        let priorities = PyDict::new(py);
        for (priority, count) in Priority::ALL.iter().zip(stats.by_priority) {
            priorities.set_item(priority.name(), count)?;
        }
        let tenants = PyDict::new(py);
        for (tenant, count) in &stats.by_tenant {
            tenants.set_item(&**tenant, count)?;
        }
        dict.set_item("by_status", states)?;
        dict.set_item("by_priority", priorities)?;
        dict.set_item("by_tenant", tenants)?;
        dict.set_item("bytes", stats.bytes)?;
        let counters =
            [("put", stats.put), ("acked", stats.acked), ("retried", stats.retried), ("expired", stats.expired)];
        for (name, count) in counters {
            dict.set_item(name, count)?;
        }
        dict.set_item("paused", stats.paused)?;
        dict.set_item("closed", stats.closed)?;
        for (name, histogram) in [("enqueue", stats.enqueue), ("wait", stats.wait), ("run", stats.run)] {
            dict.set_item(name, summary(py, &histogram)?)?;
        }
        Ok(dict)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (url, name) = (self.queue.url(), self.queue.name());
        py.detach(|| self.queue.stats()).map_or_else(
            |error| format!("<RequestQueue {name:?} at {url}: {error}>"),
            |stats| {
                let counts: Vec<_> =
                    stats.by_status.iter().map(|(status, count)| format!("{count} {}", status.name())).collect();
                let state = if stats.closed {
                    ", closed"
                } else if stats.paused {
                    ", paused"
                } else {
                    ""
                };
                format!("<RequestQueue {name:?} at {url}: {}{state}>", counts.join(", "))
            },
        )
    }
}

/// A request that was handed out.
#[pyclass(frozen, module = "headrace._core.queue")]
pub(crate) struct Lease {
    lease: core::Lease,
    payload: PyOnceLock<Py<PyAny>>,
}

impl Lease {
    /// A lease that its caller has for certain.
    fn accepted(lease: core::Lease) -> Self {
        lease.accept();
        Self::offered(lease)
    }

    fn offered(lease: core::Lease) -> Self {
        Self { lease, payload: PyOnceLock::new() }
    }

    fn settle<F>(
        &self,
        py: Python<'_>,
        at_once: impl FnOnce(&core::Lease) -> headrace::Result<()>,
        later: F,
    ) -> Result<()>
    where
        F: Future<Output = headrace::Result<()>> + Send,
    {
        if self.lease.is_durable() { wait(py, async { Ok(later.await?) }) } else { Ok(at_once(&self.lease)?) }
    }
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
    fn tenant(&self) -> &str {
        self.lease.tenant()
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
        let kept = result.clone();
        self.settle(py, |lease| lease.ack(result, tokens), self.lease.ack_async(kept, tokens))
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
        self.settle(py, |lease| lease.nack(&error, delay, retry), self.lease.nack_async(&error, delay, retry))
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
                Err(crate::error::BindError::Core(Error::LeaseLost(_))) if self.lease.is_settled() => Ok(false),
                other => other.map(|()| false),
            };
        };
        let name = kind.getattr("__name__")?;
        let text = error.map_or_else(|| Ok(String::new()), |error| error.str().map(|text| text.to_string()))?;
        let reason = PyString::new(py, &format!("{name}: {text}"));
        match self.nack(py, Some(reason.as_any()), None, true) {
            Err(crate::error::BindError::Core(Error::LeaseLost(_))) => Ok(false),
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

fn options(
    given: Option<&Bound<'_, PyAny>>,
    tenant: Option<&str>,
    delay: Option<&Bound<'_, PyAny>>,
    deadline: Option<&Bound<'_, PyAny>>,
    key: Option<&str>,
    max_attempts: Option<i64>,
) -> Result<PutOptions> {
    if tenant == Some("") {
        return Err(PyValueError::new_err("tenant is empty: give a name, or leave it out").into());
    }
    Ok(PutOptions {
        priority: priority(given)?,
        tenant: tenant.filter(|tenant| *tenant != "default").map(Arc::from),
        delay: delay.map_or(Ok(Duration::ZERO), |delay| duration("delay", delay))?,
        deadline: deadline.map(|deadline| until("deadline", deadline)).transpose()?,
        key: key.map(Arc::from),
        max_attempts: max_attempts.map(attempts).transpose()?,
        ..PutOptions::default()
    })
}

fn attempts(value: i64) -> Result<u32> {
    u32::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| PyValueError::new_err(format!("max_attempts is {value}: give 1 or more")).into())
}

/// A bound; the core refuses zero with what to do.
fn bound(name: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value)
        .map_err(|_| PyValueError::new_err(format!("{name} is {value}: give 1 or more, or None for no bound")))
}

fn positive(name: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| PyValueError::new_err(format!("{name} is {value}: give 1 or more")))
}

fn all_payloads(payloads: &Bound<'_, PyAny>) -> PyResult<Vec<Payload>> {
    payloads.try_iter()?.map(|payload| payload::from_py(&payload?)).collect()
}

fn id_text(py: Python<'_>, id: RequestId) -> Bound<'_, PyString> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 16];
    let mut rest = id.0;
    for slot in text.iter_mut().rev() {
        *slot = DIGITS[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    PyString::new(py, std::str::from_utf8(&text).unwrap_or_default())
}

fn id_texts<'py>(py: Python<'py>, ids: &[RequestId]) -> Result<Bound<'py, PyList>> {
    Ok(PyList::new(py, ids.iter().map(|id| id_text(py, *id)))?)
}

fn optional_payload<'py>(py: Python<'py>, value: Option<&Payload>) -> Result<Bound<'py, PyAny>> {
    Ok(value.map_or_else(|| Ok(py.None().into_bound(py)), |value| payload::to_py(py, value))?)
}

fn failures<'py>(py: Python<'py>, history: &[Failure]) -> PyResult<Bound<'py, PyTuple>> {
    let rows = history
        .iter()
        .map(|failure| {
            let row = PyDict::new(py);
            row.set_item("attempt", failure.attempt)?;
            row.set_item("error", &failure.error)?;
            row.set_item("at", datetime(py, Duration::from_millis(failure.at_ms))?)?;
            Ok(row)
        })
        .collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, rows)
}

fn dead_letter<'py>(py: Python<'py>, letter: &DeadLetter) -> Result<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("id", id_text(py, letter.id))?;
    dict.set_item("payload", optional_payload(py, letter.payload.as_ref())?)?;
    dict.set_item("priority", letter.priority.name())?;
    dict.set_item("tenant", &*letter.tenant)?;
    dict.set_item("reason", &letter.reason)?;
    dict.set_item("history", failures(py, &letter.history)?)?;
    Ok(dict)
}

fn summary<'py>(py: Python<'py>, summary: &DurationSummary) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("count", summary.count)?;
    let figures = [
        ("mean", summary.mean),
        ("p50", summary.p50),
        ("p90", summary.p90),
        ("p95", summary.p95),
        ("p99", summary.p99),
        ("max", summary.max),
    ];
    for (name, seconds) in figures {
        dict.set_item(name, seconds)?;
    }
    Ok(dict)
}
