//! An answer that is there, or comes when a file's commit is on disk.

use crate::{Error, Result, blocking};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// An answer that is there already, or comes later: wait for it, or await it.
///
/// A write is under way whether or not somebody waits; a read begins when it is waited for.
#[must_use = "the call may have failed"]
pub struct Deferred<T>(State<T>);

type Work<T> = Box<dyn FnOnce() -> Result<T> + Send>;
type Later<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

enum State<T> {
    Ready(Result<T>),
    Waiting(Later<T>),
    /// Work that blocks: on the thread that waits, or beside the tasks.
    Blocking(Work<T>),
    Given,
}

impl<T> std::fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deferred").field("ready", &self.is_ready()).finish()
    }
}

impl<T> Unpin for Deferred<T> {}

impl<T: Send + 'static> Deferred<T> {
    /// An answer that is there.
    pub fn ready(result: Result<T>) -> Self {
        Self(State::Ready(result))
    }

    /// The answer of a future.
    pub fn of(future: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Self(State::Waiting(Box::pin(future)))
    }

    /// The answer of work that blocks a thread.
    pub fn blocking(work: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self(State::Blocking(Box::new(work)))
    }

    /// The answer of a store's writer.
    pub(crate) fn received(receiver: oneshot::Receiver<Result<T>>) -> Self {
        let closed = || Error::Store("the ledger's file is closed: open the tracker again".into());
        Self::of(async move { receiver.await.unwrap_or_else(|_| Err(closed())) })
    }

    /// The answer through a function.
    pub fn then<U: Send + 'static>(self, work: impl FnOnce(Result<T>) -> Result<U> + Send + 'static) -> Deferred<U> {
        match self.0 {
            State::Ready(result) => Deferred::ready(work(result)),
            State::Blocking(first) => Deferred::blocking(move || work(first())),
            state => Deferred::of(async move { work(Self(state).await) }),
        }
    }

    /// Blocks this thread until the answer is there. Not for async tasks.
    ///
    /// # Errors
    /// What the call failed with, or `Store` where the file was closed.
    pub fn wait(self) -> Result<T> {
        match self.0 {
            State::Ready(result) => result,
            State::Blocking(work) => work(),
            state => blocking::block_on(Self(state)),
        }
    }

    /// Waits for the answer as a task.
    ///
    /// # Errors
    /// What the call failed with, or `Store` where the file was closed.
    pub async fn finish(self) -> Result<T> {
        self.await
    }
}

impl<T> Deferred<T> {
    /// Whether the answer is there already.
    pub fn is_ready(&self) -> bool {
        matches!(self.0, State::Ready(_))
    }
}

impl<T: Send + 'static> Future for Deferred<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut later = match std::mem::replace(&mut self.0, State::Given) {
            State::Ready(result) => return Poll::Ready(result),
            State::Given => return Poll::Ready(Err(Error::invalid("this answer was given already: ask again"))),
            State::Waiting(later) => later,
            State::Blocking(work) => match tokio::runtime::Handle::try_current() {
                Ok(runtime) => beside(&runtime, work),
                Err(_) => return Poll::Ready(work()),
            },
        };
        match later.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => {
                self.0 = State::Waiting(later);
                Poll::Pending
            }
        }
    }
}

fn beside<T: Send + 'static>(runtime: &tokio::runtime::Handle, work: Work<T>) -> Later<T> {
    let task = runtime.spawn_blocking(work);
    let broken = |_| Err(Error::Store("reading the ledger broke inside headrace: please report it".into()));
    Box::pin(async move { task.await.unwrap_or_else(broken) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_waited_for_and_chained() {
        let later = |number: u32| Deferred::of(async move { Ok(number) });
        for deferred in [Deferred::ready(Ok(1)), later(1), Deferred::blocking(|| Ok(1))] {
            let doubled = deferred.then(|number| Ok(number? * 2));
            assert_eq!(doubled.wait().unwrap(), 2);
        }
    }

    #[tokio::test]
    async fn each_kind_is_awaited() {
        let later = |number: u32| Deferred::of(async move { Ok(number) });
        for deferred in [Deferred::ready(Ok(1)), later(1), Deferred::blocking(|| Ok(1))] {
            assert_eq!(deferred.then(|number| Ok(number? * 2)).await.unwrap(), 2);
        }
    }
}
