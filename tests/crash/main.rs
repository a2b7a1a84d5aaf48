//! A queue and a ledger on files while the disk fails, and after the power failed.
//!
//! What was promised is there, nothing is there that nobody asked for, and sums and budgets agree, after every crash
//! (`CRASH_IMAGES` of them, 300 where it is not set) and after every fault.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs)]
#![allow(unsafe_code, reason = "system calls are defined here, to record them and to have them fail")]

mod image;
mod script;
mod system;

use image::Dice;
use script::{Told, script};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;
use system::{Call, Fault, How};

/// The recorder is the program's.
static ALONE: Mutex<()> = Mutex::new(());

const STEPS: usize = 200;

/// A folder in memory, where there is one: the images need no disk.
fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

#[test]
fn what_was_promised_is_there_after_the_power_failed() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let recorded = folder();
    system::watch(recorded.path(), None);
    let told = script(recorded.path(), STEPS);
    assert!(headrace::store::sqlite::close_all(Duration::from_mins(1)));
    let (events, _) = system::end();
    assert_eq!(told.refused, 0, "nothing failed");
    told.check(recorded.path(), told.deeds.len(), "without a crash");

    let images: usize = std::env::var("CRASH_IMAGES").map_or(300, |count| count.parse().unwrap());
    let mut dice = Dice(7);
    for number in 0..images {
        let length = dice.below(events.len() + 1);
        let crashed = folder();
        image::write(&events[..length], crashed.path(), &mut dice);
        told.check(crashed.path(), image::done(&events[..length]), &format!("image {number} after {length} events"));
    }
}

#[test]
fn what_was_promised_is_there_after_every_fault() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let faults = [
        (Call::Write, How::Errno(libc::EIO)),
        (Call::Write, How::Errno(libc::ENOSPC)),
        (Call::Write, How::Short),
        (Call::Sync, How::Errno(libc::EIO)),
        (Call::Cut, How::Errno(libc::EIO)),
    ];
    // Not met at all: interrupted calls are tried again.
    once(Fault { call: Call::Write, at: 3, lasting: false, how: How::Errno(libc::EINTR) });
    for (call, how) in faults {
        for lasting in [false, true] {
            let mut number = 0;
            while once(Fault { call, at: number, lasting, how }) {
                // The first ones make the files; later ones repeat each other.
                number += if number < 40 { 3 } else { 11 };
            }
            assert!(number > 0 || call == Call::Cut, "{call:?} was not met");
        }
    }
}

/// A short script under a fault; whether it was met.
fn once(fault: Fault) -> bool {
    let place = folder();
    system::watch(place.path(), Some(fault));
    let told = script(place.path(), 14);
    assert!(headrace::store::sqlite::close_all(Duration::from_mins(1)), "{fault:?}");
    let (_, met) = system::end();
    told.check_told(place.path(), &format!("{fault:?}"));
    met > 0
}

impl Told {
    /// After a crash: what was done by then was promised, the step that ran may have come as far.
    fn check(&self, folder: &std::path::Path, done: usize, what: &str) {
        let ran = (done + 1).min(self.deeds.len());
        script::check(folder, &self.promised(done), &self.tried(ran), what);
    }

    /// After faults: what was answered well was promised, everything may have come as far.
    fn check_told(&self, folder: &std::path::Path, what: &str) {
        script::check(folder, &self.promised(self.deeds.len()), &self.tried(self.deeds.len()), what);
    }
}
