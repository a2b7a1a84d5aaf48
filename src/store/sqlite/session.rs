//! One transaction at a time on the connection that writes.

use super::checkpoint::{Checkpoints, Turn};
use super::place::Place;
use super::readers::Readers;
use super::room::Room;
use super::work::{Reply, Undo, Work};
use super::{close, fork, patience, store_error};
use crate::store::notice::Notices;
use crate::{Error, Result};
use rusqlite::ffi::SQLITE_IOERR_WRITE;
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct Session {
    path: PathBuf,
    poisoned: Arc<AtomicBool>,
    turn: Turn,
    readers: Arc<Readers>,
    notices: Arc<Notices>,
    place: Place,
    room: Room,
    /// None when it was closed.
    open: Option<(Connection, Checkpoints)>,
}

/// What the connections of one file share.
pub(super) struct Shared {
    pub path: PathBuf,
    pub poisoned: Arc<AtomicBool>,
    pub readers: Arc<Readers>,
    pub notices: Arc<Notices>,
}

impl Session {
    pub(super) fn new(connection: Connection, shared: Shared) -> Result<Self> {
        let Shared { path, poisoned, readers, notices } = shared;
        let turn = Turn::default();
        let checkpoints = Checkpoints::start(&path, &turn, &poisoned)?;
        let (place, room) = (Place::of(&path), Room::of(&path));
        Ok(Self { path, poisoned, turn, readers, notices, place, room, open: Some((connection, checkpoints)) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Commits a batch; gives it back where another process is writing.
    pub(super) fn write_unless_busy(&mut self, batch: Vec<Work>) -> std::result::Result<(), Vec<Work>> {
        self.commit(batch, false)
    }

    /// Commits a batch, waiting for other processes.
    pub(super) fn write(&mut self, batch: Vec<Work>) {
        // With patience nothing is given back.
        let _ = self.commit(batch, true);
    }

    fn commit(&mut self, batch: Vec<Work>, patient: bool) -> std::result::Result<(), Vec<Work>> {
        let turn = Arc::clone(&self.turn);
        let mine = turn.lock();
        let Some((connection, checkpoints)) = &mut self.open else { return Ok(()) };
        let (replies, refused) = {
            let _inside = fork::enter();
            // Before a write and not after it: what is on disk is told at once.
            self.room.add();
            let one = Transaction { connection, path: &self.path, poisoned: &self.poisoned, place: &self.place };
            match one.begin(patient) {
                Err(rusqlite::Error::SqliteFailure(failure, _)) if is_busy(failure) && !patient => return Err(batch),
                begun => one.run(begun, batch),
            }
        };
        checkpoints.after(connection.total_changes());
        drop(mine);
        let (replies, committed) = replies;
        if committed.is_ok() && !replies.is_empty() {
            self.notices.tell();
        }
        for reply in replies {
            reply(committed.clone());
        }
        for (work, error) in refused {
            drop(work(Err(error)));
        }
        Ok(())
    }

    /// Closes the file; whoever is the last one moves its log into it.
    pub(super) fn finish(&mut self) -> Result<()> {
        let Some((connection, checkpoints)) = self.open.take() else { return Ok(()) };
        checkpoints.end();
        let sound = !self.poisoned.load(Ordering::Acquire) && self.place.check().is_ok();
        close::close(connection, &self.path, &self.readers, sound)
    }
}

fn is_busy(failure: rusqlite::ffi::Error) -> bool {
    failure.code == ErrorCode::DatabaseBusy
}

/// Those that the commit answers, and those that were not tried, each with its error.
type Outcome = ((Vec<Reply>, Result<()>), Vec<(Work, Error)>);

struct Transaction<'a> {
    connection: &'a Connection,
    path: &'a Path,
    poisoned: &'a AtomicBool,
    place: &'a Place,
}

impl Transaction<'_> {
    fn begin(&self, patient: bool) -> rusqlite::Result<()> {
        if patient {
            return self.execute("BEGIN IMMEDIATE");
        }
        let _ = patience::have_none(self.connection);
        let begun = self.execute("BEGIN IMMEDIATE");
        let _ = patience::have(self.connection);
        begun
    }

    fn run(&self, begun: rusqlite::Result<()>, batch: Vec<Work>) -> Outcome {
        let refused = match begun {
            Ok(()) if self.poisoned.load(Ordering::Acquire) => {
                self.roll_back();
                Some(self.refused())
            }
            Ok(()) => None,
            Err(error) => Some(store_error(self.path, &error)),
        };
        if let Some(error) = refused {
            return ((Vec::new(), Ok(())), batch.into_iter().map(|work| (work, error.clone())).collect());
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
        let untried = committed.clone().err().unwrap_or_else(|| self.undone());
        ((replies, committed), batch.map(|work| (work, untried.clone())).collect())
    }

    fn step(&self, work: Work, alone: bool, replies: &mut Vec<Reply>) -> rusqlite::Result<()> {
        if alone {
            match work(Ok(self.connection)) {
                Ok(reply) => replies.push(reply),
                Err(Undo) => self.roll_back(),
            }
            return Ok(());
        }
        self.execute("SAVEPOINT one")?;
        match work(Ok(self.connection)) {
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
        if let Err(error) = self.execute("COMMIT") {
            self.roll_back();
            if !is_harmless(&error) {
                self.poison(&error);
            }
            return Err(store_error(self.path, &error));
        }
        self.place.check().inspect_err(|error| self.poison(error))
    }

    fn poison(&self, error: &dyn std::error::Error) {
        self.poisoned.store(true, Ordering::Release);
        tracing::error!(path = %self.path.display(), %error, "a commit failed: the file promises nothing until it is opened again");
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
        Error::Store(format!("{}: an earlier sync failed, or the file was removed: open it again", self.path.display()))
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
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
