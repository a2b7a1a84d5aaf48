//! Whether the file that is open is still the one at its path. What is written to one that was removed, or to a log
//! that was, is gone when the process ends: nothing may be promised on it.

use super::header::beside;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Which file: its device and its number there.
type Identity = (u64, u64);

#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    log: PathBuf,
    found: Option<(Identity, Identity)>,
}

impl Place {
    /// For the open file at `path`, whose log is there.
    pub(super) fn of(path: &Path) -> Self {
        let log = beside(path, "-wal");
        let found = identity(path).ok().flatten().zip(identity(&log).ok().flatten());
        Self { path: path.to_path_buf(), log, found }
    }

    /// An error where the file or its log is another one now, or gone.
    pub(super) fn check(&self) -> Result<()> {
        let Some((file, log)) = self.found else { return Ok(()) };
        let is_there = |path: &Path, known| match identity(path) {
            Ok(found) => found == Some(known),
            Err(()) => true,
        };
        if is_there(&self.path, file) && is_there(&self.log, log) {
            return Ok(());
        }
        Err(Error::Store(format!(
            "{}: the file or its log was removed or replaced while it was open, so that what is written is lost: open it again",
            self.path.display()
        )))
    }
}

/// None where there is nothing; an error where it cannot be known.
///
/// By `statx`, which need not look at the file's times: Linux gives the next write a time of its own after somebody
/// looked at them, which goes into the journal, and a sync then takes half as long again.
#[cfg(target_os = "linux")]
fn identity(path: &Path) -> std::result::Result<Option<Identity>, ()> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(found) => Ok(Some((u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor), found.stx_ino))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(_) => Err(()),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn identity(path: &Path) -> std::result::Result<Option<Identity>, ()> {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(()),
    }
}

#[cfg(not(unix))]
fn identity(_path: &Path) -> std::result::Result<Option<Identity>, ()> {
    // An open file cannot be removed there.
    Err(())
}
