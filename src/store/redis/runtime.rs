//! The thread that all connections of a process live on.

use crate::blocking::thread_waits;
use crate::lock::Lock;
use crate::{Error, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Handle, Runtime};

/// The process, and its runtime. A forked child has a copy of it without its thread, and makes another.
static RUNTIME: Lock<Option<(u32, Runtime)>> = Lock::new(None);

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

/// Runs a future where the connections are; a caller whose thread waits runs it itself, which wakes nobody. It runs to its
/// end also where nobody waits for that any more: what it then gives is dropped.
pub(crate) async fn on_redis<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let handle = handle()?;
    if thread_waits() {
        return OnOwnThread { handle, work: Some(Box::pin(work)) }.await;
    }
    match handle.spawn(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Store("the work for Redis was cut off: this process is ending".into())),
    }
}

/// Work that its caller's thread does; the connections' thread ends it where the caller left.
struct OnOwnThread<T: Send + 'static> {
    handle: Handle,
    work: Option<Pin<Box<dyn Future<Output = Result<T>> + Send>>>,
}

impl<T: Send + 'static> Future for OnOwnThread<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(work) = &mut this.work else { return Poll::Pending };
        let polled = {
            // Connections that come about meanwhile are the other thread's.
            let _there = this.handle.enter();
            work.as_mut().poll(context)
        };
        if polled.is_ready() {
            this.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for OnOwnThread<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            drop(self.handle.spawn(work));
        }
    }
}

/// Starts a task there.
pub(crate) fn start_on_redis(work: impl Future<Output = ()> + Send + 'static) -> Result<tokio::task::AbortHandle> {
    Ok(handle()?.spawn(work).abort_handle())
}
