//! Which tool call a piece of a stream belongs to.

use crate::chat::{Event, Place};
use std::collections::{BTreeSet, HashMap};

/// The first part that is a tool call.
pub(super) const FIRST: u32 = 16;

/// The tool calls of one choice.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
    /// The last slot of each number of the server's.
    by_index: HashMap<u64, usize>,
    /// The first slot of each id.
    by_id: HashMap<String, usize>,
    parts: BTreeSet<u32>,
    /// The slot that the last piece belonged to.
    last: usize,
    /// Whether there is the one call of the time before tools.
    has_legacy: bool,
}

/// One tool call, as far as it is known.
#[derive(Debug)]
struct Slot {
    id: String,
    name: String,
    part: u32,
}

/// A piece of a tool call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// The server's number of the call, where it gives one.
    pub(super) index: Option<u64>,
    /// Where the piece stands in its list.
    pub(super) position: usize,
    /// Whether it is the only one there.
    pub(super) is_alone: bool,
    pub(super) id: &'a str,
    pub(super) name: &'a str,
}

/// Where a piece belongs, and what it tells that was not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) part: u32,
    /// Whether its id or name is news.
    pub(super) begins: bool,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && !self.has_legacy
    }

    pub(super) fn legacy(&mut self) {
        self.has_legacy = true;
    }

    /// The call of a message, which is whole: each is one of its own.
    pub(super) fn whole(&mut self, id: &str, name: &str) -> Found {
        let part = self.open(None, id, name);
        Found { part, begins: true }
    }

    /// The call that a piece belongs to.
    pub(super) fn find(&mut self, piece: Piece) -> Found {
        let Some(at) = self.slot(piece) else {
            return Found { part: self.open(piece.index, piece.id, piece.name), begins: true };
        };
        self.last = at;
        let slot = &mut self.slots[at];
        // What was told first counts: some servers make up another id for every piece.
        let news = |known: &mut String, told: &str| {
            let is_news = known.is_empty() && !told.is_empty();
            if is_news {
                told.clone_into(known);
            }
            is_news
        };
        let has_id = news(&mut slot.id, piece.id);
        let has_name = news(&mut slot.name, piece.name);
        if has_id {
            self.by_id.entry(piece.id.to_owned()).or_insert(at);
        }
        Found { part: slot.part, begins: has_id || has_name }
    }

    /// Gives the calls whose id nobody told one by their place: results are told under it.
    pub(super) fn name(&self, choice: u32) -> impl Iterator<Item = Event> {
        let nameless = self.slots.iter().filter(|slot| slot.id.is_empty());
        nameless.map(move |slot| Event::ToolCallStart {
            at: Place { choice, part: slot.part },
            id: format!("call_{}", slot.part - FIRST),
            name: String::new(),
        })
    }

    fn slot(&self, piece: Piece) -> Option<usize> {
        let by_id = || self.by_id.get(piece.id).copied();
        if let Some(index) = piece.index {
            let at = *self.by_index.get(&index)?;
            // Some servers give every call the number 0: another id with a name of its own is another call.
            let slot = &self.slots[at];
            let is_other = !piece.id.is_empty() && !slot.id.is_empty() && slot.id != piece.id;
            return if is_other && !piece.name.is_empty() && !slot.name.is_empty() { by_id() } else { Some(at) };
        }
        if !piece.id.is_empty() {
            return by_id();
        }
        let at = if piece.is_alone { self.last } else { piece.position };
        // A second name is a second call.
        self.slots.get(at).filter(|slot| piece.name.is_empty() || slot.name.is_empty()).map(|_| at)
    }

    fn open(&mut self, index: Option<u64>, id: &str, name: &str) -> u32 {
        let wanted = index.and_then(|index| u32::try_from(index).ok()?.checked_add(FIRST));
        let next = || self.parts.last().map_or(FIRST, |last| last.saturating_add(1));
        let part = wanted.filter(|part| !self.parts.contains(part)).unwrap_or_else(next);
        let at = self.slots.len();
        self.parts.insert(part);
        self.by_index.extend(index.map(|index| (index, at)));
        if !id.is_empty() {
            self.by_id.entry(id.to_owned()).or_insert(at);
        }
        self.slots.push(Slot { id: id.to_owned(), name: name.to_owned(), part });
        self.last = self.slots.len() - 1;
        part
    }
}
