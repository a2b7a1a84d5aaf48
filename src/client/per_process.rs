//! What belongs to one process: a forked child starts with its own.

use parking_lot::Mutex;
use std::sync::Arc;

/// A value for each process; a child does not see what its parent was about to do.
#[derive(Debug)]
pub(super) struct PerProcess<T> {
    slot: Mutex<Option<(u32, Arc<T>)>>,
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self { slot: Mutex::new(None) }
    }
}

impl<T: Default> PerProcess<T> {
    /// This process's value.
    pub(super) fn get(&self) -> Arc<T> {
        let process = crate::process::id();
        let mut slot = self.slot.lock();
        match slot.as_ref() {
            Some((owner, value)) if *owner == process => Arc::clone(value),
            _ => {
                let value = Arc::new(T::default());
                // The parent's value is left as it is: its tasks do not exist here, and dropping it could wait for them.
                if let Some(old) = slot.replace((process, Arc::clone(&value))) {
                    std::mem::forget(old);
                }
                value
            }
        }
    }
}
