//! The thread that writes: whatever waits goes into one transaction, and so shares one sync.

use super::checkpoint;
use super::store_error;
use crate::{Error, Result};
use rusqlite::ffi::SQLITE_IOERR_WRITE;
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// The most writes in one transaction: bounds the time that the first of them waits.
const MAX_BATCH: usize = 4096;

/// A write: given the connection it works and keeps its answer for the commit; given an error it answers with that.
pub(super) type Work = Box<dyn FnOnce(Result<&Connection>) -> std::result::Result<Reply, Undo> + Send>;
pub(super) type Reply = Box<dyn FnOnce(Result<()>) + Send>;

/// A write failed and has answered: what it did is to be undone.
pub(super) struct Undo;

pub(super) fn start(connection: Connection, path: &Path, poisoned: &Arc<AtomicBool>) -> Result<mpsc::Sender<Work>> {
    let (sender, work) = mpsc::channel();
    let mut writer = Writer {
        connection,
        path: path.to_path_buf(),
        poisoned: Arc::clone(poisoned),
        checkpoints: checkpoint::start(path, poisoned)?,
        checkpointed: 0,
    };
    std::thread::Builder::new()
        .name("headrace-sqlite".into())
        .spawn(move || writer.run(&work))
        .map_err(|error| Error::Store(format!("no thread for {}: {error}", path.display())))?;
    Ok(sender)
}

struct Writer {
    connection: Connection,
    path: PathBuf,
    poisoned: Arc<AtomicBool>,
    checkpoints: mpsc::SyncSender<()>,
    /// How many rows had changed when a checkpoint was last asked for.
    checkpointed: u64,
}

impl Writer {
    fn run(&mut self, work: &mpsc::Receiver<Work>) {
        while let Ok(first) = work.recv() {
            if self.poisoned.load(Ordering::Acquire) {
                return;
            }
            let mut batch = vec![first];
            batch.extend(work.try_iter().take(MAX_BATCH - 1));
            self.write(batch);
        }
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let _ = self.connection.pragma_query(None, "wal_checkpoint(TRUNCATE)", |_| Ok(()));
    }

    fn write(&mut self, batch: Vec<Work>) {
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            for work in batch {
                drop(work(Err(store_error(&self.path, &error))));
            }
            return;
        }
        let mut replies = Vec::with_capacity(batch.len());
        let alone = batch.len() == 1;
        let mut batch = batch.into_iter();
        for work in batch.by_ref() {
            let undone = self.step(work, alone, &mut replies);
            // A full disk and the like roll back all of a transaction, and say so only here.
            if undone.is_err() || self.connection.is_autocommit() {
                break;
            }
        }
        let committed = self.end();
        for reply in replies {
            reply(committed.clone());
        }
        for work in batch {
            let error = committed.clone().err().unwrap_or_else(|| self.undone());
            drop(work(Err(error)));
        }
        self.ask_for_checkpoint();
    }

    fn step(&self, work: Work, alone: bool, replies: &mut Vec<Reply>) -> rusqlite::Result<()> {
        if alone {
            match work(Ok(&self.connection)) {
                Ok(reply) => replies.push(reply),
                Err(Undo) => self.roll_back(),
            }
            return Ok(());
        }
        self.execute("SAVEPOINT one")?;
        match work(Ok(&self.connection)) {
            Ok(reply) => replies.push(reply),
            Err(Undo) if self.connection.is_autocommit() => return Ok(()),
            Err(Undo) => self.execute("ROLLBACK TO one")?,
        }
        self.execute("RELEASE one")
    }

    /// Commits; poisons the file where it cannot be known what is on disk.
    fn end(&self) -> Result<()> {
        if self.connection.is_autocommit() {
            return Err(self.undone());
        }
        let Err(error) = self.execute("COMMIT") else { return Ok(()) };
        self.roll_back();
        if !is_harmless(&error) {
            self.poisoned.store(true, Ordering::Release);
            tracing::error!(path = %self.path.display(), %error, "a commit failed: the file promises nothing until it is opened again");
        }
        Err(store_error(&self.path, &error))
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.execute("ROLLBACK");
        }
    }

    fn undone(&self) -> Error {
        Error::Store(format!(
            "{}: a write beside this one failed and undid both: is the disk full? Try again",
            self.path.display()
        ))
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    fn ask_for_checkpoint(&mut self) {
        let changed = self.connection.total_changes();
        if changed.saturating_sub(self.checkpointed) >= checkpoint::EVERY_CHANGES {
            self.checkpointed = changed;
            // One that is still running will do.
            let _ = self.checkpoints.try_send(());
        }
    }
}

/// Whether a failed commit left nothing behind for certain: no room, no lock, or a write that was refused. After a
/// failed sync the kernel may have dropped the pages and call the next one a success (Rebello et al., "Can
/// Applications Recover from fsync Failures?", USENIX ATC 2020).
fn is_harmless(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return false };
    matches!(failure.code, ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        || failure.extended_code == SQLITE_IOERR_WRITE
}
