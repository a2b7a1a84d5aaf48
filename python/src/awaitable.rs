//! Futures of the core as awaitables of asyncio.
//!
//! What is done is left in an inbox of the event loop, and one call into the loop empties it: however many are done
//! by then, the loop is woken once.

use crate::error::{BindError, Result};
use crate::runtime::{Bridged, exiting, runtime};
use futures_util::FutureExt;
use headrace::Error;
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use tokio::sync::oneshot;

/// An awaitable of the running event loop; cancelling it drops the future.
pub(crate) fn awaitable<F, T>(py: Python<'_>, future: F) -> PyResult<Bound<'_, PyAny>>
where
    F: Future<Output = Result<T>> + Send + 'static,
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    let inbox = Inbox::of_running_loop(py)?;
    let promise = inbox.event_loop.bind(py).call_method0("create_future")?;
    let (alive, abandoned) = oneshot::channel();
    promise.call_method1("add_done_callback", (Alive(Mutex::new(Some(alive))),))?;
    let awaited = promise.clone().unbind();
    let bridged = Bridged::new();
    runtime().spawn(async move {
        let outcome = tokio::select! {
            biased;
            outcome = AssertUnwindSafe(future).catch_unwind() => outcome.unwrap_or_else(|_| Err(broken())),
            _ = abandoned => Err(CancelledError::new_err(()).into()),
            () = exiting() => Err(CancelledError::new_err(()).into()),
        };
        inbox.leave(bridged, Letter { awaited, outcome: Box::new(outcome) });
    });
    Ok(promise)
}

fn broken() -> BindError {
    Error::Store("a call broke inside headrace: this is a bug of headrace, please report it".into()).into()
}

/// The outcome of a future, whatever its type.
trait Outcome: Send {
    fn into_object(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

impl<T> Outcome for Result<T>
where
    T: for<'py> IntoPyObject<'py> + Send,
{
    fn into_object(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let value = (*self)?;
        value.into_py_any(py)
    }
}

struct Letter {
    awaited: Py<PyAny>,
    outcome: Box<dyn Outcome>,
}

impl Letter {
    /// Hands the outcome to who waits; one who waits no more lets it be dropped.
    fn deliver(self, py: Python<'_>) -> PyResult<()> {
        let awaited = self.awaited.bind(py);
        if awaited.call_method0("done")?.is_truthy()? {
            return Ok(());
        }
        match self.outcome.into_object(py) {
            Ok(value) => awaited.call_method1("set_result", (value,))?,
            Err(error) => awaited.call_method1("set_exception", (error,))?,
        };
        Ok(())
    }
}

/// What is done and not yet delivered to one event loop.
struct Inbox {
    event_loop: Py<PyAny>,
    process: u32,
    letters: Mutex<Vec<Letter>>,
}

thread_local! {
    /// The inbox of the loop that ran here last, for as long as anything is under way.
    static LAST: RefCell<Weak<Inbox>> = const { RefCell::new(Weak::new()) };
}

impl Inbox {
    fn of_running_loop(py: Python<'_>) -> PyResult<Arc<Self>> {
        static GET_RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let event_loop = GET_RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        let process = std::process::id();
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

    /// Leaves a letter; the first in an empty inbox wakes the loop.
    fn leave(self: Arc<Self>, bridged: Bridged, letter: Letter) {
        let first = {
            let mut letters = self.letters.lock();
            letters.push(letter);
            letters.len() == 1
        };
        if first {
            // Waiting for the GIL must not keep other futures from a thread.
            runtime().spawn_blocking(move || {
                let _bridged = bridged;
                Python::attach(|py| self.wake(py));
            });
        }
    }

    fn wake(self: Arc<Self>, py: Python<'_>) {
        let postman = Postman(Arc::clone(&self));
        if self.event_loop.bind(py).call_method1("call_soon_threadsafe", (postman,)).is_err() {
            // The loop is closed: nobody waits any more.
            let undelivered = std::mem::take(&mut *self.letters.lock());
            drop(undelivered);
        }
    }
}

/// Delivers, inside the event loop, all that is done.
#[pyclass(frozen)]
struct Postman(Arc<Inbox>);

#[pymethods]
impl Postman {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        crate::log::flush(py);
        let letters = std::mem::take(&mut *self.0.letters.lock());
        letters.into_iter().try_for_each(|letter| letter.deliver(py))
    }
}

/// Kept by an awaitable, as what it calls when it is done; gone when that was cancelled, and the core's future with it.
#[pyclass(frozen)]
struct Alive(Mutex<Option<oneshot::Sender<Infallible>>>);

#[pymethods]
impl Alive {
    fn __call__(&self, awaited: &Bound<'_, PyAny>) -> PyResult<()> {
        // Dropping it would cancel as well: where it is not cancelled, there is nothing left that could be.
        if awaited.call_method0("cancelled")?.is_truthy()? {
            self.0.lock().take();
        }
        Ok(())
    }
}
