//! The thread that all connections of a process live on.

use crate::{Error, Result};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};

/// The process, and its runtime. A forked child has a copy of it without its thread, and makes another.
static RUNTIME: Mutex<Option<(u32, Runtime)>> = Mutex::new(None);

fn handle() -> Result<Handle> {
    let process = crate::process::id();
    let mut current = RUNTIME.lock();
    if let Some((of, runtime)) = &*current
        && *of == process
    {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("headrace-redis")
        .enable_all()
        .build()
        .map_err(|error| Error::Store(format!("no thread for Redis could be started: {error}")))?;
    let handle = runtime.handle().clone();
    if let Some(inherited) = current.replace((process, runtime)) {
        // Its thread is the parent's: there is nothing here that could be ended.
        std::mem::forget(inherited);
    }
    Ok(handle)
}

/// Runs a future where the connections are. It runs to its end also where nobody waits for that any more: what it then
/// gives is dropped.
pub(crate) async fn on_redis<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    match handle()?.spawn(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Store("the work for Redis was cut off: this process is ending".into())),
    }
}

/// Starts a task there.
pub(crate) fn start_on_redis(work: impl Future<Output = ()> + Send + 'static) -> Result<tokio::task::AbortHandle> {
    Ok(handle()?.spawn(work).abort_handle())
}
