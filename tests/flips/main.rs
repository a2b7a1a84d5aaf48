//! Bytes of a file that flip while it lies there: each flip that changes what the file says is found. There is no wrong
//! answer, nothing is lost in silence, and nothing panics. `FLIPS` says how many flips a file.

#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs)]

mod cache;
mod ledger;
mod queue;

use headrace::{Error, Result, doctor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What a file says, by what it is about.
type Facts = BTreeMap<String, String>;

/// 2026-11-23T10:00:00Z.
const START: Duration = Duration::from_hours(498_730);

/// Each test closes all files of the process.
static ALONE: Mutex<()> = Mutex::new(());

/// A folder in memory, where there is one.
fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn url(file: &Path) -> String {
    format!("sqlite:///{}", file.display())
}

/// Flips bytes of the file that `make` writes, and looks at each with `look`. What a fact says instead of the truth must
/// be the word `lost`, which says that it is known to be lost; and then `doctor` knows it as well.
fn every_flip_is_found(make: fn(&Path), look: fn(&Path) -> Result<Facts>, lost: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let count: usize = std::env::var("FLIPS").map_or(150, |count| count.parse().unwrap());
    let place = folder();
    let file = place.path().join("whole.db");
    make(&file);
    let whole = std::fs::read(&file).unwrap();
    assert!(!place.path().join("whole.db-wal").exists(), "the file alone holds everything");
    let copy = |bytes: &[u8]| {
        let place = folder();
        std::fs::write(place.path().join("it.db"), bytes).unwrap();
        place
    };
    let truth = look(&copy(&whole).path().join("it.db")).unwrap();
    let mut dice = StdRng::seed_from_u64(12);
    let (mut refused, mut marked, mut harmless) = (0, 0, 0);
    for number in 0..count {
        let mut bytes = whole.clone();
        let at = dice.random_range(0..bytes.len());
        let mask: u8 = dice.random_range(1..=255);
        bytes[at] ^= mask;
        let what = format!("flip {number}: byte {at} by {mask:#04x}");
        let place = copy(&bytes);
        let file = place.path().join("it.db");
        // Before it is opened, which may write.
        let report = doctor::diagnose(&file, false);
        match look(&file) {
            Err(Error::Store(_)) => refused += 1,
            Err(error) => panic!("{what}: {error:?}"),
            Ok(facts) if facts == truth => harmless += 1,
            Ok(facts) => {
                marked += 1;
                for (about, said) in &facts {
                    let is_true = truth.get(about) == Some(said);
                    assert!(is_true || said.starts_with(lost), "{what}: {about} is {said}, was {:?}", truth.get(about));
                }
                for about in truth.keys() {
                    assert!(facts.contains_key(about), "{what}: {about} is gone in silence");
                }
                assert!(!report.is_ok_and(|report| report.is_sound()), "{what}: the doctor finds nothing");
            }
        }
        assert!(headrace::store::sqlite::close_all(Duration::from_mins(1)), "{what}");
    }
    println!("{count} flips of {} bytes: {refused} refused, {marked} marked, {harmless} change nothing", whole.len());
    assert!(refused + marked > 0);
}

#[test]
fn every_flip_in_a_queue_is_found() {
    every_flip_is_found(queue::make, queue::look, queue::LOST);
}

#[test]
fn every_flip_in_a_cache_is_found() {
    every_flip_is_found(cache::make, cache::look, cache::LOST);
}

#[test]
fn every_flip_in_a_ledger_is_found() {
    every_flip_is_found(ledger::make, ledger::look, ledger::LOST);
}
