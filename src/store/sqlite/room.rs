//! Room in the log ahead of what is written to it.
//!
//! A write that makes a file longer changes its size, which a sync must then commit to the file system's journal: on
//! ext4 half as dear again, and a wait for a kernel thread. Over zeros that are there already, a sync has the data
//! alone to write. SQLite ends its log at the first frame without a valid checksum, so zeros behind it say nothing.

use super::header::beside;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// How far a log grows at a time: 254 frames of a page each.
const STEP: u64 = 1 << 20;
/// How much of it in one write. The kernel caches in one piece what is written in one, and a sync looks through all of
/// a piece: over pieces of 1 MiB it takes 10 us longer.
static PIECE: [u8; 1 << 14] = [0; 1 << 14];

/// The log of a file, to which it adds room.
pub(super) struct Room {
    log: Option<File>,
}

impl Room {
    /// For the file at `path`, whose log is there. No log is no error: it then grows as SQLite makes it.
    pub(super) fn of(path: &Path) -> Self {
        Self { log: OpenOptions::new().append(true).open(beside(path, "-wal")).ok() }
    }

    /// Adds room where the log has grown by a frame and so ends between two steps.
    pub(super) fn add(&mut self) {
        let Some(log) = &mut self.log else { return };
        // By `seek`, for `stat` looks at the file's times too: Linux then gives the next write a time of its own, which
        // goes into the journal, and the sync takes half as long again.
        let Ok(length) = log.seek(SeekFrom::End(0)) else { return };
        let mut missing = length.next_multiple_of(STEP) - length;
        while missing > 0 {
            let piece = missing.min(PIECE.len() as u64);
            // Appended, so that it comes behind whatever another process writes at the same time. A disk that is too
            // full for it has something else to say soon, by a write that counts.
            if log.write_all(&PIECE[..piece as usize]).is_err() {
                self.log = None;
                return;
            }
            missing -= piece;
        }
    }
}
