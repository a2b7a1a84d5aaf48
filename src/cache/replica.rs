//! A cache as the copy of a store that others change too.

use super::entry::CacheEntry;
use super::store::{EntryName, EntryStore, Erasure, FeedPage, FeedPosition, StoredEntry, Told, Unseen};
use super::{CacheCore, follow, ids};
use crate::blocking::block_on;
use crate::lock::Lock;
use crate::{Error, Result};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// For how long lookups serve without a look at what others changed: from then on the next one looks first.
pub const FEED_INTERVAL: Duration = Duration::from_millis(5);
/// The same after the feed could not be read.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// What a cache has in common with others.
#[derive(Debug)]
pub(super) struct Replica {
    pub store: Arc<dyn EntryStore>,
    /// How far the feed is read.
    position: Lock<FeedPosition>,
    /// Held by the thread that reads the feed, with its process: a child has a turn of its own. Taken before `order`.
    reading: Lock<(u32, Arc<Mutex<()>>)>,
    /// When the feed is looked at again, in nanoseconds of the monotonic clock.
    due: AtomicU64,
    /// Held while the replica is changed and the store is told: both see their changes in one order.
    pub order: Lock<()>,
    unsettled: Lock<Unsettled>,
    /// The cache itself.
    cache: Weak<CacheCore>,
    /// Whether the store tells of its news.
    pub tells: bool,
    /// The process in which a thread follows what the store tells; 0 for none.
    follower: AtomicU32,
}

/// Changes that the store has not confirmed yet, in their order, and what went wrong with earlier ones.
#[derive(Default)]
struct Unsettled {
    changes: VecDeque<(Told<()>, Vec<Arc<CacheEntry>>)>,
    failed: Option<Error>,
}

impl std::fmt::Debug for Unsettled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsettled").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

impl Replica {
    pub fn of(store: Arc<dyn EntryStore>) -> Self {
        let tells = store.news(FeedPosition::START).is_some();
        Self {
            store,
            position: Lock::new(FeedPosition::START),
            reading: Lock::default(),
            due: AtomicU64::new(0),
            order: Lock::new(()),
            unsettled: Lock::default(),
            cache: Weak::new(),
            tells,
            follower: AtomicU32::new(0),
        }
    }

    /// Remembers what went wrong, for the next [`CacheCore::flush`].
    pub fn failed(&self, error: Error) {
        let failed = &mut self.unsettled.lock().failed;
        *failed = failed.take().or(Some(error));
    }

    /// Remembers a change that nobody waits for, and the entries that it puts.
    pub fn later(&self, told: Told<()>, entries: Vec<Arc<CacheEntry>>) {
        self.unsettled.lock().changes.push_back((told, entries));
    }

    /// The same, of that cache.
    pub fn of_cache(self, cache: Weak<CacheCore>) -> Self {
        Self { cache, ..self }
    }

    /// How far the feed is read.
    pub fn position(&self) -> FeedPosition {
        *self.position.lock()
    }

    /// Whether a thread of this process takes in what others change.
    pub fn is_followed(&self) -> bool {
        self.tells && self.follower.load(Ordering::Acquire) == crate::process::id()
    }

    /// Lets a thread take in what others change, where the store tells of it and none does yet.
    pub fn follow(&self) {
        let process = crate::process::id();
        if !self.tells || self.follower.swap(process, Ordering::AcqRel) == process {
            return;
        }
        let cache = Weak::clone(&self.cache);
        let started = std::thread::Builder::new().name("headrace-feed".into()).spawn(move || follow::follow(&cache));
        if let Err(error) = started {
            // Lookups look for themselves.
            tracing::warn!(%error, "no thread to follow what others change in the cache");
            self.follower.store(0, Ordering::Release);
        }
    }

    /// Who reads the feed in this process.
    fn reading(&self) -> Arc<Mutex<()>> {
        let (process, turn) = &mut *self.reading.lock();
        if *process != crate::process::id() {
            // The parent's may be held by a thread that is not here, which drops it never.
            (*process, *turn) = (crate::process::id(), Arc::default());
        }
        Arc::clone(turn)
    }

    fn is_due(&self, now: Duration) -> bool {
        nanos(now) >= self.due.load(Ordering::Relaxed)
    }

