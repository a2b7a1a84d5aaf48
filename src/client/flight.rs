//! Equal questions at once are one flight: the first asks, the others wait for its answer.
//!
//! A flight shares answers, never refusals: each caller has a budget, tags, a priority and a deadline of its own, so that
//! where the leader got no answer, the others go themselves. A caller in a hurry does not wait behind a leader that is in
//! none.

use super::Response;
use crate::cache::{EntryKey, Flight as Lead, Flights as Open, Joined, Waiter};
use crate::queue::Priority;

/// How a flight ended.
#[derive(Debug, Clone)]
pub(super) enum Landing {
    /// With an answer that serves all.
    Answer(Box<Response>),
    /// Without one: go yourself.
    None,
}

pub(super) type Leader = Lead<Landing>;

/// The flights of a process, a set a priority.
#[derive(Debug, Default)]
pub(super) struct Flights {
    by_priority: [Open<Landing>; 4],
}

/// The part of one caller.
pub(super) enum Part {
    /// Asks, and tells the others.
    Leads(Leader),
    /// Waits for a leader that is at least as urgent.
    Waits(Waiter<Landing>),
}

impl Flights {
    pub(super) fn join(&self, key: EntryKey, priority: Priority) -> Part {
        let (mine, urgent) = (priority.index(), &self.by_priority[..priority.index()]);
        if let Some(waiter) = urgent.iter().find_map(|flights| flights.waiter(key)) {
            return Part::Waits(waiter);
        }
        match self.by_priority[mine].join(key) {
            Joined::Leader(flight) => Part::Leads(flight),
            Joined::Waiter(waiter) => Part::Waits(waiter),
        }
    }
}
