//! What an event loop is left to do: it is woken once for all that is there by then.

use crate::runtime::{Bridged, is_exiting, runtime};
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

/// Something that an event loop is to do. Dropped where that loop is closed.
pub(crate) trait Letter: Send {
    fn open(self: Box<Self>, py: Python<'_>) -> PyResult<()>;
}

/// What one event loop has not done yet.
pub(crate) struct Inbox {
    event_loop: Py<PyAny>,
    process: u32,
    letters: Mutex<Vec<Box<dyn Letter>>>,
}

thread_local! {
    /// The inbox of the loop that ran here last, for as long as anything is under way.
    static LAST: RefCell<Weak<Inbox>> = const { RefCell::new(Weak::new()) };
    /// Whether this thread wakes loops itself, and whether there is one to wake.
    static DUTY: Cell<Duty> = const { Cell::new(Duty::None) };
    /// The inboxes that got a first letter from this thread while it had that duty.
    static RUNG: RefCell<Vec<Arc<Inbox>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    None,
    Idle,
    Rung,
}

/// Runs what may finish what event loops wait for, on a thread that has the GIL: it then wakes them itself, where
/// otherwise another thread would have to get the GIL first.
pub(crate) fn ringing<T>(py: Python<'_>, work: impl FnOnce() -> T) -> T {
    if DUTY.get() != Duty::None {
        return work();
    }
    DUTY.set(Duty::Idle);
    let ringer = Ringer(py);
    let result = work();
    drop(ringer);
    result
}

struct Ringer<'py>(Python<'py>);

impl Drop for Ringer<'_> {
    fn drop(&mut self) {
        if DUTY.replace(Duty::None) == Duty::Rung {
            for inbox in RUNG.take() {
                inbox.wake(self.0);
            }
        }
    }
}

impl Inbox {
    pub(crate) fn of_running_loop(py: Python<'_>) -> PyResult<Arc<Self>> {
        static GET_RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let event_loop = GET_RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        let process = headrace::process::id();
        LAST.with_borrow_mut(|last| {
            // A forked child must not wait for a bell that was rung in its parent.
            if let Some(inbox) =
                last.upgrade().filter(|inbox| inbox.event_loop.is(&event_loop) && inbox.process == process)
            {
                return Ok(inbox);
            }
            let inbox = Arc::new(Self { event_loop: event_loop.unbind(), process, letters: Mutex::default() });
            *last = Arc::downgrade(&inbox);
            Ok(inbox)
        })
    }

    /// A future of this loop.
    pub(crate) fn promise<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.event_loop.bind(py).call_method0(intern!(py, "create_future"))
    }

    /// Leaves a letter; the first in an empty inbox wakes the loop.
    pub(crate) fn leave(self: &Arc<Self>, bridged: Bridged, letter: Box<dyn Letter>) {
        let first = {
            let mut letters = self.letters.lock();
            letters.push(letter);
            letters.len() == 1
        };
        if !first {
            return;
        }
        let inbox = Arc::clone(self);
        if DUTY.get() != Duty::None {
            DUTY.set(Duty::Rung);
            return RUNG.with_borrow_mut(|rung| rung.push(inbox));
        }
        if is_exiting() {
            return;
        }
        // Waiting for the GIL must not keep other futures from a thread.
        runtime().spawn_blocking(move || {
            let _bridged = bridged;
            Python::attach(|py| inbox.wake(py));
        });
    }

    fn wake(self: Arc<Self>, py: Python<'_>) {
        if self.call_loop(py).is_err() {
            // The loop is closed: nobody waits any more.
            let undelivered = std::mem::take(&mut *self.letters.lock());
            drop(undelivered);
        }
    }

    fn call_loop(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (event_loop, postman) = (self.event_loop.bind(py), Postman(Arc::clone(self)));
        // From inside the loop, it need not be woken.
        if RUNNING.import(py, "asyncio", "_get_running_loop")?.call0()?.is(event_loop) {
            event_loop.call_method1(intern!(py, "call_soon"), (postman,))?;
        } else {
            event_loop.call_method1(intern!(py, "call_soon_threadsafe"), (postman,))?;
        }
        Ok(())
    }
}

/// Opens, inside the event loop, all that is there.
#[pyclass(frozen)]
struct Postman(Arc<Inbox>);

#[pymethods]
impl Postman {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        crate::log::flush(py);
        let letters = std::mem::take(&mut *self.0.letters.lock());
        // One that cannot be opened is no reason to drop those behind it.
        letters.into_iter().map(|letter| letter.open(py)).fold(Ok(()), PyResult::and)
    }
}
