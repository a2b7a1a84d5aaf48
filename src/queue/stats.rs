//! What a queue says of itself.

use super::RequestQueue;
use super::base::QueueBase;
use super::entry::Status;
use crate::Result;
use crate::metrics::DurationSummary;
use std::sync::Arc;

/// Counts and durations of a queue since it was opened.
#[derive(Debug, Clone)]
pub struct QueueStats {
    /// Requests by state, in the order of [`Status`].
    pub by_status: [(Status, usize); 6],
    /// Open requests by priority, most urgent first.
    pub by_priority: [usize; 4],
    /// Open requests by tenant.
    pub by_tenant: Vec<(Arc<str>, usize)>,
    /// Bytes of payload that are open.
    pub bytes: usize,
    /// Requests taken in by this process.
    pub put: u64,
    /// Requests acked by this process.
    pub acked: u64,
    /// Times that a request was to be tried again.
    pub retried: u64,
    /// Leases that ended unsettled.
    pub expired: u64,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it is closed.
    pub closed: bool,
    /// How long puts took.
    pub enqueue: DurationSummary,
    /// How long requests were ready before they were handed out.
    pub wait: DurationSummary,
    /// How long leases lasted.
    pub run: DurationSummary,
}

impl RequestQueue {
    /// Counts by state, priority and tenant, and the durations of puts, waits and runs.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn stats(&self) -> Result<QueueStats> {
        crate::blocking::block_on(self.store.stats())
    }
}

impl QueueBase {
    /// What the state says of itself.
    pub(super) fn counts(&self) -> QueueStats {
        let core = self.core.lock();
        let (by_priority, by_tenant) = core.breakdown();
        QueueStats {
            by_status: Status::ALL.map(|status| (status, core.count(status))),
            by_priority,
            by_tenant,
            bytes: core.bytes(),
            put: core.meters.put,
            acked: core.meters.acked,
            retried: core.meters.retried,
            expired: core.meters.expired,
            paused: core.paused,
            closed: core.closed,
            enqueue: core.meters.enqueue.summary(),
            wait: core.meters.wait.summary(),
            run: core.meters.run.summary(),
        }
    }
}
