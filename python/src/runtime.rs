//! The one doorway between Python and the async core: the only `block_on`, the only `spawn`.
//!
//! The tokio runtime is keyed by process id, so that a forked child gets a fresh one; the parent's is leaked
//! there, for its threads do not exist in the child and dropping it would wait for them.

use crate::error::Result;
use headrace::blocking::block_on_looking;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt, JoinError, Runtime};
use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a waiting call looks for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
const WORKER_THREADS: usize = 2;
/// How long the interpreter's exit waits for tasks that still have to tell Python something.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

/// Whether the interpreter is about to end: from then on, no thread of ours may ask for the GIL.
static EXITING: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));
/// Tasks that will ask for the GIL when they are through.
static BRIDGED: AtomicUsize = AtomicUsize::new(0);

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
    let result = py.detach(|| {
        let _inside = runtime().enter();
        block_on_looking(future, SIGNAL_INTERVAL, || -> Result<()> {
            while *EXITING.borrow() {
                // A daemon thread at exit: the process ends under it, and nothing may wake Python.
                std::thread::park();
            }
            Python::attach(look_for_signals)?;
            Ok(())
        })?
    });
    crate::log::flush(py);
    result
}

fn look_for_signals(py: Python<'_>) -> PyResult<()> {
    py.check_signals()
}

/// An awaitable of the running event loop; cancelling it drops the future.
pub(crate) fn awaitable<F, T>(py: Python<'_>, future: F) -> PyResult<Bound<'_, PyAny>>
where
    F: Future<Output = Result<T>> + Send + 'static,
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    generic::future_into_py::<Tokio, _, T>(py, async move {
        let mut exiting = EXITING.subscribe();
        tokio::select! {
            biased;
            result = future => Ok(result?),
            _ = exiting.wait_for(|exiting| *exiting) => Err(pyo3::exceptions::asyncio::CancelledError::new_err(())),
        }
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let before_exit = wrap_pyfunction!(before_exit, module)?;
    module.py().import("atexit")?.call_method1("register", (before_exit,))?;
    Ok(())
}

/// Ends every awaitable, and waits until none of them will ask for the GIL any more.
#[pyfunction]
fn before_exit(py: Python<'_>) {
    py.detach(|| {
        EXITING.send_replace(true);
        let until = Instant::now() + EXIT_PATIENCE;
        while BRIDGED.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// Counts a task for as long as it may ask for the GIL.
struct Bridged;

impl Bridged {
    fn new() -> Self {
        BRIDGED.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Bridged {
    fn drop(&mut self) {
        BRIDGED.fetch_sub(1, Ordering::SeqCst);
    }
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
        let bridged = Bridged::new();
        Handle(runtime().spawn(async move {
            let _bridged = bridged;
            future.await;
        }))
    }

    fn spawn_blocking<F>(work: F) -> Self::JoinHandle
    where
        F: FnOnce() + Send + 'static,
    {
        let bridged = Bridged::new();
        Handle(runtime().spawn_blocking(move || {
            let _bridged = bridged;
            work();
        }))
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
