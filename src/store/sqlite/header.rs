//! Whether a file is ours, by its first bytes: before SQLite opens it, which would write to it and put files beside it.

use super::schema::{Schema, foreign};
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What there is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or an empty file.
    Nothing,
    /// A file of ours, or one that only SQLite itself can tell.
    File,
}

/// <https://www.sqlite.org/fileformat.html>, section 1.3.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;
/// How many frames of a log are looked at for the file's first page: creating a file writes it in the first few.
const MOST_FRAMES: u64 = 4096;

/// The name of a file that SQLite puts beside another.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Refuses what may not hold the room, and reads only.
pub(super) fn look(path: &Path, schema: &Schema) -> Result<Found> {
    match identify(path)? {
        Identity::Nothing => Ok(Found::Nothing),
        Identity::Made { id, .. } if !schema.is_ours(id) => Err(foreign(path, id)),
        Identity::Made { id, version } if id == schema.application_id && version > schema.version => {
            Err(schema.too_new(path, version))
        }
        Identity::Unmade | Identity::Made { .. } => Ok(Found::File),
    }
}

/// What the first bytes of a file say.
pub(super) enum Identity {
    /// There is nothing, or an empty file.
    Nothing,
    /// A file in which nothing was created yet, or that SQLite has to mend first.
    Unmade,
    /// Somebody's file.
    Made { id: i32, version: i32 },
}

/// Reads what a file says of itself.
pub(super) fn identify(path: &Path) -> Result<Identity> {
    let refused = |error: std::io::Error| Error::Store(format!("{}: {error}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Identity::Nothing),
        Err(error) => return Err(refused(error)),
        // Opening a pipe would wait for its other end.
        Ok(known) if !known.is_file() => {
            return Err(Error::Store(format!("{} is no file: give the path of a file", path.display())));
        }
        Ok(known) if known.len() == 0 => return Ok(Identity::Nothing),
        Ok(_) => {}
    }
    let mut header = [0; HEADER + 8];
    let mut file = File::open(path).map_err(refused)?;
    let whole = file.read_exact(&mut header).is_ok();
    if !whole || header[..16] != *MAGIC {
        // What a machine that crashed while it made the file left behind is for SQLite to undo.
        if beside(path, "-journal").exists() {
            return Ok(Identity::Unmade);
        }
        return Err(Error::Store(format!(
            "{} is no SQLite file: it is left as it is; give another file, or one that does not exist yet",
            path.display()
        )));
    }
    let (id, version) = numbers(&header);
    if id == 0 {
        if let Some(newer) = first_page(&beside(path, "-wal")) {
            let (id, version) = numbers(&newer);
            return Ok(Identity::Made { id, version });
        }
        if version == 0 && has_no_tables(&header) {
            return Ok(Identity::Unmade);
        }
    }
    Ok(Identity::Made { id, version })
}

/// `application_id` and `user_version`.
fn numbers(header: &[u8]) -> (i32, i32) {
    let number = |at: usize| header[at..at + 4].iter().fold(0, |sum, &byte| (sum << 8) | i32::from(byte));
    (number(68), number(60))
}

/// Whether the first page is a leaf without cells: nothing was created yet.
fn has_no_tables(header: &[u8]) -> bool {
    header[HEADER] == 0x0d && header[HEADER + 3..HEADER + 5] == [0, 0]
}

/// The header in the newest first page of a log, where it has one: a file that was not closed may have all in there.
fn first_page(log: &Path) -> Option<[u8; HEADER]> {
    let mut log = File::open(log).ok()?;
    let mut start = [0; 32];
    log.read_exact(&mut start).ok()?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
    let page_size = match number(&start[8..12]) {
        size @ 512..=65536 if size.is_power_of_two() => size,
        _ => return None,
    };
    let mut newest = None;
    for frame in 0..MOST_FRAMES {
        let mut head = [0; 24];
        log.seek(SeekFrom::Start(32 + frame * (24 + page_size))).ok()?;
        if log.read_exact(&mut head).is_err() || head[8..16] != start[16..24] {
            break;
        }
        if number(&head[..4]) == 1 {
            let mut page = [0; HEADER];
            log.read_exact(&mut page).ok()?;
            newest = Some(page);
        }
    }
    newest
}
