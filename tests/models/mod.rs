//! What the model tests share: how many cases they run, and files that a process leaves which is killed.

#![allow(dead_code, clippy::expect_used, clippy::unwrap_used)]

use proptest::test_runner::Config;
use std::cell::Cell;
use std::path::PathBuf;

/// Cases that take seconds; `MODEL_CASES` says how many instead.
pub fn cases(usual: u32) -> Config {
    let cases = std::env::var("MODEL_CASES").map_or(usual, |count| count.parse().unwrap());
    Config { failure_persistence: None, ..Config::with_cases(cases) }
}

/// A file of one history, under a new name after each crash.
pub struct ModelFile {
    folder: tempfile::TempDir,
    crashes: Cell<u32>,
}

impl ModelFile {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), crashes: Cell::new(0) }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.db", self.crashes.get()))
    }

    pub fn url(&self) -> String {
        format!("sqlite:///{}", self.path().display())
    }

    /// What a process leaves that is killed now: the file and its log as they are, which nobody closed. The index of the
    /// log is made anew from it, as after a restart of the machine.
    pub fn crash(&self) {
        let before = self.path();
        self.crashes.set(self.crashes.get() + 1);
        for suffix in ["", "-wal"] {
            let (from, to) = (format!("{}{suffix}", before.display()), format!("{}{suffix}", self.path().display()));
            if std::fs::exists(&from).unwrap() {
                std::fs::copy(from, to).unwrap();
            }
        }
    }
}
