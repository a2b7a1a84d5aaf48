//! Calls as each is over, for traces.

use crate::error::Result;
use crate::payload::json_to_py;
use crate::runtime::wait;
use headrace::metrics::CallFeed as Core;
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, watch};

/// Tells of each call that is over, from its opening on, through a bounded channel: no call waits for a listener.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct CallFeed {
    feed: Arc<Mutex<Core>>,
    losses: Arc<AtomicU64>,
    closed: watch::Sender<bool>,
}

impl CallFeed {
    pub(super) fn new(feed: Core) -> Self {
        Self { losses: feed.losses(), feed: Arc::new(Mutex::new(feed)), closed: watch::Sender::new(false) }
    }
}

#[pymethods]
impl CallFeed {
    /// The facts of the next call that is over; it waits for one. None once it is closed and all was told.
    fn next<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyAny>>> {
        let (feed, mut closed) = (Arc::clone(&self.feed), self.closed.subscribe());
        let next = wait(py, async move {
            let mut feed = feed.lock().await;
            let next = tokio::select! {
                biased;
                next = feed.next() => next,
                _ = closed.wait_for(|closed| *closed) => None,
            };
            Ok(next)
        })?;
        next.map(|call| Ok(json_to_py(py, &call.to_json())?)).transpose()
    }

    /// How many calls were not told, since the listener was too slow.
    #[getter]
    fn lost(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// Ends what waits in `next`, once all is told that was over before.
    fn close(&self) {
        self.closed.send_replace(true);
    }
}
