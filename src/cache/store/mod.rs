//! Where a cache's entries are kept, and what of it is told to everyone who shares them.
//!
//! A cache answers from its own copy of the entries (the replica: its maps and its index); the store is what several
//! caches, in one process or in many, have in common. Each change that one of them makes is in the store's feed, which
//! the others read from where they left off.
//!
//! Entries are never changed, but for being rejected: a new answer to the same question is a new entry with an id of
//! its own in place of the old one. So the feed needs no order between what comes and what goes, and tells of what went
//! by its id, which says nothing of its content.

mod memory;
mod record;
mod redis;
mod sqlite;

pub use memory::MemoryEntries;
pub use record::StoredEntry;
pub use redis::RedisEntries;
#[cfg(any(test, fuzzing))]
pub(crate) use redis::read_summed;
pub use sqlite::SqliteEntries;
pub(crate) use sqlite::{SCHEMA, load, save};

use super::policy::Judged;
use super::request::Selection;
use super::{EntryKey, PartitionKey};
use crate::Result;
use crate::store::StoreReach;
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::time::Duration;

/// What a store promises, and tells when it is so: for a change, when it is kept. The work is begun already, in the
/// order of the calls; dropping the promise takes nothing back.
pub type Told<T> = BoxFuture<'static, Result<T>>;

/// Keeps the entries of a cache, and tells everyone who shares them what changed.
///
/// `by` names the cache that makes a change, so that it is not told of it; see [`super::SemanticCache::open_in`].
pub trait EntryStore: Debug + Send + Sync + 'static {
    /// Keeps entries, each in place of one of the same key.
    fn put(&self, by: u64, entries: Vec<StoredEntry>) -> Told<()>;

    /// Drops entries that are no longer worth keeping.
    fn remove(&self, by: u64, entries: Vec<EntryName>) -> Told<()>;

    /// Drops entries, also some that the caller has not heard of, and says which of those it dropped. When it is told,
    /// no byte of what was dropped is left, nor of what was dropped or replaced before.
    fn erase(&self, by: u64, erasure: Erasure) -> Told<Vec<u64>>;

    /// Marks an entry as one that answers wrongly.
    fn reject(&self, by: u64, entry: EntryName) -> Told<()>;

    /// Keeps what was learned of a tenant's questions.
    fn learn(&self, by: u64, evidence: Learned) -> Told<()>;

    /// Forgets what was learned of a tenant, or of all.
    fn forget(&self, by: u64, tenant: Option<String>) -> Told<()>;

    /// Whether the feed goes on behind `since`.
    fn has_news(&self, since: FeedPosition) -> Told<bool>;

    /// The next page of the feed, without what `by` did itself.
    fn read(&self, by: u64, since: FeedPosition) -> Told<FeedPage>;

    /// The ids of all entries, each with whether it is rejected: for whoever has missed a part of the feed.
    fn roll(&self) -> Told<Vec<(u64, bool)>>;

    /// Takes no more room than what is kept needs, and leaves no byte of what is not.
    fn compact(&self) -> Told<()>;

    /// Waits until every change so far is kept.
    fn flush(&self) -> Told<()>;

    /// Whether the server answers that they are kept on; None where they are on none.
    fn reach(&self) -> Told<Option<StoreReach>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Ends when the feed may go on behind `since`, or is to be looked at in any case. None where nobody tells: then the feed
    /// is asked for its news as lookups come.
    fn news(&self, _since: FeedPosition) -> Option<Told<()>> {
        None
    }
}

/// What names an entry: the key under which it is found, and its id, which no other entry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryName {
    /// Of its tenant, scope and prompt.
    pub key: EntryKey,
    /// Of this very entry.
    pub id: u64,
}

/// What to drop for good.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// Entries that the caller knows.
    pub known: Vec<EntryName>,
    /// How far the caller has read the feed: what came later is looked through.
    pub since: FeedPosition,
    /// Which of the later ones go too.
    pub unseen: Unseen,
}

/// Which entries go that the caller has not heard of.
#[derive(Debug, Clone)]
pub enum Unseen {
    /// None.
    Nothing,
    /// Those that a selection matches.
    Matching(Criteria),
    /// All, and all that the caller knows as well.
    Everything,
}

/// A [`Selection`] that can be sent to a store.
#[derive(Debug, Clone)]
pub struct Criteria {
    tenant: Option<String>,
    tag: Option<String>,
    scope: Option<String>,
    /// Stored at this time or before, since 1970.
    stored_by: Option<Duration>,
}

impl Criteria {
    /// What a selection selects at a moment since 1970.
    #[must_use]
    pub fn of(selection: &Selection<'_>, now: Duration) -> Self {
        Self {
            tenant: selection.tenant.map(Into::into),
            tag: selection.tag.map(Into::into),
            scope: selection.scope.map(Into::into),
            stored_by: selection.older_than.map(|age| now.saturating_sub(age)),
        }
    }

    /// Whether an entry is one of those.
    #[must_use]
    pub fn matches(&self, entry: &StoredEntry) -> bool {
        self.tenant.as_deref().is_none_or(|tenant| *entry.tenant == *tenant)
            && self.tag.as_ref().is_none_or(|tag| entry.tags.contains(tag))
            && self.scope.as_deref().is_none_or(|scope| entry.scope.as_deref() == Some(scope))
            && self.stored_by.is_none_or(|latest| entry.created <= latest)
    }
}

/// What was learned of one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Whose question it was.
    pub tenant: String,
    /// What came of it.
    pub judged: Judged,
}

/// How far a feed was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPosition {
    /// The last entry.
    pub entry: i64,
    /// The last change to entries; less than 0 for whoever has no entries that could have changed.
    pub change: i64,
    /// The last piece of evidence.
    pub evidence: i64,
}

impl FeedPosition {
    /// Before everything: a page read from here holds entries and evidence as they are, and no changes.
    pub const START: Self = Self { entry: 0, change: -1, evidence: 0 };
}

impl Default for FeedPosition {
    fn default() -> Self {
        Self::START
    }
}

/// A part of the feed.
#[derive(Debug, Default)]
pub struct FeedPage {
    /// Entries that came, each with its place in the feed, in the order in which they came.
    pub entries: Vec<(i64, StoredEntry)>,
    /// The ids of entries that went.
    pub removed: Vec<u64>,
    /// The ids of entries that were rejected.
    pub rejected: Vec<u64>,
    /// What others learned.
    pub evidence: Vec<Learned>,
    /// Whether changes to entries were missed, or were many: see [`EntryStore::roll`].
    pub missed: bool,
    /// Whether evidence was forgotten: all that counts is to be read anew.
    pub forgotten: bool,
    /// How many entries or pieces of evidence were damaged, and so are none.
    pub damaged: u64,
    /// Where the next page begins.
    pub next: FeedPosition,
    /// Whether there is more.
    pub more: bool,
}

impl StoredEntry {
    /// What names it.
    #[must_use]
    pub fn name(&self) -> EntryName {
        EntryName { key: EntryKey::of(&self.tenant, self.scope.as_deref(), &self.prompt), id: self.id }
    }

    pub(crate) fn partition(&self) -> PartitionKey {
        PartitionKey::of(&self.tenant, self.scope.as_deref())
    }
}
