//! A clock that a test moves, in place of short sleeps.

use crate::duration::duration;
use crate::error::Result;
use headrace::clock::{Clock, ManualClock, SystemClock};
use pyo3::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static MANUAL: RefCell<Vec<ManualClock>> = const { RefCell::new(Vec::new()) };
}

/// The clock of what this thread makes now: the manual one whose `with` block it is in, else the machine's.
pub(crate) fn current() -> Arc<dyn Clock> {
    let manual = MANUAL.with_borrow(|manual| manual.last().cloned());
    manual.map_or_else(|| Arc::new(SystemClock::default()) as Arc<dyn Clock>, |manual| Arc::new(manual))
}

/// A clock that stands still until it is moved, for the tests of headrace.
///
/// What a thread makes inside the `with` block (a queue, a cache, a cost tracker) reads this clock for good. A wait that
/// is under way does not notice that the clock was moved: move it, then ask with `timeout=0`.
///
/// Example:
///     >>> import headrace
///     >>> from headrace._core.clock import Manual
///     >>> with Manual() as clock:
///     ...     q = headrace.RequestQueue(lease_seconds=60)
///     >>> _ = q.put("x"), q.get(timeout=0)
///     >>> clock.advance(61)
///     >>> q.get(timeout=0).attempt
///     2
#[pyclass(frozen, module = "headrace._core.clock")]
struct Manual {
    clock: ManualClock,
}

#[pymethods]
impl Manual {
    #[new]
    fn new() -> Self {
        Self { clock: ManualClock::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()) }
    }

    /// Moves the time forward.
    ///
    /// Args:
    ///     by: Seconds, or a timedelta.
    fn advance(&self, by: &Bound<'_, PyAny>) -> Result<()> {
        self.clock.advance(duration("by", by)?);
        Ok(())
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        MANUAL.with_borrow_mut(|manual| manual.push(slf.clock.clone()));
        slf
    }

    fn __exit__(&self, _kind: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        MANUAL.with_borrow_mut(Vec::pop);
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Manual>()
}