    fn wait_until(&self, moment: Duration) {
        self.due.store(nanos(moment), Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl CacheCore {
    /// Takes in what others changed, if it was not looked for within [`FEED_INTERVAL`].
    pub(super) fn catch_up(&self) {
        if self.is_behind() {
            self.catch_up_now();
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| !shared.is_followed() && shared.is_due(self.config.clock.monotonic()))
    }

    pub(super) fn catch_up_now(&self) {
        let Some(shared) = &self.shared else { return };
        let now = self.config.clock.monotonic();
        shared.wait_until(now + FEED_INTERVAL);
        if let Err(error) = self.read_feed(shared) {
            shared.wait_until(now + AFTER_A_FAILURE);
            tracing::warn!(%error, "what others changed in the cache could not be read: it serves what it has");
        }
        // In a forked child there is no thread yet.
        shared.follow();
    }

    /// Drops everything here, and nothing in the store: it is read anew when the store can be reached.
    pub(super) fn forget_here(&self, shared: &Replica) {
        let reading = shared.reading();
        let _alone = reading.lock();
        let _one = shared.order.lock();
        let held = self.by_id.values(|_| true);
        for entry in &held {
            self.drop_here(entry);
        }
        self.policies.clear();
        *shared.position.lock() = FeedPosition::START;
    }

    /// Reads the feed to its end. Where another thread does so, there is nothing to do.
    pub(super) fn read_feed(&self, shared: &Replica) -> Result<()> {
        self.after_a_fork();
        let reading = shared.reading();
        let Some(_alone) = reading.try_lock() else { return Ok(()) };
        self.settle(shared);
        let mut position = shared.position();
        // From the start, what this cache put itself is to be found again too: see `forget_here`.
        let by = if position == FeedPosition::START { ids::NOBODY } else { self.ids.by() };
        while position == FeedPosition::START || block_on(shared.store.has_news(position))? {
            let page = block_on(shared.store.read(by, position))?;
            let (more, next) = (page.more, page.next);
            let reached = self.apply(shared, page)?;
            position = reached;
            *shared.position.lock() = reached;
            if !more || reached != next {
                break;
            }
        }
        Ok(())
    }

    /// Takes in a page, and says how far it came.
    fn apply(&self, shared: &Replica, page: FeedPage) -> Result<FeedPosition> {
        self.counters.damaged.fetch_add(page.damaged, Ordering::Relaxed);
        if page.missed {
            self.look_through_the_roll(shared)?;
        }
        for id in &page.removed {
            self.drop_id(*id);
        }
        for id in &page.rejected {
            if let Some(entry) = self.by_id.get(id) {
                entry.end();
            }
        }
        if page.missed && self.evictor.len() == 0 {
            self.dimension.store(0, Ordering::Release);
        }
        let reached = FeedPosition { entry: self.add_of_others(shared, page.entries, page.next.entry), ..page.next };
        if !page.forgotten {
            self.recall(page.evidence)?;
            return Ok(reached);
        }
        self.policies.clear();
        let since = FeedPosition { entry: i64::MAX, change: -1, evidence: 0 };
        let all = block_on(shared.store.read(ids::NOBODY, since))?;
        self.recall(all.evidence)?;
        Ok(FeedPosition { evidence: all.next.evidence, ..reached })
    }

    /// Adds entries that others put. One whose key this cache is about to put itself waits until that is settled: which
    /// of the two came later is known then.
    fn add_of_others(&self, shared: &Replica, entries: Vec<(i64, StoredEntry)>, end: i64) -> i64 {
        let _one = shared.order.lock();
        let is_open = |entry: &StoredEntry| {
            self.entries.get(&entry.name().key).is_some_and(|own| !own.stored.load(Ordering::Acquire))
        };
        let stop = entries.iter().position(|(_, entry)| is_open(entry)).unwrap_or(entries.len());
        let reached = entries.get(stop).map_or(end, |(place, _)| place - 1);
        let new: Vec<StoredEntry> = entries
            .into_iter()
            .take(stop)
            .map(|(_, entry)| entry)
            .filter(|entry| !self.by_id.contains_key(&entry.id))
            .collect();
        let dropped = self.restore_shared(&new);
        if !dropped.is_empty() {
            shared.later(shared.store.remove(self.ids.by(), dropped), Vec::new());
        }
        reached
    }

    /// Drops the entries that the store no longer has.
    fn look_through_the_roll(&self, shared: &Replica) -> Result<()> {
        // Before the roll is read: what is put after that is not in it.
        let held = self.by_id.values(|entry| entry.stored.load(Ordering::Acquire));
        let roll: HashMap<u64, bool> = block_on(shared.store.roll())?.into_iter().collect();
        for entry in held {
            match roll.get(&entry.id) {
                Some(true) => entry.end(),
                Some(false) => {}
                None => {
                    self.drop_here(&entry);
                }
            }
        }
        Ok(())
    }

    /// Marks what the store has confirmed, and drops what it has refused.
    pub(super) fn settle(&self, shared: &Replica) {
        let mut unsettled = shared.unsettled.lock();
        while let Some((told, entries)) = unsettled.changes.front_mut() {
            let Poll::Ready(outcome) = told.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { return };
            self.settled(&outcome, entries);
            unsettled.failed = unsettled.failed.take().or(outcome.err());
            unsettled.changes.pop_front();
        }
    }

    pub(super) fn settled(&self, outcome: &Result<()>, entries: &[Arc<CacheEntry>]) {
        if let Err(error) = outcome {
            tracing::warn!(%error, "entries were not kept");
            self.counters.unkept.fetch_add(entries.len() as u64, Ordering::Relaxed);
        }
        for entry in entries {
            entry.stored.store(true, Ordering::Release);
            if outcome.is_err() {
                self.drop_here(entry);
            }
        }
    }

    /// Waits until every change so far is kept, and tells what was not.
    pub(super) fn flush(&self) -> Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let changes = std::mem::take(&mut shared.unsettled.lock().changes);
        let mut failed = None;
        for (told, entries) in changes {
            let outcome = block_on(told);
            self.settled(&outcome, &entries);
            failed = failed.or(outcome.err());
        }
        let flushed = block_on(shared.store.flush());
        let earlier = shared.unsettled.lock().failed.take();
        earlier.or(failed).map_or(flushed, Err)
    }

    /// In a forked child, once: what its parent began is its parent's.
    pub(super) fn after_a_fork(&self) {
        let Some(shared) = &self.shared else { return };
        if !self.ids.is_inherited() {
            return;
        }
        let changes = std::mem::take(&mut shared.unsettled.lock().changes);
        for (told, entries) in changes {
            // Its channel's other end is in a thread that is not here.
            std::mem::forget(told);
            entries.iter().for_each(|entry| entry.stored.store(true, Ordering::Release));
        }
    }

    fn drop_id(&self, id: u64) {
        if let Some(entry) = self.by_id.get(&id) {
            self.drop_here(&entry);
        }
    }

    /// Takes an entry out of the maps and tells the store; false where another call did.
    pub(super) fn remove(&self, entry: &CacheEntry) -> bool {
        let Some(shared) = &self.shared else { return self.drop_here(entry) };
        self.after_a_fork();
        let _one = shared.order.lock();
        let is_gone = self.drop_here(entry);
        if is_gone {
            shared.later(shared.store.remove(self.ids.by(), vec![entry.name()]), Vec::new());
        }
        is_gone
    }

    /// Drops entries here and for good in the store, with `unseen` of those that others put, and counts them.
    pub(super) fn erase(&self, is_known: impl Fn(&CacheEntry) -> bool, unseen: Unseen) -> Result<usize> {
        let drop_known = || -> Vec<EntryName> {
            let known = self.by_id.values(|entry| is_known(entry));
            known.iter().filter(|entry| self.drop_here(entry)).map(|entry| entry.name()).collect()
        };
        let Some(shared) = &self.shared else { return Ok(drop_known().len()) };
        self.after_a_fork();
        // From the start, though most of it is known: what this cache dropped because a put in its place failed is still in
        // the store. Erasing writes the store anew in any case.
        let since = FeedPosition::START;
        let (count, told) = {
            let _one = shared.order.lock();
            let known = drop_known();
            (known.len(), shared.store.erase(self.ids.by(), Erasure { known, since, unseen }))
        };
        match block_on(told) {
            Ok(unseen) => {
                for id in &unseen {
                    self.drop_id(*id);
                }
                Ok(count + unseen.len())
            }
            Err(error) => {
                // What is still in the store is to be found again, by this cache too, and to be erased.
                let reading = shared.reading();
                let _alone = reading.lock();
                shared.position.lock().entry = 0;
                shared.wait_until(Duration::ZERO);
                Err(error)
            }
        }
    }
}
