//! Requests whose caller died: a durable queue keeps them, and the next client finishes them.

use super::{ChatCall, Client};
use crate::Result;
use crate::lock::Lock;
use crate::queue::Lease;
use std::sync::Arc;

/// How many orphans are taken at once.
const BATCH: usize = 16;

/// The task that finishes orphans, with the process that it runs in: a forked child has a copy of the handle and no task.
#[derive(Debug, Default)]
pub(super) struct Watch {
    task: Lock<Option<(u32, tokio::task::AbortHandle)>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        match self.task.get_mut().take() {
            Some((process, task)) if process == crate::process::id() => task.abort(),
            // Of a parent's task nothing is touched: it belongs to a runtime that does not exist here.
            foreign => std::mem::forget(foreign),
        }
    }
}

impl Client {
    /// Starts to finish what dead processes left, if this process does not do so yet; inside a runtime. A queue in memory
    /// has no orphans.
    pub fn watch_orphans(&self) {
        if !self.inner.queue.is_durable() {
            return;
        }
        let process = crate::process::id();
        let mut task = self.inner.orphans.task.lock();
        if task.as_ref().is_some_and(|(owner, _)| *owner == process) {
            return;
        }
        let (weak, queue) = (Arc::downgrade(&self.inner), self.inner.queue.clone());
        let spawned = tokio::spawn(async move {
            while let Ok(leases) = queue.adopt(BATCH, None).await {
                for lease in leases {
                    let Some(inner) = weak.upgrade() else { return };
                    tokio::spawn(async move { Self { inner }.adopt(lease).await });
                }
            }
        });
        std::mem::forget(task.replace((process, spawned.abort_handle())));
    }

    /// Asks for the answer, books and keeps it, and leaves it as the request's result.
    async fn adopt(&self, lease: Lease) {
        let finished: Result<_> = async {
            let call = ChatCall::from_payload(lease.payload(), lease.tenant(), lease.priority())?;
            self.finish_orphan(call, lease).await
        }
        .await;
        if let Err(error) = finished {
            tracing::warn!(%error, "a request that a dead process left was not finished");
        }
    }
}
