//! Entries in memory, shared by caches of one process.

use super::{EntryName, EntryStore, Erasure, FeedPage, FeedPosition, Learned, StoredEntry, Told, Unseen};
use crate::cache::EntryKey;
use crate::lock::Lock;
use futures_util::FutureExt;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::ready;
use std::ops::Bound::{Excluded, Unbounded};

/// The most changes that the feed keeps: who reads more rarely looks through the roll.
const MOST_CHANGES: usize = 65_536;

/// Entries in memory. A cache alone needs none: its replica is all there is.
///
/// ```
/// use headrace::cache::store::MemoryEntries;
/// use headrace::cache::{CacheConfig, InsertRequest, LookupRequest, SemanticCache};
/// use std::sync::Arc;
/// let entries = Arc::new(MemoryEntries::default());
/// let one = SemanticCache::open_in(CacheConfig::default(), entries.clone())?;
/// one.insert(InsertRequest::new("What is scope 2?", headrace::Payload::bytes("Purchased energy.")))?;
/// let other = SemanticCache::open_in(CacheConfig::default(), entries)?;
/// assert!(other.lookup(&LookupRequest::new("What is scope 2?"))?.is_some());
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryEntries {
    kept: Lock<KeptEntries>,
}

#[derive(Debug)]
struct KeptEntries {
    /// By place in the feed.
    entries: BTreeMap<i64, (u64, StoredEntry)>,
    places: HashMap<EntryKey, i64>,
    changes: VecDeque<(i64, u64, FeedChange)>,
    evidence: BTreeMap<i64, (u64, Learned)>,
    last: FeedPosition,
}

#[derive(Debug, Clone, Copy)]
enum FeedChange {
    Removed(u64),
    Rejected(u64),
    Many,
    Forgotten,
}

impl Default for KeptEntries {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            places: HashMap::new(),
            changes: VecDeque::new(),
            evidence: BTreeMap::new(),
            last: FeedPosition { change: 0, ..FeedPosition::START },
        }
    }
}

impl KeptEntries {
    fn tell(&mut self, by: u64, change: FeedChange) {
        self.last.change += 1;
        self.changes.push_back((self.last.change, by, change));
        if self.changes.len() > MOST_CHANGES {
            self.changes.pop_front();
        }
    }

    fn remove(&mut self, by: u64, name: EntryName) {
        let Some(&place) = self.places.get(&name.key) else { return };
        if self.entries.get(&place).is_some_and(|(_, entry)| entry.id == name.id) {
            self.entries.remove(&place);
            self.places.remove(&name.key);
            self.tell(by, FeedChange::Removed(name.id));
        }
    }

    fn page(&self, by: u64, since: FeedPosition) -> FeedPage {
        let mut page = FeedPage { next: self.last, ..FeedPage::default() };
        let others = |own: u64| own != by;
        page.entries = self
            .entries
            .range((Excluded(since.entry), Unbounded))
            .filter(|(_, (own, _))| others(*own))
            .map(|(place, (_, entry))| (*place, entry.clone()))
            .collect();
        page.evidence = self
            .evidence
            .range((Excluded(since.evidence), Unbounded))
            .filter(|(_, (own, _))| others(*own))
            .map(|(_, (_, evidence))| evidence.clone())
            .collect();
        if since.change < 0 {
            return page;
        }
        page.missed = self.changes.front().is_some_and(|(first, ..)| since.change + 1 < *first);
        for (_, _, change) in self.changes.iter().filter(|(place, own, _)| *place > since.change && others(*own)) {
            match change {
                FeedChange::Removed(id) => page.removed.push(*id),
                FeedChange::Rejected(id) => page.rejected.push(*id),
                FeedChange::Many => page.missed = true,
                FeedChange::Forgotten => page.forgotten = true,
            }
        }
        page
    }
}

fn told<T: Send + 'static>(value: T) -> Told<T> {
    ready(Ok(value)).boxed()
}

impl EntryStore for MemoryEntries {
    fn put(&self, by: u64, entries: Vec<StoredEntry>) -> Told<()> {
        let kept = &mut *self.kept.lock();
        for entry in entries {
            kept.last.entry += 1;
            let place = kept.last.entry;
            let old = kept.places.insert(entry.name().key, place);
            if let Some((_, old)) = old.and_then(|old| kept.entries.remove(&old)) {
                // The new one may be gone before others have heard of it.
                kept.tell(by, FeedChange::Removed(old.id));
            }
            kept.entries.insert(place, (by, entry));
        }
        told(())
    }

    fn remove(&self, by: u64, entries: Vec<EntryName>) -> Told<()> {
        let kept = &mut *self.kept.lock();
        for name in entries {
            kept.remove(by, name);
        }
        told(())
    }

    fn erase(&self, by: u64, erasure: Erasure) -> Told<Vec<u64>> {
        let kept = &mut *self.kept.lock();
        let unseen: Vec<EntryName> = kept
            .entries
            .range((Excluded(erasure.since.entry), Unbounded))
            .filter(|(_, (_, entry))| match &erasure.unseen {
                Unseen::Nothing => false,
                Unseen::Matching(criteria) => criteria.matches(entry),
                Unseen::Everything => true,
            })
            .map(|(_, (_, entry))| entry.name())
            .collect();
        if matches!(erasure.unseen, Unseen::Everything) {
            kept.entries.clear();
            kept.places.clear();
            kept.tell(by, FeedChange::Many);
        } else {
            for name in erasure.known.iter().chain(&unseen) {
                kept.remove(by, *name);
            }
        }
        let known = |name: &EntryName| erasure.known.iter().any(|known| known.id == name.id);
        told(unseen.iter().filter(|name| !known(name)).map(|name| name.id).collect())
    }

    fn reject(&self, by: u64, entry: EntryName) -> Told<()> {
        let kept = &mut *self.kept.lock();
        if let Some(place) = kept.places.get(&entry.key)
            && let Some((_, held)) = kept.entries.get_mut(place)
            && held.id == entry.id
        {
            held.is_rejected = true;
            kept.tell(by, FeedChange::Rejected(entry.id));
        }
        told(())
    }

    fn learn(&self, by: u64, evidence: Learned) -> Told<()> {
        let kept = &mut *self.kept.lock();
        kept.last.evidence += 1;
        kept.evidence.insert(kept.last.evidence, (by, evidence));
        told(())
    }

    fn forget(&self, by: u64, tenant: Option<String>) -> Told<()> {
        let kept = &mut *self.kept.lock();
        kept.evidence.retain(|_, (_, evidence)| tenant.as_ref().is_some_and(|tenant| *tenant != evidence.tenant));
        kept.tell(by, FeedChange::Forgotten);
        told(())
    }

    fn has_news(&self, since: FeedPosition) -> Told<bool> {
        told(self.kept.lock().last != since)
    }

    fn read(&self, by: u64, since: FeedPosition) -> Told<FeedPage> {
        told(self.kept.lock().page(by, since))
    }

    fn roll(&self) -> Told<Vec<(u64, bool)>> {
        told(self.kept.lock().entries.values().map(|(_, entry)| (entry.id, entry.is_rejected)).collect())
    }

    fn compact(&self) -> Told<()> {
        told(())
    }

    fn flush(&self) -> Told<()> {
        told(())
    }
}
