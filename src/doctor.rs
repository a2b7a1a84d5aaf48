//! What a file of headrace holds, and whether it is what was written.

use crate::Result;
use crate::store::sqlite::{FileReport, Schema, examine};
use std::path::Path;

/// The rooms that keep something in a file.
const ROOMS: [&Schema; 3] = [&crate::queue::SCHEMA, &crate::cache::SCHEMA, &crate::cost::SCHEMA];

/// Looks at all that a file holds: the structure by SQLite's own check, the rows by their checksums. With `repair`,
/// damaged rows are moved to a table of their own, and sums and indexes are worked out anew; without, nothing changes.
///
/// # Errors
/// `Store` where there is no such file, it is not of headrace, or it cannot be read at all.
///
/// ```
/// use headrace::doctor::diagnose;
/// use headrace::queue::{QueueConfig, RequestQueue};
/// let folder = tempfile::tempdir().unwrap();
/// let file = folder.path().join("q.db");
/// drop(RequestQueue::open(&format!("sqlite:///{}", file.display()), QueueConfig::default()).unwrap());
/// let report = diagnose(&file, false).unwrap();
/// assert!(report.is_sound());
/// assert_eq!(report.rooms[0].room, "queue");
/// assert!(diagnose(&folder.path().join("missing.db"), false).is_err());
/// ```
pub fn diagnose(path: &Path, repair: bool) -> Result<FileReport> {
    examine(path, &ROOMS, repair)
}
