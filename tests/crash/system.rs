//! What is done to the files of a folder: recorded, failed at will, or the last thing that the process does.
//!
//! [`super::calls`] has the functions that tell of it.

use libc::c_int;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What happened to the files of a folder, in order.
#[derive(Debug, Clone)]
pub enum Event {
    Write {
        file: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        length: u64,
    },
    Remove {
        file: String,
    },
    /// A file has one more name, or another one in place of the old.
    Name {
        file: String,
        new: String,
        keeps_old: bool,
    },
    /// Of a file, or of the folder, whose name is empty.
    Sync {
        file: String,
    },
    /// The script was told that this many of its steps are done.
    Done(usize),
}

/// A call that fails.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub call: Call,
    /// The how manieth of its kind, from 0.
    pub at: usize,
    /// How many fail, one after the other.
    pub count: usize,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Open,
    Read,
    Write,
    Sync,
    Cut,
    Lock,
    Name,
    Remove,
    /// Whatever it is.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Errno(c_int),
    /// Half of it is written, then there is no more room.
    Short,
    /// The process is killed before it.
    Kill,
}

#[derive(Default)]
pub struct Watched {
    folder: PathBuf,
    pub events: Vec<Event>,
    fault: Option<Fault>,
    seen: BTreeMap<Call, usize>,
    met: usize,
}

static WATCHED: Mutex<Option<Watched>> = Mutex::new(None);

/// What is watched; a test that failed while it held it ends no other.
pub fn watched() -> MutexGuard<'static, Option<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a folder from now on, with a fault or none.
pub fn watch(folder: &Path, fault: Option<Fault>) {
    let folder = folder.canonicalize().unwrap();
    *watched() = Some(Watched { folder, fault, ..Watched::default() });
}

/// Notes that so many steps are done.
pub fn done(steps: usize) {
    if let Some(watched) = &mut *watched() {
        watched.events.push(Event::Done(steps));
    }
}

/// What was watched.
pub struct Seen {
    pub events: Vec<Event>,
    /// How many calls failed.
    pub met: usize,
    /// How many there were of each kind.
    pub calls: BTreeMap<Call, usize>,
}

/// Watches no more.
pub fn end() -> Seen {
    let Watched { events, met, seen, .. } = watched().take().unwrap_or_default();
    Seen { events, met, calls: seen }
}

/// A file of the folder.
#[derive(Debug, Clone)]
pub struct Watch {
    pub name: String,
    /// Whether its content counts: the index of a log is made anew after a crash.
    pub counts: bool,
}

impl Watched {
    /// The file, if it lies in the folder.
    pub fn file(&self, path: &Path) -> Option<Watch> {
        let name = path.strip_prefix(&self.folder).ok()?.to_str()?;
        (!name.ends_with(" (deleted)")).then(|| Watch { name: name.to_owned(), counts: !name.ends_with("-shm") })
    }

    pub fn open(&self, descriptor: c_int) -> Option<Watch> {
        self.file(&std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?)
    }

    pub fn note(&mut self, file: &Watch, event: impl FnOnce(String) -> Event) {
        if file.counts {
            self.events.push(event(file.name.clone()));
        }
    }

    /// How this call is to fail.
    pub fn fails(&mut self, call: Call) -> Option<How> {
        for kind in [call, Call::Any] {
            let seen = self.seen.entry(kind).or_default();
            let number = std::mem::replace(seen, *seen + 1);
            if let Some(fault) = self.fault.filter(|fault| fault.call == kind)
                && number.checked_sub(fault.at).is_some_and(|later| later < fault.count)
            {
                self.met += 1;
                return Some(fault.how);
            }
        }
        None
    }
}
