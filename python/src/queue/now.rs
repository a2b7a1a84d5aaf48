//! What a queue in memory can do without waiting, and how an event loop gets its turn all the same.

use super::RequestQueue;
use super::lease::{Lease, lease_list};
use crate::awaitable::awaitable;
use crate::error::Result;
use crate::polled::polled;
use headrace::queue::{PutOptions, RequestId};
use headrace::{Error, Payload};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::atomic::Ordering;

/// How many asyncio calls are served before one must let the event loop turn: about a quarter of a millisecond of them.
const WORK_A_TURN: usize = 256;
/// How many calls one for many requests counts for.
pub(super) const MANY: usize = 32;
/// How many bytes take as long as a call.
pub(super) const BYTES_A_CALL: usize = 1024;

impl RequestQueue {
    /// Puts into a queue in memory that has room; gives the payload back where that has to be waited for.
    pub(super) fn put_now(
        &self,
        payload: Payload,
        options: &PutOptions,
    ) -> Result<std::result::Result<RequestId, Payload>> {
        if self.queue.is_durable() {
            return Ok(Err(payload));
        }
        if !self.queue.is_bounded() {
            return Ok(Ok(self.queue.put(payload, options)?));
        }
        match self.queue.put(payload.clone(), options) {
            Err(Error::QueueFull(_)) => Ok(Err(payload)),
            other => Ok(Ok(other?)),
        }
    }

    /// The same for many, all or none.
    pub(super) fn put_many_now(
        &self,
        payloads: Vec<Payload>,
        options: &PutOptions,
    ) -> Result<std::result::Result<Vec<RequestId>, Vec<Payload>>> {
        if self.queue.is_durable() {
            return Ok(Err(payloads));
        }
        if !self.queue.is_bounded() {
            return Ok(Ok(self.queue.put_many(payloads, options)?));
        }
        match self.queue.put_many(payloads.clone(), options) {
            Err(Error::QueueFull(_)) => Ok(Err(payloads)),
            other => Ok(Ok(other?)),
        }
    }

    /// A coroutine that never has to wait would keep its event loop from everything else: so often, it has to.
    pub(super) fn is_turn_over(&self) -> bool {
        let over = self.turn.load(Ordering::Relaxed) >= WORK_A_TURN;
        if over {
            self.turn.store(0, Ordering::Relaxed);
        }
        over
    }

    pub(super) fn count_work(&self, bytes: usize) {
        // Callers hold the GIL, so that nothing comes between.
        self.turn.store(self.turn.load(Ordering::Relaxed) + 1 + bytes / BYTES_A_CALL, Ordering::Relaxed);
    }

    /// An awaitable of the running event loop: run by that itself, unless a disk has to be waited for.
    pub(super) fn future<'py, F, T>(&self, py: Python<'py>, future: F) -> Result<Bound<'py, PyAny>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: for<'a> IntoPyObject<'a> + Send + 'static,
    {
        Ok(if self.queue.is_durable() { awaitable(py, future)? } else { polled(py, future)? })
    }

    /// A request that is there now, in memory.
    pub(super) fn try_get(&self) -> Result<Option<Lease>> {
        if self.queue.is_durable() {
            return Ok(None);
        }
        Ok(self.queue.try_get()?.map(Lease::accepted))
    }

    /// Those that are there now, in memory; None where there is none.
    pub(super) fn try_get_many<'py>(&self, py: Python<'py>, most: usize) -> Result<Option<Bound<'py, PyList>>> {
        if self.queue.is_durable() {
            return Ok(None);
        }
        let leases = self.queue.try_get_many(most)?;
        Ok(if leases.is_empty() { None } else { Some(lease_list(py, leases)?) })
    }
}
