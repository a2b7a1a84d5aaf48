//! A write on its way: what it does, how it answers, and what it says where it failed.

use crate::{Error, Result};
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;

/// A write: given the connection it works and keeps its answer for the commit; given an error it answers with that.
pub(super) type Work = Box<dyn FnOnce(Result<&Connection>) -> std::result::Result<Reply, Undo> + Send>;

/// What answers a write when its transaction is on disk, or is not.
pub(super) type Reply = Box<dyn FnOnce(Result<()>) + Send>;

/// A write failed and has answered: what it did is to be undone.
pub(super) struct Undo;

/// A write, and where its answer comes: what `work` returned, as `answer` makes it when the write is on disk.
pub(super) fn of<T, U, F>(work: F, answer: impl FnOnce(T) -> U + Send + 'static) -> (Work, oneshot::Receiver<Result<U>>)
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnOnce(&Connection) -> Result<T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let boxed: Work = Box::new(move |connection| match connection.and_then(|found| whole(|| work(found))) {
        Ok(value) => Ok(Box::new(move |committed: Result<()>| {
            let _ = sender.send(committed.and_then(|()| whole(|| Ok(answer(value)))));
        }) as Reply),
        Err(error) => {
            let _ = sender.send(Err(error));
            Err(Undo)
        }
    });
    (boxed, receiver)
}

/// An error where it panics: whoever commits does so for others too, who must not go down with it.
fn whole<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Store("a write broke inside headrace: this is a bug of headrace, please report it".into()))
    })
}
