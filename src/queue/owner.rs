//! Whose requests are whose: some may be taken by one handle only, the one that put them and waits for their turn.

use super::moment::Moment;
use std::collections::HashMap;
use std::time::Duration;

/// What requests that any handle may take have in place of an owner.
pub(super) const NOBODY: u64 = 0;

/// The owner of what was adopted and handed back: it lives no more.
pub(super) const GONE: u64 = 1;

/// How often a handle with open requests says that it lives.
pub(super) const RENEWED_EVERY: Duration = Duration::from_secs(10);

/// The handles that are known to live, and until when they are taken to. In memory a handle lives as long as its process.
#[derive(Debug, Default)]
pub(super) struct Owners {
    until: HashMap<u64, Moment>,
}

impl Owners {
    /// Notes that a handle lives until then, if it does not say so again.
    pub(super) fn renew(&mut self, owner: u64, until: Moment) {
        self.until.insert(owner, until);
    }

    /// Until when a handle is known to live.
    pub(super) fn until(&self, owner: u64) -> Option<Moment> {
        self.until.get(&owner).copied()
    }

    /// When the next of them is silent for too long.
    pub(super) fn next_silence(&self) -> Option<Moment> {
        self.until.values().min().copied().filter(|until| *until < Moment::NEVER)
    }

    /// Those that have been silent for too long; they are known no more.
    pub(super) fn take_silent(&mut self, now: Moment) -> Vec<u64> {
        let mut silent: Vec<u64> =
            self.until.iter().filter(|(_, until)| **until <= now).map(|(owner, _)| *owner).collect();
        silent.sort_unstable();
        self.until.retain(|_, until| *until > now);
        silent
    }

    pub(super) fn lives(&self, owner: u64, now: Moment) -> bool {
        self.until.get(&owner).is_some_and(|until| *until > now)
    }
}

/// Who takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// A worker: what belongs to nobody.
    Worker,
    /// A handle: what it put for itself. `workers` tells whether a worker waits for the rest.
    Owner { owner: u64, workers: bool },
    /// A handle that takes over what was put by one that lives no more.
    Heir { heir: u64 },
}

/// Who takes a request, and who lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker<'a> {
    pub(super) who: Who,
    pub(super) owners: &'a Owners,
    pub(super) now: Moment,
}

/// What a request is to a taker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It may be taken.
    Mine,
    /// It is for another, who is there to take it: its room is kept.
    Others,
    /// It is for another, and nobody is there to take it.
    Idle,
}

impl Taker<'_> {
    pub(super) fn claim(self, owner: u64) -> Claim {
        match self.who {
            Who::Worker if owner == NOBODY => Claim::Mine,
            Who::Owner { owner: me, .. } if owner == me => Claim::Mine,
            Who::Owner { workers, .. } if owner == NOBODY => {
                if workers {
                    Claim::Others
                } else {
                    Claim::Idle
                }
            }
            Who::Heir { .. } if owner == NOBODY => Claim::Idle,
            _ if self.owners.lives(owner, self.now) => Claim::Others,
            Who::Heir { .. } => Claim::Mine,
            _ => Claim::Idle,
        }
    }
}
