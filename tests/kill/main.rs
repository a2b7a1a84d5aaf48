//! Four processes on one queue, one ledger and one cache, killed at any moment: nothing acknowledged is lost, nothing is
//! delivered again after its ack, and money is conserved to the attodollar. `KILLS` says how many are killed.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs)]

mod log;
mod worker;

use headrace::cache::LookupRequest;
use headrace::cost::money::Money;
use headrace::cost::{Call, Filter};
use log::Log;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use worker::{MODEL, Open, question};

/// Tells a process of this test its folder, and the first of its numbers.
const FOLDER: &str = "KILL_FOLDER";
const FIRST: &str = "KILL_FIRST";
const WORKERS: usize = 4;
/// Numbers that a process has for itself.
const NUMBERS: u64 = 1_000_000;

fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn start(folder: &Path, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_is_killed"])
        .env(FOLDER, folder)
        .env(FIRST, (number as u64 * NUMBERS).to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The other processes of the test below: they work until they are killed.
#[test]
fn a_process_that_is_killed() {
    let (Ok(folder), Ok(first)) = (std::env::var(FOLDER), std::env::var(FIRST)) else { return };
    worker::work(Path::new(&folder), first.parse().unwrap());
}

#[test]
fn nothing_is_lost_when_processes_are_killed() {
    let kills: usize = std::env::var("KILLS").map_or(50, |count| count.parse().unwrap());
    let place = folder();
    let mut dice = StdRng::seed_from_u64(12);
    let mut workers: Vec<_> = (1..=WORKERS).map(|number| start(place.path(), number)).collect();
    for kill in 0..kills {
        // Some of what they do comes between, whatever the machine is busy with.
        let until = log::length(place.path()) + dice.random_range(0..1200);
        let bound = Instant::now() + Duration::from_mins(2);
        while log::length(place.path()) < until {
            assert!(Instant::now() < bound, "nobody works any more after {kill} kills");
            std::thread::sleep(Duration::from_micros(dice.random_range(1..500)));
        }
        let worker = &mut workers[dice.random_range(0..WORKERS)];
        worker.kill().unwrap();
        worker.wait().unwrap();
        *worker = start(place.path(), WORKERS + 1 + kill);
    }
    for mut worker in workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    check(place.path(), kills);
}

fn check(folder: &Path, kills: usize) {
    let log = Log::read(folder);
    assert!(log.taken_after_ack.is_empty(), "delivered again after their ack: {:?}", log.taken_after_ack);
    let open = Open::reopen(folder, Duration::from_hours(1)).unwrap();
    let mut found = BTreeSet::new();
    while !open.queue.is_empty().unwrap() {
        let (number, lease) = open.take(None).unwrap().unwrap();
        assert!(found.insert(number), "{number} came twice");
        open.wait(lease.ack_async(None, None)).unwrap();
    }
    assert!(open.queue.dead().unwrap().is_empty());
    let lost: Vec<_> =
        log.put.iter().filter(|number| !log.ack_tried.contains(number) && !found.contains(number)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let again: Vec<_> = found.intersection(&log.acked).collect();
    assert!(again.is_empty(), "delivered again after their ack: {again:?}");
    assert!(found.is_subset(&log.put_tried), "invented");

    let records = open.costs.records(&Filter::default(), None, false).wait().unwrap();
    assert!((log.booked..=log.book_tried).contains(&records.len()), "{} records", records.len());
    let one = open.costs.quote(Call::new(MODEL, &worker::usage()), &open.who).unwrap().amount;
    let total = Money::from_attodollars(one.attodollars() * records.len() as i128);
    assert_eq!(open.costs.total(&Filter::default()).wait().unwrap(), total);
    let budgets = open.costs.budgets().wait().unwrap();
    assert_eq!(budgets.len(), 1);
    assert_eq!((budgets[0].taken.spent, budgets[0].taken.reserved), (total, Money::ZERO));

    for (slot, answers) in &log.kept {
        let hit = open.cache.lookup_exact(&LookupRequest::new(&question(*slot)));
        let hit = hit.unwrap_or_else(|| panic!("the answer to question {slot} is lost"));
        let answer = std::str::from_utf8(hit.response().as_bytes()).unwrap().parse().unwrap();
        assert!(answers.contains(&answer), "question {slot} has {answer} in place of one of {answers:?}");
    }
    println!(
        "{kills} kills: {} put, {} acked, {} booked, {} questions; lost 0, delivered again 0, {total} conserved",
        log.put.len(),
        log.acked.len(),
        records.len(),
        log.kept.len(),
    );
    assert!(!log.acked.is_empty() && log.booked > 0);
}
