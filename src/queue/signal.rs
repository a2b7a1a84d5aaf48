//! A wake-up that a fork does not carry over, and that costs nothing where nobody waits.
//!
//! A forked child has a copy of the parent's list of waiting tasks, and none of the tasks: a wake-up could go to one
//! of them and be lost. So each process waits on a list of its own.

use crate::lock::Lock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

#[derive(Debug)]
pub(super) struct Signal {
    current: Lock<(u32, Arc<Notify>)>,
    listeners: AtomicUsize,
}

impl Signal {
    pub(super) fn new() -> Self {
        Self { current: Lock::new((crate::process::id(), Arc::default())), listeners: AtomicUsize::new(0) }
    }

    /// This process's list.
    fn get(&self) -> Arc<Notify> {
        let process = crate::process::id();
        let mut current = self.current.lock();
        if current.0 != process {
            *current = (process, Arc::default());
        }
        Arc::clone(&current.1)
    }

    /// Counts as waiting for as long as the answer lives. Look at the state after this, not before.
    pub(super) fn listen(&self) -> Listener<'_> {
        self.listeners.fetch_add(1, Ordering::SeqCst);
        Listener { signal: self, list: self.get() }
    }

    /// Whether anybody waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.listeners.load(Ordering::SeqCst) > 0
    }

    /// Wakes up to `most` of those who wait; one that nobody waits for yet is kept for the next.
    pub(super) fn wake(&self, most: usize) {
        let count = self.listeners.load(Ordering::SeqCst).min(most);
        if count > 0 {
            let list = self.get();
            for _ in 0..count {
                list.notify_one();
            }
        }
    }

    pub(super) fn wake_all(&self) {
        if self.listeners.load(Ordering::SeqCst) > 0 {
            let list = self.get();
            list.notify_waiters();
            list.notify_one();
        }
    }
}

pub(super) struct Listener<'a> {
    signal: &'a Signal,
    list: Arc<Notify>,
}

impl Listener<'_> {
    pub(super) fn notified(&self) -> Notified<'_> {
        self.list.notified()
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.signal.listeners.fetch_sub(1, Ordering::SeqCst);
    }
}
