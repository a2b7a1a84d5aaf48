//! Numbers that nobody else gives: of entries, and of the caches that put them.
//!
//! Several caches put entries into one store, without asking each other. Each has a random number, and counts its
//! entries from another; that two caches ever meet is less likely than a fault of the machine.

use crate::lock::Lock;
use rand::TryRngCore;
use rand::rngs::OsRng;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The number of no cache: with it, nothing in a feed is one's own.
pub(super) const NOBODY: u64 = 1;
/// Below it are the numbers of files that were brought from an earlier version.
const LEAST: u64 = 1 << 40;

/// The numbers of one cache in one process: a forked child takes others.
#[derive(Debug, Default)]
pub(super) struct Ids {
    process: AtomicU32,
    by: AtomicU64,
    next: AtomicU64,
    renewing: Lock<()>,
}

impl Ids {
    /// The number of the cache.
    pub fn by(&self) -> u64 {
        self.renew();
        self.by.load(Ordering::Acquire)
    }

    /// The number of its next entry.
    pub fn next(&self) -> u64 {
        self.renew();
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether these numbers are a parent process's.
    pub fn is_inherited(&self) -> bool {
        let process = self.process.load(Ordering::Acquire);
        process != 0 && process != crate::process::id()
    }

    fn renew(&self) {
        let process = crate::process::id();
        if self.process.load(Ordering::Acquire) == process {
            return;
        }
        let _one = self.renewing.lock();
        if self.process.load(Ordering::Acquire) != process {
            self.by.store(random(), Ordering::Release);
            self.next.store(random(), Ordering::Release);
            self.process.store(process, Ordering::Release);
        }
    }
}

/// Far from both ends, so that counting on from it does not run over. Not of the thread's generator: a fork copies that.
fn random() -> u64 {
    let drawn = OsRng.try_next_u64().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        now.as_nanos() as u64 ^ u64::from(crate::process::id()).rotate_left(40)
    });
    drawn % (i64::MAX as u64 / 2) + LEAST
}
