//! The connection that writes: whatever waits goes into one transaction, and so shares one sync.
//!
//! A caller that waits anyway commits on its own thread, for all that wait by then, if nobody else is committing; the
//! rest is the business of a thread. So one caller alone pays for no change of threads, and many share a sync.

use super::session::Session;
use crate::{Error, Result, blocking};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The most writes in one transaction: bounds the time that the first of them waits.
const MAX_BATCH: usize = 4096;

/// A write: given the connection it works and keeps its answer for the commit; given an error it answers with that.
pub(super) type Work = Box<dyn FnOnce(Result<&Connection>) -> std::result::Result<Reply, Undo> + Send>;
pub(super) type Reply = Box<dyn FnOnce(Result<()>) + Send>;

/// A write failed and has answered: what it did is to be undone.
pub(super) struct Undo;

#[derive(Default)]
struct Inbox {
    waiting: Vec<Work>,
    closed: bool,
}

pub(super) struct Writer {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    session: Mutex<Session>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: &Path, poisoned: &Arc<AtomicBool>) -> Result<Arc<Self>> {
        let writer = Arc::new(Self {
            inbox: Mutex::default(),
            arrived: Condvar::new(),
            session: Mutex::new(Session::new(connection, path, poisoned)?),
        });
        let thread = Arc::clone(&writer);
        std::thread::Builder::new()
            .name("headrace-sqlite".into())
            .spawn(move || thread.run())
            .map_err(|error| Error::Store(format!("no thread for {}: {error}", path.display())))?;
        Ok(writer)
    }

    /// Takes a write, and on a thread that waits commits it at once if nobody else is committing.
    pub(super) fn submit(&self, work: Work) {
        self.inbox.lock().waiting.push(work);
        if blocking::thread_waits() {
            self.lead();
        }
        // What came while somebody committed is the thread's.
        if !self.inbox.lock().waiting.is_empty() {
            self.arrived.notify_one();
        }
    }

    fn lead(&self) {
        let Some(mut session) = self.session.try_lock() else { return };
        let batch = self.take();
        if let Err(batch) = session.write_unless_busy(batch) {
            // Another process writes: the thread has the patience for it, and Ctrl-C must work here.
            let mut inbox = self.inbox.lock();
            let later = std::mem::replace(&mut inbox.waiting, batch);
            inbox.waiting.extend(later);
        }
    }

    fn take(&self) -> Vec<Work> {
        let mut inbox = self.inbox.lock();
        let count = inbox.waiting.len().min(MAX_BATCH);
        inbox.waiting.drain(..count).collect()
    }

    fn run(&self) {
        loop {
            let mut inbox = self.inbox.lock();
            while inbox.waiting.is_empty() && !inbox.closed {
                self.arrived.wait(&mut inbox);
            }
            let ends = inbox.waiting.is_empty();
            drop(inbox);
            let mut session = self.session.lock();
            if ends {
                return session.finish();
            }
            session.write(self.take());
        }
    }

    /// Lets the thread end when it has written what waits.
    pub(super) fn close(&self) {
        self.inbox.lock().closed = true;
        self.arrived.notify_one();
    }
}
