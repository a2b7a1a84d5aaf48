//! Futures of the core that only wait, run by the event loop itself.
//!
//! They never block and need no thread of their own: a put from the same loop costs a task that waits for it no change
//! of threads, only a call of the loop that serves all that are awake by then.

use crate::awaitable::{deliver, whole};
use crate::error::Result;
use crate::inbox::{Inbox, Letter};
use crate::runtime::{Bridged, runtime};
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// An awaitable of the running event loop, for a future whose polls never block; cancelling it drops the future.
pub(crate) fn polled<F, T>(py: Python<'_>, future: F) -> PyResult<Bound<'_, PyAny>>
where
    F: Future<Output = Result<T>> + Send + 'static,
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    let inbox = Inbox::of_running_loop(py)?;
    let promise = inbox.promise(py)?;
    let polled = Arc::new(Polled {
        awaited: promise.clone().unbind(),
        inbox,
        future: Mutex::new(Some(Box::pin(whole(future)))),
        awake: AtomicBool::new(false),
        cancel: Mutex::default(),
    });
    polled.poll(py)?;
    if polled.future.lock().is_some() {
        polled.watch(&promise)?;
    }
    Ok(promise)
}

struct Polled<T> {
    awaited: Py<PyAny>,
    inbox: Arc<Inbox>,
    future: Mutex<Option<Pin<Box<dyn Future<Output = Result<T>> + Send>>>>,
    /// Whether it is in the inbox, so as to be there once.
    awake: AtomicBool,
    /// What the awaitable calls when it is cancelled.
    cancel: Mutex<Option<Py<Cancel>>>,
}

impl<T> Polled<T>
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    /// Drops the future when the awaitable is cancelled.
    fn watch(self: &Arc<Self>, promise: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = promise.py();
        let cancel = Py::new(py, Cancel(self.clone()))?;
        promise.call_method1(intern!(py, "add_done_callback"), (&cancel,))?;
        *self.cancel.lock() = Some(cancel);
        Ok(())
    }

    /// Done, it need not call back: that would be one more call of the event loop.
    fn unwatch(&self, py: Python<'_>) -> PyResult<()> {
        let cancel = self.cancel.lock().take();
        if let Some(cancel) = cancel {
            self.awaited.bind(py).call_method1(intern!(py, "remove_done_callback"), (cancel,))?;
        }
        Ok(())
    }

    fn poll(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        self.awake.store(false, Ordering::SeqCst);
        let Some(mut future) = self.future.lock().take() else { return Ok(()) };
        let waker = Waker::from(Arc::clone(self));
        let poll = {
            let _inside = runtime().enter();
            future.as_mut().poll(&mut Context::from_waker(&waker))
        };
        match poll {
            Poll::Ready(outcome) => {
                self.unwatch(py)?;
                deliver(self.awaited.bind(py), outcome)
            }
            Poll::Pending => {
                *self.future.lock() = Some(future);
                Ok(())
            }
        }
    }
}

impl<T> Wake for Polled<T>
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    fn wake(self: Arc<Self>) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            let inbox = Arc::clone(&self.inbox);
            inbox.leave(Bridged::new(), Box::new(Awake(Some(self))));
        }
    }
}

struct Awake<T>(Option<Arc<Polled<T>>>);

impl<T> Letter for Awake<T>
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    fn open(mut self: Box<Self>, py: Python<'_>) -> PyResult<()> {
        self.0.take().map_or(Ok(()), |polled| polled.poll(py))
    }
}

impl<T> Drop for Awake<T> {
    /// One that was not opened meant a loop that is closed: what it was woken for goes to the next who waits.
    fn drop(&mut self) {
        if let Some(polled) = &self.0 {
            polled.abandon();
        }
    }
}

/// Drops the future of an awaitable that is cancelled.
trait Abandon: Send + Sync {
    fn abandon(&self);
}

impl<T> Abandon for Polled<T> {
    fn abandon(&self) {
        let (future, cancel) = (self.future.lock().take(), self.cancel.lock().take());
        drop((future, cancel));
    }
}

/// Kept by an awaitable, as what it calls when it is done.
#[pyclass(frozen)]
struct Cancel(Arc<dyn Abandon>);

#[pymethods]
impl Cancel {
    fn __call__(&self, _awaited: &Bound<'_, PyAny>) {
        self.0.abandon();
    }
}
