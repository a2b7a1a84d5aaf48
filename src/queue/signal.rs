//! A wake-up that a fork does not carry over.
//!
//! A forked child has a copy of the parent's list of waiting tasks, and none of the tasks: a wake-up could go to one
//! of them and be lost. So each process waits on a list of its own.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Signal {
    current: Mutex<(u32, Arc<Notify>)>,
}

impl Signal {
    pub(super) fn new() -> Self {
        Self { current: Mutex::new((std::process::id(), Arc::default())) }
    }

    /// This process's list.
    pub(super) fn get(&self) -> Arc<Notify> {
        let process = std::process::id();
        let mut current = self.current.lock();
        if current.0 != process {
            *current = (process, Arc::default());
        }
        Arc::clone(&current.1)
    }
}
