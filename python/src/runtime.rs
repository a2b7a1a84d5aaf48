//! The one doorway between Python and the async core: the only `block_on`, the only `spawn`.
//!
//! The tokio runtime is keyed by process id, so that a forked child gets a fresh one; the parent's is leaked
//! there, for its threads do not exist in the child and dropping it would wait for them.

use crate::error::Result;
use headrace::blocking::block_on_looking;
use headrace::lock::Lock;
use pyo3::prelude::*;
use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a waiting call looks for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
const WORKER_THREADS: usize = 2;
/// How long the interpreter's exit waits for tasks that still have to tell Python something.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for files to be closed, each with its log moved into it.
const CLOSING_PATIENCE: Duration = Duration::from_secs(10);

/// Whether the interpreter is about to end: from then on, no thread of ours may ask for the GIL.
static EXITING: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));
/// Tasks that will ask for the GIL when they are through.
static BRIDGED: AtomicUsize = AtomicUsize::new(0);

struct Keyed {
    process: u32,
    runtime: &'static tokio::runtime::Runtime,
}

static RUNTIME: Lock<Option<Keyed>> = Lock::new(None);

/// This process's runtime, started at its first use.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    let process = headrace::process::id();
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

/// Waits until the interpreter is about to end.
pub(crate) async fn exiting() {
    let _ = EXITING.subscribe().wait_for(|exiting| *exiting).await;
}

/// Whether no thread of ours may ask for the GIL any more.
pub(crate) fn is_exiting() -> bool {
    *EXITING.borrow()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Before ours, so that its end comes after ours: what is logged at the end is still written.
    module.py().import("logging")?;
    let before_exit = wrap_pyfunction!(before_exit, module)?;
    module.py().import("atexit")?.call_method1("register", (before_exit,))?;
    Ok(())
}

/// Ends every awaitable, waits until none of them will ask for the GIL any more, and closes the files of all stores.
#[pyfunction]
fn before_exit(py: Python<'_>) {
    py.detach(|| {
        EXITING.send_replace(true);
        let until = Instant::now() + EXIT_PATIENCE;
        while BRIDGED.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        headrace::store::sqlite::close_all(CLOSING_PATIENCE);
    });
    crate::log::flush(py);
}

/// Counts a task for as long as it may ask for the GIL.
pub(crate) struct Bridged;

impl Bridged {
    pub(crate) fn new() -> Self {
        BRIDGED.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Bridged {
    fn drop(&mut self) {
        BRIDGED.fetch_sub(1, Ordering::SeqCst);
    }
}
