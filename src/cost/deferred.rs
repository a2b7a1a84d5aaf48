//! An answer that is there, or comes when a file's commit is on disk.

use crate::{Error, Result};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use tokio::sync::oneshot;

/// An answer that is there, or comes when a commit is on disk. Wait for it, or await `finish`.
///
/// The work is under way whether or not somebody waits.
#[must_use = "the call may have failed"]
pub struct Deferred<T>(State<T>);

enum State<T> {
    Ready(Result<T>),
    Waiting(Pin<Box<dyn Future<Output = Result<T>> + Send>>),
}

impl<T> std::fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deferred").field("ready", &self.is_ready()).finish()
    }
}

impl<T: Send + 'static> Deferred<T> {
    pub(crate) fn ready(result: Result<T>) -> Self {
        Self(State::Ready(result))
    }

    pub(crate) fn waiting(receiver: oneshot::Receiver<Result<T>>) -> Self {
        let closed = || Error::Store("the ledger's file is closed: open the tracker again".into());
        Self(State::Waiting(Box::pin(async move { receiver.await.unwrap_or_else(|_| Err(closed())) })))
    }

    /// The answer through a function.
    pub(crate) fn then<U>(self, work: impl FnOnce(Result<T>) -> Result<U> + Send + 'static) -> Deferred<U> {
        Deferred(match self.0 {
            State::Ready(result) => State::Ready(work(result)),
            State::Waiting(future) => State::Waiting(Box::pin(async move { work(future.await) })),
        })
    }
}

impl<T> Deferred<T> {
    /// Whether the answer is there already.
    pub fn is_ready(&self) -> bool {
        matches!(self.0, State::Ready(_))
    }

    /// Blocks this thread until the answer is there. Not for async tasks.
    ///
    /// # Errors
    /// What the call failed with, or `Store` where the file was closed.
    pub fn wait(self) -> Result<T> {
        match self.0 {
            State::Ready(result) => result,
            State::Waiting(future) => block_on(future),
        }
    }

    /// Waits for the answer as a task.
    ///
    /// # Errors
    /// What the call failed with, or `Store` where the file was closed.
    pub async fn finish(self) -> Result<T> {
        match self.0 {
            State::Ready(result) => result,
            State::Waiting(future) => future.await,
        }
    }
}

/// Wakes a thread that waits for one answer.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
