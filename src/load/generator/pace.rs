//! Waiting for the moment when a request is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Who keeps the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// A thread of its own that sleeps to about 0.1 ms: tokio's timer is no finer than a millisecond.
    #[default]
    Thread,
    /// The runtime's timer, which follows a paused clock.
    Runtime,
}

/// How long a thread sleeps before it looks whether it should stop.
const SLICE: Duration = Duration::from_millis(50);

/// Set when nobody waits for the run any longer.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the flag when dropped.
    pub fn guard(&self) -> StopGuard {
        StopGuard(self.clone())
    }
}

pub(super) struct StopGuard(Stop);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Pacing {
    /// Waits until `due`; false where the run is to stop.
    pub(super) async fn until(self, due: Instant, stop: &Stop) -> bool {
        match self {
            Self::Runtime => tokio::time::sleep_until(due).await,
            Self::Thread => loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() || stop.is_set() {
                    break;
                }
                std::thread::sleep(left.min(SLICE));
            },
        }
        !stop.is_set()
    }
}
