//! The connection that writes: whatever waits goes into one transaction, and so shares one sync.
//!
//! A caller that waits anyway commits on its own thread, for all that wait by then, if nobody else is committing; the
//! rest is the business of a thread. So one caller alone pays for no change of threads, and many share a sync.

use super::readers::closed;
use super::session::{Session, Shared};
use super::work::Work;
use crate::{Error, Result, blocking};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// The most writes in one transaction: bounds the time that the first of them waits.
const MAX_BATCH: usize = 4096;

#[derive(Default)]
struct Inbox {
    waiting: Vec<Work>,
    closed: bool,
}

/// How the file was closed, and who waits for it.
#[derive(Default)]
struct End {
    result: Option<Result<()>>,
    waiting: Vec<oneshot::Sender<Result<()>>>,
}

pub(super) struct Writer {
    path: PathBuf,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    session: Mutex<Session>,
    end: Mutex<End>,
    ended: Condvar,
}

impl Writer {
    pub(super) fn start(connection: Connection, shared: Shared) -> Result<Arc<Self>> {
        let session = Session::new(connection, shared)?;
        let writer = Arc::new(Self {
            path: session.path().to_path_buf(),
            inbox: Mutex::default(),
            arrived: Condvar::new(),
            session: Mutex::new(session),
            end: Mutex::default(),
            ended: Condvar::new(),
        });
        let thread = Arc::clone(&writer);
        std::thread::Builder::new()
            .name("headrace-sqlite".into())
            .spawn(move || thread.run())
            .map_err(|error| Error::Store(format!("no thread for {}: {error}", writer.path.display())))?;
        Ok(writer)
    }

    /// Takes a write, and on a thread that waits commits it at once if nobody else is committing.
    pub(super) fn submit(&self, work: Work) {
        {
            let mut inbox = self.inbox.lock();
            if inbox.closed {
                drop(inbox);
                drop(work(Err(closed(&self.path))));
                return;
            }
            inbox.waiting.push(work);
        }
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
        if batch.is_empty() {
            return;
        }
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
            drop(inbox);
            let mut session = self.session.lock();
            // Whoever led may have taken it meanwhile, or given it back.
            let batch = self.take();
            if !batch.is_empty() {
                session.write(batch);
            } else if self.is_over() {
                return self.report(session.finish());
            }
        }
    }

    fn is_over(&self) -> bool {
        let inbox = self.inbox.lock();
        inbox.closed && inbox.waiting.is_empty()
    }

    fn report(&self, result: Result<()>) {
        if let Err(error) = &result {
            tracing::error!(%error, "the log could not be moved into the file: it stays beside it, with all that it holds");
        }
        let mut end = self.end.lock();
        for waiting in end.waiting.drain(..) {
            let _ = waiting.send(result.clone());
        }
        end.result = Some(result);
        drop(end);
        self.ended.notify_all();
    }

    /// Lets the thread end when it has written what waits; what comes later is refused.
    pub(super) fn close(&self) {
        self.inbox.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Where it is told that the file is closed.
    pub(super) fn when_closed(&self) -> oneshot::Receiver<Result<()>> {
        let (sender, receiver) = oneshot::channel();
        let mut end = self.end.lock();
        match &end.result {
            Some(result) => {
                let _ = sender.send(result.clone());
            }
            None => end.waiting.push(sender),
        }
        receiver
    }

    /// Waits for that with this thread; whether it came in time.
    pub(super) fn wait_until(&self, until: Instant) -> bool {
        let mut end = self.end.lock();
        while end.result.is_none() {
            if self.ended.wait_until(&mut end, until).timed_out() {
                return end.result.is_some();
            }
        }
        true
    }
}
