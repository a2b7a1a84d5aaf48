//! Money set aside in a ledger.

use crate::Error;
use std::sync::Arc;

/// A store that takes back what a hold has, without waiting for it.
pub(crate) trait Returns: Send + Sync {
    /// Gives the money of a hold back soon.
    fn give_back(&self, hold: u64);
}

/// Money set aside. It is given back when this is dropped, unless its owner took it over.
pub struct Hold {
    number: Option<u64>,
    place: Option<Arc<dyn Returns>>,
}

impl Hold {
    pub(crate) fn new(number: u64, place: Arc<dyn Returns>) -> Self {
        Self { number: Some(number), place: Some(place) }
    }

    /// Of a call that no budget covers, while the ledger cannot be written.
    pub(crate) fn of_nothing() -> Self {
        Self { number: None, place: None }
    }

    /// The number; from here on its owner gives the money back, by [`super::LedgerStore::settle`] or
    /// [`super::LedgerStore::release`].
    pub fn take(mut self) -> Option<u64> {
        self.place = None;
        self.number
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let (Some(place), Some(number)) = (self.place.take(), self.number) {
            place.give_back(number);
        }
    }
}

/// What became of the wish to set money aside.
#[derive(Debug)]
pub enum Held {
    /// It is set aside.
    Taken(Hold),
    /// Only calls that run are in the way: when they settle, it may fit. The error says how much they hold.
    InTheWay(Error),
}
