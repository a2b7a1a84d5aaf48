//! Who waits for the outcome of which request.

use crate::lock::Lock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Awaited {
    callers: usize,
    finished: Arc<Notify>,
}

/// The callers that wait, by request. As with a `Signal`, a forked child begins with none.
#[derive(Debug)]
pub(super) struct Outcomes {
    awaited: Lock<(u32, HashMap<u64, Awaited>)>,
    /// How many requests are waited for: most queues finish most requests while nobody waits.
    count: AtomicUsize,
}

impl Outcomes {
    pub(super) fn new() -> Self {
        Self { awaited: Lock::new((crate::process::id(), HashMap::new())), count: AtomicUsize::new(0) }
    }

    fn change<T>(&self, with: impl FnOnce(&mut HashMap<u64, Awaited>) -> T) -> T {
        let process = crate::process::id();
        let mut awaited = self.awaited.lock();
        if awaited.0 != process {
            *awaited = (process, HashMap::new());
        }
        let result = with(&mut awaited.1);
        self.count.store(awaited.1.len(), Ordering::SeqCst);
        result
    }

    /// Waits for a request as long as the answer lives.
    pub(super) fn expect(&self, id: u64) -> Expected<'_> {
        let finished = self.change(|awaited| {
            let request = awaited.entry(id).or_default();
            request.callers += 1;
            Arc::clone(&request.finished)
        });
        Expected { outcomes: self, id, finished }
    }

    /// Wakes those who wait for a request that has just finished. What finished before they came they see themselves.
    pub(super) fn wake(&self, id: u64) {
        if self.count.load(Ordering::SeqCst) > 0
            && let Some(finished) = self.change(|awaited| awaited.get(&id).map(|request| Arc::clone(&request.finished)))
        {
            finished.notify_waiters();
        }
    }

    pub(super) fn wake_all(&self) {
        for finished in self.change(|awaited| awaited.values().map(|one| Arc::clone(&one.finished)).collect::<Vec<_>>())
        {
            finished.notify_waiters();
        }
    }
}

pub(super) struct Expected<'a> {
    outcomes: &'a Outcomes,
    id: u64,
    pub(super) finished: Arc<Notify>,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.outcomes.change(|awaited| {
            if let Some(request) = awaited.get_mut(&self.id) {
                request.callers = request.callers.saturating_sub(1);
                if request.callers == 0 {
                    awaited.remove(&self.id);
                }
            }
        });
    }
}
