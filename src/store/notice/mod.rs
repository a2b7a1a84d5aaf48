//! Wake-ups between processes that share a file.
//!
//! A notice has no content: "look at the file again". Whoever commits looks whether another process waits, by a lock on
//! a byte of the file, and if so rings: it opens the log and closes it again, which Linux tells all that watch it
//! (inotify). Nothing is written for it, nothing lies beside the file, and an idle process costs no processor time.
//! Elsewhere a waiting process looks again every 20 ms.

#[cfg(target_os = "linux")]
mod eye;
mod looks;

use super::sqlite::fork;
use super::sqlite::locks::{Byte, LISTENING};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// The notices of one open file, for this process.
pub struct Notices {
    log: PathBuf,
    byte: Option<Byte>,
    sender: watch::Sender<u64>,
    watches: Mutex<Watches>,
}

#[derive(Default)]
struct Watches {
    count: usize,
    /// Whether the system tells of a ring; None until somebody waits.
    is_prompt: Option<bool>,
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notices").field("log", &self.log).finish_non_exhaustive()
    }
}

impl Notices {
    pub(super) fn of(path: &Path) -> Arc<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Arc::new(Self {
            log: log.into(),
            byte: Byte::of(path, LISTENING),
            sender: watch::Sender::new(0),
            watches: Mutex::default(),
        })
    }

    /// Rings where another process waits.
    pub(super) fn tell(&self) {
        if self.byte.as_ref().is_some_and(Byte::is_shared) {
            // SQLite locks nothing in the log, so that closing it ends nobody's lock.
            drop(std::fs::File::open(&self.log));
        }
    }

    /// Waits for notices from now on, and has others ring while it lives.
    pub fn watch(self: &Arc<Self>) -> Watch {
        let _inside = fork::enter();
        let mut watches = self.watches.lock();
        watches.count += 1;
        let prompt = *watches.is_prompt.get_or_insert_with(|| self.begin());
        if watches.count == 1
            && prompt
            && let Some(byte) = &self.byte
        {
            byte.share();
        }
        drop(watches);
        let receiver = self.sender.subscribe();
        if !prompt {
            looks::begin(self);
        }
        Watch { receiver, notices: Arc::clone(self) }
    }

    /// Whether a change is told at once; else it is found by a look every 20 ms while somebody waits.
    #[must_use]
    pub fn is_prompt(&self) -> bool {
        let _inside = fork::enter();
        *self.watches.lock().is_prompt.get_or_insert_with(|| self.begin())
    }

    #[cfg(target_os = "linux")]
    fn begin(&self) -> bool {
        self.byte.is_some() && eye::watch(&self.log, &self.sender)
    }

    #[cfg(not(target_os = "linux"))]
    fn begin(&self) -> bool {
        false
    }

    fn is_watched(&self) -> bool {
        self.watches.lock().count > 0
    }

    fn ring(&self) {
        self.sender.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Somebody who waits for notices.
#[derive(Debug)]
pub struct Watch {
    receiver: watch::Receiver<u64>,
    notices: Arc<Notices>,
}

impl Watch {
    /// Forgets the notices so far: call it before looking at the file.
    pub fn mark_seen(&mut self) {
        self.receiver.mark_unchanged();
    }

    /// Whether there was a notice since.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.receiver.has_changed().unwrap_or(true)
    }

    /// Ends at the next notice since [`Watch::mark_seen`]. It may be dropped and called again.
    pub async fn changed(&mut self) {
        // The sender lives as long as this.
        let _ = self.receiver.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _inside = fork::enter();
        let mut watches = self.notices.watches.lock();
        watches.count -= 1;
        if watches.count == 0
            && let Some(byte) = &self.notices.byte
        {
            byte.leave();
        }
    }
}

#[cfg(test)]
mod tests;
