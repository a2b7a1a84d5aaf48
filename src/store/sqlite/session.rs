//! One transaction at a time on the connection that writes.

use super::checkpoint;
use super::patience;
use super::room::Room;
use super::store_error;
use super::writer::{Reply, Undo, Work};
use crate::{Error, Result};
use rusqlite::ffi::SQLITE_IOERR_WRITE;
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

pub(super) struct Session {
    connection: Connection,
    path: PathBuf,
    poisoned: Arc<AtomicBool>,
    turn: checkpoint::Turn,
    checkpoints: mpsc::SyncSender<()>,
    /// How many rows had changed when a checkpoint was last asked for.
    checkpointed: u64,
    room: Room,
}

impl Session {
    pub(super) fn new(connection: Connection, path: &Path, poisoned: &Arc<AtomicBool>) -> Result<Self> {
        let turn = checkpoint::Turn::default();
        Ok(Self {
            connection,
            path: path.to_path_buf(),
            poisoned: Arc::clone(poisoned),
            checkpoints: checkpoint::start(path, &turn, poisoned)?,
            turn,
            checkpointed: 0,
            room: Room::of(path),
        })
    }

    /// Commits a batch; gives it back where another process is writing.
    pub(super) fn write_unless_busy(&mut self, batch: Vec<Work>) -> std::result::Result<(), Vec<Work>> {
        let turn = Arc::clone(&self.turn);
        let _mine = turn.lock();
        // Before a write and not after it: what is on disk is told at once.
        self.room.add();
        let _ = patience::have_none(&self.connection);
        let begun = self.execute("BEGIN IMMEDIATE");
        let _ = patience::have(&self.connection);
        match begun {
            Err(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::DatabaseBusy => Err(batch),
            begun => {
                self.write_begun(begun, batch);
                Ok(())
            }
        }
    }

    /// Commits a batch, waiting for other processes.
    pub(super) fn write(&mut self, batch: Vec<Work>) {
        let turn = Arc::clone(&self.turn);
        let _mine = turn.lock();
        self.room.add();
        let begun = self.execute("BEGIN IMMEDIATE");
        self.write_begun(begun, batch);
    }

    /// Moves what is in the log into the file, if nobody else needs the log.
    pub(super) fn finish(&mut self) {
        let _ = patience::have_none(&self.connection);
        let _ = self.connection.pragma_query(None, "wal_checkpoint(TRUNCATE)", |_| Ok(()));
    }

    fn write_begun(&mut self, begun: rusqlite::Result<()>, batch: Vec<Work>) {
        let refused = match begun {
            Ok(()) if self.poisoned.load(Ordering::Acquire) => {
                self.roll_back();
                Some(self.refused())
            }
            Ok(()) => None,
            Err(error) => Some(store_error(&self.path, &error)),
        };
        if let Some(error) = refused {
            for work in batch {
                drop(work(Err(error.clone())));
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

    fn refused(&self) -> Error {
        Error::Store(format!("{}: an earlier sync failed: open it again", self.path.display()))
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
