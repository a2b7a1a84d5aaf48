//! What the processes write down, each line at once and in the order in which it happened: the system appends it whole,
//! and keeps it when its writer is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// What is about to be done, or was done.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub enum Line {
    Putting(u64),
    Put(u64),
    /// For an attempt.
    Took(u64, u32),
    Acking(u64),
    Acked(u64, u32),
    Booking,
    Booked,
    /// The answer to a question.
    Keeping(u64, u64),
    Kept(u64, u64),
}

const NAME: &str = "log";

pub fn open(folder: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(folder.join(NAME)).unwrap()
}

pub fn write(log: &mut File, line: &Line) {
    log.write_all(format!("{}\n", serde_json::to_string(line).unwrap()).as_bytes()).unwrap();
}

pub fn length(folder: &Path) -> u64 {
    std::fs::metadata(folder.join(NAME)).map_or(0, |known| known.len())
}

/// What all of them wrote down.
#[derive(Debug, Default)]
pub struct Log {
    pub put: BTreeSet<u64>,
    pub put_tried: BTreeSet<u64>,
    pub acked: BTreeSet<u64>,
    pub ack_tried: BTreeSet<u64>,
    pub taken_after_ack: Vec<(u64, u32)>,
    pub booked: usize,
    pub book_tried: usize,
    /// By question, the answers that it may have: those that nothing kept later is sure to have replaced.
    pub kept: BTreeMap<u64, BTreeSet<u64>>,
}

impl Log {
    pub fn read(folder: &Path) -> Self {
        let mut log = Self::default();
        let mut attempts = BTreeMap::new();
        // From which line to which an answer was being kept; for ever where it is not known to have ended.
        let mut spans: BTreeMap<u64, BTreeMap<u64, (usize, usize)>> = BTreeMap::new();
        for (at, line) in std::fs::read_to_string(folder.join(NAME)).unwrap().lines().enumerate() {
            match serde_json::from_str(line).unwrap() {
                Line::Putting(number) => drop(log.put_tried.insert(number)),
                Line::Put(number) => drop(log.put.insert(number)),
                Line::Took(number, attempt) => {
                    // One that took it before may write it down later.
                    if attempts.get(&number).is_some_and(|acked| attempt > *acked) {
                        log.taken_after_ack.push((number, attempt));
                    }
                }
                Line::Acking(number) => drop(log.ack_tried.insert(number)),
                Line::Acked(number, attempt) => {
                    log.acked.insert(number);
                    attempts.insert(number, attempt);
                }
                Line::Booking => log.book_tried += 1,
                Line::Booked => log.booked += 1,
                Line::Keeping(slot, answer) => {
                    spans.entry(slot).or_default().insert(answer, (at, usize::MAX));
                }
                Line::Kept(slot, answer) => {
                    if let Some(span) = spans.entry(slot).or_default().get_mut(&answer) {
                        span.1 = at;
                    }
                }
            }
        }
        for (slot, answers) in spans {
            let kept = answers.values().filter(|(_, end)| *end < usize::MAX);
            // What ended before another began that was kept is replaced.
            if let Some(latest) = kept.map(|(start, _)| *start).max() {
                let may_be = answers.into_iter().filter(|(_, (_, end))| *end > latest);
                log.kept.insert(slot, may_be.map(|(answer, _)| answer).collect());
            }
        }
        log
    }
}
