//! A call's turn: it waits in the queue, and holds its lease while a provider works.
//!
//! One task takes leases out of the queue and hands each to the caller that waits for it. A request whose caller is
//! not here, because its process died, is an orphan: the client finishes it (see `orphan`).

use crate::queue::{Lease, PutOptions, RequestId, RequestQueue};
use crate::{Error, Payload, Result};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// How many leases are taken at once.
const BATCH: usize = 64;
/// How long a lease is made to last, again and again, while a provider works.
const LEASE: Duration = Duration::from_mins(1);
const HEARTBEAT: Duration = Duration::from_secs(20);

/// Who waits for which turn.
pub(super) struct Turns {
    queue: RequestQueue,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Lease>>>,
    next: AtomicU64,
    /// Tells this client's requests from those of others on the same file.
    client: String,
    /// The process whose runtime runs the task; a forked child starts its own.
    process: AtomicU32,
    task: Mutex<Option<tokio::task::AbortHandle>>,
}

/// What became of the wait for a turn.
pub(super) enum Outcome {
    /// It is this call's turn.
    Turn(Turn),
    /// Another process on the same file was faster, and this is its answer.
    Elsewhere(Option<Payload>),
}

/// A lease that is kept alive; dropped unsettled, its request is cancelled.
pub(super) struct Turn {
    lease: Arc<Lease>,
    queue: RequestQueue,
    heartbeat: tokio::task::AbortHandle,
    settled: bool,
}

impl Turns {
    pub(super) fn new(queue: RequestQueue) -> Self {
        Self {
            queue,
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            client: format!("{:016x}", rand::random::<u64>()),
            process: AtomicU32::new(0),
            task: Mutex::default(),
        }
    }

    pub(super) fn queue(&self) -> &RequestQueue {
        &self.queue
    }

    /// Starts the task in this process, if it does not run. `adopt` finishes orphans.
    pub(super) fn start(
        self: &Arc<Self>,
        adopt: impl Fn(Turn, Value) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        let process = crate::process::id();
        if self.process.swap(process, Ordering::SeqCst) == process {
            return;
        }
        let (turns, queue) = (Arc::downgrade(self), self.queue.clone());
        let task = tokio::spawn(async move {
            while let Ok(leases) = queue.get_many_async(BATCH, None).await {
                let Some(turns) = turns.upgrade() else { return };
                for lease in leases {
                    turns.hand_over(lease, &adopt);
                }
            }
        });
        *self.task.lock() = Some(task.abort_handle());
    }

    fn hand_over(&self, lease: Lease, adopt: &(dyn Fn(Turn, Value) -> BoxFuture<'static, ()> + Send + Sync)) {
        let request = serde_json::from_slice::<Value>(lease.payload().as_bytes()).unwrap_or_default();
        let ours = request.get("client").and_then(Value::as_str) == Some(self.client.as_str());
        let ticket = request.get("ticket").and_then(Value::as_u64).filter(|_| ours);
        let waiting = ticket.and_then(|ticket| self.waiting.lock().remove(&ticket));
        match waiting {
            // A caller that has just left drops the lease, and with it the request goes back: see below.
            Some(waiting) => drop(waiting.send(lease)),
            None if ours => drop(Turn::new(lease, &self.queue)),
            None => drop(tokio::spawn(adopt(Turn::new(lease, &self.queue), request))),
        }
    }

    /// Waits for the turn of a call.
    pub(super) async fn wait(&self, mut request: Value, options: PutOptions) -> Result<Outcome> {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        request["client"] = self.client.clone().into();
        request["ticket"] = ticket.into();
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().insert(ticket, sender);
        let mut left = Left { turns: self, ticket, id: None };
        let id = self.queue.put_async(Payload::from(&request), options, None).await?;
        left.id = Some(id);
        let outcome = if self.queue.is_durable() {
            tokio::select! {
                biased;
                lease = receiver => lease.map(|lease| Outcome::Turn(Turn::new(lease, &self.queue))).ok(),
                result = self.queue.result_async(id, None) => Some(Outcome::Elsewhere(result?)),
            }
        } else {
            tokio::select! {
                biased;
                lease = receiver => lease.map(|lease| Outcome::Turn(Turn::new(lease, &self.queue))).ok(),
                // Without a lease it can only end badly: deadline, cancelled, closed.
                result = self.queue.result_async(id, None) => { result?; None }
            }
        };
        left.id = None;
        outcome.ok_or_else(|| Error::QueueClosed("the client is closed: make a new one".into()))
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take()
            && self.process.load(Ordering::SeqCst) == crate::process::id()
        {
            task.abort();
        }
    }
}

/// Cleans up after a caller that left while it waited.
struct Left<'a> {
    turns: &'a Turns,
    ticket: u64,
    id: Option<RequestId>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.turns.waiting.lock().remove(&self.ticket);
        if let Some(id) = self.id {
            cancel(&self.turns.queue, id);
        }
    }
}

fn cancel(queue: &RequestQueue, id: RequestId) {
    let queue = queue.clone();
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move { queue.cancel_async(id).await });
    }
}

impl Turn {
    fn new(lease: Lease, queue: &RequestQueue) -> Self {
        lease.accept();
        let lease = Arc::new(lease);
        let held = Arc::clone(&lease);
        let heartbeat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if held.extend_async(LEASE).await.is_err() {
                    return;
                }
            }
        });
        Self { lease, queue: queue.clone(), heartbeat: heartbeat.abort_handle(), settled: false }
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The work is done.
    pub(super) async fn done(mut self, result: Option<Payload>, tokens: u64) {
        self.settled = true;
        // A lease that was lost meanwhile was given to another: the answer is good all the same.
        let _ = self.lease.ack_async(result, Some(tokens)).await;
    }

    /// The work failed, and its caller is told: nobody else need try.
    pub(super) async fn failed(mut self) {
        self.settled = true;
        let _ = self.queue.cancel_async(self.lease.id()).await;
    }

    /// The work failed, and may be tried again later.
    pub(super) async fn retry_later(mut self, error: &str) {
        self.settled = true;
        let _ = self.lease.nack_async(error, None, true).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.heartbeat.abort();
        if !self.settled {
            cancel(&self.queue, self.lease.id());
        }
    }
}
