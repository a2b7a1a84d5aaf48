//! Futures of the core as awaitables of asyncio.

use crate::error::{BindError, Result};
use crate::inbox::{Inbox, Letter};
use crate::runtime::{Bridged, exiting, runtime};
use futures_util::FutureExt;
use headrace::Error;
use parking_lot::Mutex;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;
use pyo3::{IntoPyObjectExt, intern};
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use tokio::sync::oneshot;

/// An awaitable of the running event loop, run on threads of the core; cancelling it drops the future.
pub(crate) fn awaitable<F, T>(py: Python<'_>, future: F) -> PyResult<Bound<'_, PyAny>>
where
    F: Future<Output = Result<T>> + Send + 'static,
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    let inbox = Inbox::of_running_loop(py)?;
    let promise = inbox.promise(py)?;
    let (alive, abandoned) = oneshot::channel();
    promise.call_method1(intern!(py, "add_done_callback"), (Alive(Mutex::new(Some(alive))),))?;
    let awaited = promise.clone().unbind();
    let bridged = Bridged::new();
    runtime().spawn(async move {
        let outcome = tokio::select! {
            biased;
            outcome = whole(future) => outcome,
            _ = abandoned => Err(CancelledError::new_err(()).into()),
            () = exiting() => Err(CancelledError::new_err(()).into()),
        };
        inbox.leave(bridged, Box::new(Done { awaited, outcome }));
    });
    Ok(promise)
}

/// The outcome of a future; an error where it broke.
pub(crate) async fn whole<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|_| Err(broken()))
}

fn broken() -> BindError {
    Error::Store("a call broke inside headrace: this is a bug of headrace, please report it".into()).into()
}

struct Done<T> {
    awaited: Py<PyAny>,
    outcome: Result<T>,
}

impl<T> Letter for Done<T>
where
    T: for<'py> IntoPyObject<'py> + Send,
{
    fn open(self: Box<Self>, py: Python<'_>) -> PyResult<()> {
        deliver(self.awaited.bind(py), self.outcome)
    }
}

/// Hands an outcome to who waits; one who waits no more lets it be dropped.
pub(crate) fn deliver<T>(awaited: &Bound<'_, PyAny>, outcome: Result<T>) -> PyResult<()>
where
    T: for<'py> IntoPyObject<'py>,
{
    let py = awaited.py();
    if awaited.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    match outcome.map_err(PyErr::from).and_then(|value| value.into_py_any(py)) {
        Ok(value) => awaited.call_method1(intern!(py, "set_result"), (value,))?,
        Err(error) => awaited.call_method1(intern!(py, "set_exception"), (error,))?,
    };
    Ok(())
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
