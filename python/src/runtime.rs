//! The one doorway between Python and the async core: the only `block_on`, the only `spawn`.
//!
//! The tokio runtime is keyed by process id, so that a forked child gets a fresh one; the parent's is leaked
//! there, for its threads do not exist in the child and dropping it would wait for them.

use crate::error::Result;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt, JoinError, Runtime};
use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How often a waiting call looks for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
const WORKER_THREADS: usize = 2;

struct Keyed {
    process: u32,
    runtime: &'static tokio::runtime::Runtime,
}

static RUNTIME: Mutex<Option<Keyed>> = Mutex::new(None);

/// This process's runtime, started at its first use.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    let process = std::process::id();
    let mut slot = RUNTIME.lock();
    if let Some(keyed) = slot.as_ref().filter(|keyed| keyed.process == process) {
        return keyed.runtime;
    }
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .thread_name("headrace")
        .enable_all()
        .build();
    let runtime: &'static tokio::runtime::Runtime = match built {
        Ok(runtime) => Box::leak(Box::new(runtime)),
        // Without threads nothing here can go on, and there is no caller to whom it could be said.
        Err(error) => panic!("no threads for the runtime: {error}"),
    };
    *slot = Some(Keyed { process, runtime });
    runtime
}

/// Waits for `future` with the GIL released; Ctrl-C ends the wait with `KeyboardInterrupt` and drops the future.
pub(crate) fn wait<T, F>(py: Python<'_>, future: F) -> Result<T>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    py.detach(|| {
        runtime().block_on(async {
            tokio::pin!(future);
            loop {
                tokio::select! {
                    biased;
                    result = &mut future => return result,
                    () = tokio::time::sleep(SIGNAL_INTERVAL) => Python::attach(|py| py.check_signals())?,
                }
            }
        })
    })
}

/// An awaitable of the running event loop; cancelling it drops the future.
pub(crate) fn awaitable<F, T>(py: Python<'_>, future: F) -> PyResult<Bound<'_, PyAny>>
where
    F: Future<Output = Result<T>> + Send + 'static,
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    generic::future_into_py::<Tokio, _, T>(py, async move { Ok(future.await?) })
}

pub(crate) fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}

/// The bridge's view of the runtime above.
struct Tokio;

struct Handle(tokio::task::JoinHandle<()>);

impl Future for Handle {
    type Output = std::result::Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(Failure)
    }
}

struct Failure(tokio::task::JoinError);

impl JoinError for Failure {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        self.0.into_panic()
    }
}

tokio::task_local! {
    static LOCALS: OnceCell<TaskLocals>;
}

impl Runtime for Tokio {
    type JoinError = Failure;
    type JoinHandle = Handle;

    fn spawn<F>(future: F) -> Self::JoinHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Handle(runtime().spawn(future))
    }

    fn spawn_blocking<F>(work: F) -> Self::JoinHandle
    where
        F: FnOnce() + Send + 'static,
    {
        Handle(runtime().spawn_blocking(work))
    }
}

impl ContextExt for Tokio {
    fn scope<F, R>(locals: TaskLocals, future: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        let cell = OnceCell::new();
        let _ = cell.set(locals);
        Box::pin(LOCALS.scope(cell, future))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS.try_with(|cell| cell.get().cloned()).unwrap_or_default()
    }
}
