//! The request queue for Python.

mod lease;
mod now;
mod options;
mod text;

pub(crate) use options::priority;

use crate::duration::duration;
use crate::error::Result;
use crate::inbox::ringing;
use crate::payload;
use crate::runtime::wait;
use headrace::queue::{self as core, QueueConfig, RequestId};
use lease::{Lease, lease_list};
use now::{BYTES_A_CALL, MANY};
use options::{Limit, all_payloads, attempts, bound, options, positive};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use text::{dead_letter, id_text, id_texts, optional_payload};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RequestQueue>()?;
    module.add_class::<Lease>()
}

/// The queue; `headrace.RequestQueue` adds the asyncio twins.
#[pyclass(frozen, subclass, module = "headrace._core.queue")]
pub(crate) struct RequestQueue {
    pub(crate) queue: core::RequestQueue,
    /// The work done for asyncio callers since their event loop turned.
    turn: AtomicUsize,
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
        let clock = crate::clock::current();
        let queue = py.detach(move || core::RequestQueue::open_with_clock(&url, config, clock))?;
        Ok(Self { queue, turn: AtomicUsize::new(0) })
    }

    /// Put a request and give its id; a durable queue has it on disk then. `aput` is the same for asyncio.
    ///
    /// Args:
    ///     payload: any JSON value, or bytes; it comes back as it went in. What JSON would change (a tuple, an enum, a
    ///         key that is no text, NaN) is refused.
    ///     priority: critical, high, normal or low, or 0 to 3.
    ///     tenant: whose it is.
    ///     delay: seconds, or a timedelta, until it may be handed out.
    ///     deadline: seconds, a timedelta, or an aware datetime after which it is dead with the reason `deadline`.
    ///     key: a put whose key was seen before, done or not, puts nothing and gives the first id.
    ///     max_attempts: how often it is handed out; the queue's own where None.
    ///     timeout: seconds, or a timedelta, to wait for room in a full queue; None waits as long as it takes.
    ///
    /// Raises:
    ///     QueueFull: there was no room in time.
    ///     QueueClosed: the queue is closed.
    ///     StoreError: it could not be written.
    ///     TypeError: the payload is neither JSON nor bytes, or would come back changed.
    ///     ValueError: an option is out of its range, or the payload has no JSON form.
    ///
    /// >>> import headrace
    /// >>> q = headrace.RequestQueue()
    /// >>> q.status(q.put({"question": "scope 1 in 2023?"}, priority="high", tenant="acme"))
    /// 'waiting'
    #[pyo3(
        signature = (payload, *, priority=None, tenant=None, delay=None, deadline=None, key=None, max_attempts=None, timeout=None),
        text_signature = "($self, payload, *, priority='normal', tenant=None, delay=None, deadline=None, key=None, max_attempts=None, timeout=None)"
    )]
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
        match ringing(py, || self.put_now(payload, &options))? {
            Ok(id) => Ok(id_text(py, id)),
            Err(payload) => {
                let queue = self.queue.clone();
                let id = wait(py, async move { Ok(queue.put_async(payload, options, timeout).await?) })?;
                Ok(id_text(py, id))
            }
        }
    }

    /// The id, or None where an asyncio caller has to wait, for room or for its turn.
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
        let options = options(priority, tenant, delay, deadline, key, max_attempts)?;
        crate::duration::timeout(timeout)?;
        if self.is_turn_over() {
            return Ok(None);
        }
        let payload = payload::from_py(payload)?;
        self.count_work(payload.len());
        Ok(ringing(py, || self.put_now(payload, &options))?.ok().map(|id| id_text(py, id)))
    }

    /// Whether an asyncio caller is to let its event loop turn; counts a call.
    fn _is_turn_over(&self) -> bool {
        let over = self.is_turn_over();
        self.count_work(BYTES_A_CALL * MANY);
        over
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
        self.future(py, async move {
            let ids = queue.put_many_async(payloads, options, timeout).await?;
            Ok(ids.iter().map(ToString::to_string).collect::<Vec<_>>())
        })
    }

    /// Put requests with the same options, all or none, and give their ids; see `put`. `aput_many` is the same for asyncio.
    ///
    /// Args:
    ///     payloads: what each request carries.
    ///     key: belongs to one request: give it with one payload only.
    ///
    /// Raises:
    ///     QueueFull: there was no room for all of them in time.
    ///     QueueClosed, StoreError, TypeError, ValueError: as `put`; nothing was put then.
    #[pyo3(
        signature = (payloads, *, priority=None, tenant=None, delay=None, deadline=None, key=None, max_attempts=None, timeout=None),
        text_signature = "($self, payloads, *, priority='normal', tenant=None, delay=None, deadline=None, key=None, max_attempts=None, timeout=None)"
    )]
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
        match ringing(py, || self.put_many_now(payloads, &options))? {
            Ok(ids) => id_texts(py, &ids),
            Err(payloads) => {
                let queue = self.queue.clone();
                let ids = wait(py, async move { Ok(queue.put_many_async(payloads, options, timeout).await?) })?;
                id_texts(py, &ids)
            }
        }
    }

    /// Take the next request, waiting for one. `aget` is the same for asyncio.
    ///
    /// Args:
    ///     timeout: seconds, or a timedelta, to wait; None waits as long as it takes.
    ///
    /// Raises:
    ///     Timeout: none came in time.
    ///     QueueClosed: the queue is closed.
    ///     StoreError: the file could not be read or written.
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

    /// A request that is there now, in memory; None where an asyncio caller has to wait, for one or for its turn.
    #[pyo3(signature = (timeout))]
    fn _try_get(&self, timeout: Option<&Bound<'_, PyAny>>) -> Result<Option<Lease>> {
        crate::duration::timeout(timeout)?;
        if self.is_turn_over() {
            return Ok(None);
        }
        self.count_work(0);
        self.try_get()
    }

    /// Take up to `n` requests, as many as there are, waiting for the first. `aget_many` is the same for asyncio.
    ///
    /// Args:
    ///     n: how many at most, 1 or more.
    ///     timeout: seconds, or a timedelta, to wait for the first; None waits as long as it takes.
    ///
    /// Raises:
    ///     Timeout, QueueClosed, StoreError: as `get`.
    #[pyo3(signature = (n, timeout=None))]
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        n: i64,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyList>> {
        let (most, timeout) = (positive("n", n)?, crate::duration::timeout(timeout)?);
        if let Some(leases) = self.try_get_many(py, most)? {
            return Ok(leases);
        }
        let queue = self.queue.clone();
        let leases = wait(py, async move { Ok(queue.get_many_async(most, timeout).await?) })?;
        Ok(lease_list(py, leases)?)
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
        self.future(py, async move {
            let leases = queue.get_many_async(most, timeout).await?;
            Ok(leases.into_iter().map(Lease::offered).collect::<Vec<_>>())
        })
    }

    /// What the ack was given, waiting until the request is finished. `aresult` is the same for asyncio.
    ///
    /// Args:
    ///     id: what `put` gave.
    ///     timeout: seconds, or a timedelta, to wait; None waits as long as it takes.
    ///
    /// Raises:
    ///     RequestFailed: it went to the dead letters.
    ///     RequestCancelled: it was cancelled.
    ///     Timeout: it was not finished in time.
    ///     ValueError: the id is unknown, or what became of it is no longer kept.
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
        self.future(py, async move {
            let result = queue.result_async(id, timeout).await?;
            Python::attach(|py| Ok(optional_payload(py, result.as_ref())?.unbind()))
        })
    }

    /// Where a request is: waiting, scheduled, leased, done, dead or cancelled. `astatus` is the same for asyncio.
    ///
    /// Raises:
    ///     ValueError: the id is unknown, or what became of it is no longer kept.
    fn status(&self, py: Python<'_>, id: &str) -> Result<&'static str> {
        let id = id.parse::<RequestId>()?;
        Ok(py.detach(|| self.queue.status(id))?.name())
    }

    /// Cancel an open request, leased ones too; whether it was open. `acancel` is the same for asyncio.
    ///
    /// Raises:
    ///     ValueError: the id is unknown, or what became of it is no longer kept.
    fn cancel(&self, py: Python<'_>, id: &str) -> Result<bool> {
        let id = id.parse::<RequestId>()?;
        let queue = self.queue.clone();
        wait(py, async move { Ok(queue.cancel_async(id).await?) })
    }

    /// Put a dead letter back, with all its attempts before it. `arequeue` is the same for asyncio.
    ///
    /// Raises:
    ///     ValueError: the id is unknown, or the request is not dead.
    fn requeue(&self, py: Python<'_>, id: &str) -> Result<()> {
        let id = id.parse::<RequestId>()?;
        let queue = self.queue.clone();
        wait(py, async move { Ok(queue.requeue_async(id).await?) })
    }

    /// The dead letters, oldest first: id, payload, priority, tenant, reason, history. `adead` is the same for asyncio.
    fn dead<'py>(&self, py: Python<'py>) -> Result<Vec<Bound<'py, PyDict>>> {
        let letters = py.detach(|| self.queue.dead())?;
        letters.iter().map(|letter| dead_letter(py, letter)).collect()
    }

    /// Stop handing out, in every process that shares the queue; what is leased goes on. `apause` is the same for asyncio.
    fn pause(&self, py: Python<'_>) -> Result<()> {
        wait(py, async { Ok(self.queue.set_paused_async(true).await?) })
    }

    /// Hand out again. `aresume` is the same for asyncio.
    fn resume(&self, py: Python<'_>) -> Result<()> {
        wait(py, async { Ok(self.queue.set_paused_async(false).await?) })
    }

    /// Wait until nothing is open. `adrain` is the same for asyncio.
    ///
    /// Args:
    ///     timeout: seconds, or a timedelta, to wait; None waits as long as it takes.
    ///
    /// Raises:
    ///     Timeout: something was still open then.
    ///     QueueClosed: the queue is closed.
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
        self.future(py, async move { Ok(queue.drain_async(timeout).await?) })
    }

    /// End the queue for everyone who shares this object; a durable one keeps its requests.
    fn close(&self) {
        self.queue.close();
    }

    fn _status_future<'py>(&self, py: Python<'py>, id: &str) -> Result<Bound<'py, PyAny>> {
        let (id, queue) = (id.parse::<RequestId>()?, self.queue.clone());
        self.future(py, async move { Ok(queue.status(id)?.name()) })
    }

    fn _cancel_future<'py>(&self, py: Python<'py>, id: &str) -> Result<Bound<'py, PyAny>> {
        let (id, queue) = (id.parse::<RequestId>()?, self.queue.clone());
        self.future(py, async move { Ok(queue.cancel_async(id).await?) })
    }

    fn _requeue_future<'py>(&self, py: Python<'py>, id: &str) -> Result<Bound<'py, PyAny>> {
        let (id, queue) = (id.parse::<RequestId>()?, self.queue.clone());
        self.future(py, async move { Ok(queue.requeue_async(id).await?) })
    }

    fn _dead_future<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let queue = self.queue.clone();
        self.future(py, async move {
            let letters = queue.dead()?;
            Python::attach(|py| {
                letters.iter().map(|letter| Ok(dead_letter(py, letter)?.unbind())).collect::<Result<Vec<_>>>()
            })
        })
    }

    fn _stats_future<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let queue = self.queue.clone();
        self.future(py, async move {
            let stats = queue.stats()?;
            Python::attach(|py| Ok(text::stats(py, &stats)?.unbind()))
        })
    }

    fn _pause_future<'py>(&self, py: Python<'py>, paused: bool) -> Result<Bound<'py, PyAny>> {
        let queue = self.queue.clone();
        self.future(py, async move { Ok(queue.set_paused_async(paused).await?) })
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize> {
        Ok(py.detach(|| self.queue.len())?)
    }

    // A queue is not false for being empty.
    fn __bool__(&self) -> bool {
        true
    }

    /// The address it was opened with.
    #[getter]
    fn url(&self) -> &str {
        self.queue.url()
    }

    /// Its name inside the store.
    #[getter]
    fn name(&self) -> &str {
        self.queue.name()
    }

    /// Counts by state, priority and tenant; how long puts, waits and runs took, in seconds. `astats` is the same for asyncio.
    fn stats<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let stats = py.detach(|| self.queue.stats())?;
        Ok(text::stats(py, &stats)?)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (url, name) = (self.queue.url(), self.queue.name());
        let state =
            py.detach(|| self.queue.stats()).map_or_else(|error| error.to_string(), |stats| text::glance(&stats));
        format!("<RequestQueue {name:?} at {url}: {state}>")
    }
}
