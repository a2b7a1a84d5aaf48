//! A queue, a ledger and a cache on files while the system fails, after the power failed, and after the process was killed.
//!
//! What was promised is there, nothing is there that nobody asked for, and sums and budgets agree. Here a sample is
//! run; `CRASH=all` runs every fault and every kill, and `CRASH_IMAGES` says how many crash images.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs)]
#![allow(unsafe_code, reason = "system calls are defined here, to record them and to have them fail")]

mod calls;
mod check;
mod image;
mod script;
mod system;

use image::Dice;
use script::script;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use system::{Call, Fault, How};

/// The recorder is the program's.
static ALONE: Mutex<()> = Mutex::new(());

const STEPS: usize = 200;
/// Steps under a fault: each act once.
const SHORT: usize = 20;
/// Steps until a kill: some of them again.
const KILLED: usize = 42;
/// Tells the other process of the test below its folder, and before which call it is to be killed.
const CHILD: &str = "CRASH_CHILD";
const AT: &str = "CRASH_AT";

/// A folder in memory, where there is one: the images need no disk.
fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn close_all(what: &str) {
    assert!(headrace::store::sqlite::close_all(Duration::from_mins(1)), "{what}");
}

/// All numbers below `bound`, or `most` of them.
fn sample(bound: usize, most: usize) -> Vec<usize> {
    let is_all = std::env::var("CRASH").is_ok_and(|what| what == "all");
    if is_all || bound <= most {
        return (0..bound).collect();
    }
    let mut dice = Dice(bound as u64);
    (0..most).map(|part| part * bound / most + dice.below(bound / most)).collect()
}

#[test]
fn what_was_promised_is_there_after_the_power_failed() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let recorded = folder();
    system::watch(recorded.path(), None);
    let told = script(recorded.path(), STEPS, system::done);
    close_all("without a crash");
    let events = system::end().events;
    assert_eq!(told.refused, 0, "nothing failed");
    told.check_crash(recorded.path(), told.deeds.len(), "without a crash");

    let images: usize = std::env::var("CRASH_IMAGES").map_or(200, |count| count.parse().unwrap());
    let mut dice = Dice(7);
    for number in 0..images {
        let length = dice.below(events.len() + 1);
        let crashed = folder();
        image::write(&events[..length], crashed.path(), &mut dice);
        told.check_crash(
            crashed.path(),
            image::done(&events[..length]),
            &format!("image {number} after {length} events"),
        );
    }
}

#[test]
fn what_was_promised_is_there_after_every_fault() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let faults = [
        (Call::Open, How::Errno(libc::EIO)),
        (Call::Open, How::Errno(libc::EMFILE)),
        (Call::Open, How::Errno(libc::ENOSPC)),
        (Call::Open, How::Errno(libc::EINTR)),
        (Call::Read, How::Errno(libc::EIO)),
        (Call::Read, How::Errno(libc::EINTR)),
        (Call::Write, How::Errno(libc::EIO)),
        (Call::Write, How::Errno(libc::ENOSPC)),
        (Call::Write, How::Errno(libc::EINTR)),
        (Call::Write, How::Short),
        (Call::Sync, How::Errno(libc::EIO)),
        (Call::Sync, How::Errno(libc::ENOSPC)),
        (Call::Cut, How::Errno(libc::EIO)),
        (Call::Cut, How::Errno(libc::ENOSPC)),
        (Call::Cut, How::Errno(libc::EINTR)),
        (Call::Lock, How::Errno(libc::EIO)),
        (Call::Lock, How::Errno(libc::ENOLCK)),
        (Call::Lock, How::Errno(libc::EINTR)),
        (Call::Name, How::Errno(libc::EIO)),
        (Call::Name, How::Errno(libc::ENOSPC)),
        (Call::Remove, How::Errno(libc::EIO)),
    ];
    let quiet = folder();
    system::watch(quiet.path(), None);
    script(quiet.path(), SHORT, system::done);
    close_all("without a fault");
    let calls = system::end().calls;
    let mut met = 0;
    for (call, how) in faults {
        let most = match (call, how) {
            // What is interrupted for ever is tried for ever, and where no lock is to be had SQLite waits for 10 s.
            (_, How::Errno(libc::EINTR)) | (Call::Lock, _) => 3,
            _ => usize::MAX,
        };
        for count in [1, most] {
            for at in sample(calls[&call], 4) {
                met += once(Fault { call, at, count, how });
            }
        }
    }
    println!("{met} faults in {calls:?}");
    assert!(met >= faults.len());
}

/// A short script under a fault; how often it was met, at most once.
fn once(fault: Fault) -> usize {
    let place = folder();
    system::watch(place.path(), Some(fault));
    let told = script(place.path(), SHORT, system::done);
    close_all(&format!("{fault:?}"));
    let met = system::end().met;
    told.check_told(place.path(), &format!("{fault:?}"));
    met.min(1)
}

#[test]
fn what_was_promised_is_there_after_a_kill() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let recorded = folder();
    system::watch(recorded.path(), None);
    let told = script(recorded.path(), KILLED, system::done);
    close_all("without a kill");
    let calls = system::end().calls[&Call::Any];
    assert_eq!(told.refused, 0, "nothing failed");
    let mut killed = 0;
    for at in sample(calls, 24) {
        let place = folder();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_that_is_killed"])
            .env(CHILD, place.path())
            .env(AT, at.to_string())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        let done = std::fs::read(place.path().join("done")).unwrap_or_default().len();
        killed += usize::from(status.signal() == Some(libc::SIGKILL));
        // Where its threads took turns otherwise there were fewer calls.
        assert!(status.success() || status.signal() == Some(libc::SIGKILL), "killed at {at}: {status}");
        told.check_crash(&place.path().join("files"), done, &format!("killed at call {at} of {calls}"));
    }
    println!("{killed} kills at {calls} calls");
    assert!(killed > 0);
}

/// The other process of the test above: its end is a kill.
#[test]
fn a_process_that_is_killed() {
    let (Ok(place), Ok(at)) = (std::env::var(CHILD), std::env::var(AT)) else { return };
    let (files, at) = (Path::new(&place).join("files"), at.parse().unwrap());
    std::fs::create_dir(&files).unwrap();
    let mut done = std::fs::File::create(Path::new(&place).join("done")).unwrap();
    system::watch(&files, Some(Fault { call: Call::Any, at, count: 1, how: How::Kill }));
    // A byte a step.
    script(&files, KILLED, |_| done.write_all(b".").unwrap());
    close_all("not killed");
}
