//! The semantic cache: never an answer to a different question.
//!
//! A lookup walks down one line, and each step may end it:
//! 1. the [`EntryKey`], a digest of tenant, scope and prompt, finds an exact repeat;
//! 2. the prompt's vector is compared with those of the same tenant and scope, exactly and not approximately,
//!    and every entry at or above the threshold is a candidate, nearest first;
//! 3. of the candidates that are fresh the first that passes the guards serves; where a verifier reads, the guards compare
//!    the facts alone, and the best verified one serves.
//!
//! Expired entries go when they are met or drawn; at a bound the one that saves least for its size goes.

mod canonical;
mod coalesce;
mod config;
mod entry;
mod evict;
mod explain;
mod follow;
pub mod guard;
mod ids;
mod index;
mod insert;
mod kernel;
mod key;
mod learn;
mod lookup;
mod map;
pub mod policy;
mod replica;
mod request;
pub mod scope;
mod serve;
mod shortlist;
mod stats;
pub mod store;
mod vector;
pub mod verify;
mod wording;

pub use coalesce::{Flight, Flights, Joined, Waiter};
pub use config::{CacheConfig, DEFAULT_THRESHOLD};
pub use explain::{Explanation, Nearest};
pub use key::EntryKey;
pub use learn::LabelledPair;
pub use replica::FEED_INTERVAL;
pub use request::{CacheHit, HitKind, HitParts, InsertRequest, LookupRequest, Selection};
pub use stats::CacheStats;
pub(crate) use store::SCHEMA;

use crate::store::{Location, StoreReach};
use crate::{Error, Result, blocking};
use entry::CacheEntry;
use evict::Evictor;
use ids::Ids;
use index::Index;
use key::PartitionKey;
use learn::Explored;
use map::HeldMap;
use policy::Policy;
use replica::Replica;
use stats::Counters;
use std::fmt;
use std::hash::RandomState;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{Criteria, EntryStore, RedisEntries, SqliteEntries, Unseen};

/// Answers by question, shared by all clones.
///
/// ```
/// use headrace::Payload;
/// use headrace::cache::{CacheConfig, InsertRequest, LookupRequest, SemanticCache};
/// let cache = SemanticCache::open(CacheConfig::default())?;
/// let answer = Payload::from(&serde_json::json!("Purchased energy."));
/// let vector = [0.6, 0.8];
/// cache.insert(InsertRequest { embedding: Some(&vector), ..InsertRequest::new("What is scope 2?", answer.clone()) })?;
/// let asked = LookupRequest { embedding: Some(&[0.59, 0.81]), ..LookupRequest::new("Please: what is scope 2?") };
/// assert_eq!(cache.lookup(&asked)?.unwrap().response(), &answer);
/// assert!(cache.lookup(&LookupRequest { tenant: "other", ..asked })?.is_none());
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Clone)]
pub struct SemanticCache {
    inner: Arc<CacheCore>,
}

struct CacheCore {
    config: CacheConfig,
    threshold: f64,
    entries: HeldMap<EntryKey, Arc<CacheEntry>>,
    by_id: HeldMap<u64, Arc<CacheEntry>>,
    indexes: HeldMap<PartitionKey, Arc<Index>>,
    evictor: Evictor,
    counters: Counters,
    ids: Ids,
    /// Of every vector here; 0 until the first.
    dimension: AtomicUsize,
    policies: HeldMap<String, Arc<Policy>, RandomState>,
    explored: HeldMap<EntryKey, Explored>,
    /// Where others may change the entries too.
    shared: Option<Replica>,
}

impl fmt::Debug for SemanticCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemanticCache").field("config", &self.inner.config).field("len", &self.len()).finish()
    }
}

impl SemanticCache {
    /// Opens a cache; one on a file or in Redis with all that is there.
    ///
    /// # Errors
    /// `Config` where a setting is out of its range or the URL is of a store that does not keep entries, `Store` where
    /// the file cannot be opened, or the server does not answer.
    pub fn open(config: CacheConfig) -> Result<Self> {
        config.validate()?;
        let location = Location::parse(&config.url)?;
        match &location {
            Location::Memory => Ok(Self::with(config, None)),
            Location::Sqlite(path) => {
                let entries = SqliteEntries::open(path)?;
                Self::open_in(config, Arc::new(entries))
            }
            Location::Redis(address) => {
                let entries = RedisEntries::open(address.clone(), "default")?;
                Self::open_in(config, Arc::new(entries))
            }
        }
    }

    /// Opens a cache whose entries are kept in `store`, in place of where its URL says; others may have it open too.
    ///
    /// # Errors
    /// `Config` where a setting is out of its range, `Store` where the entries cannot be read.
    pub fn open_in(config: CacheConfig, store: Arc<dyn EntryStore>) -> Result<Self> {
        config.validate()?;
        let cache = Self::with(config, Some(Replica::of(store)));
        if let Some(shared) = &cache.inner.shared {
            cache.inner.read_feed(shared)?;
            shared.follow();
        }
        Ok(cache)
    }

    fn with(config: CacheConfig, shared: Option<Replica>) -> Self {
        let inner = Arc::new_cyclic(|myself| CacheCore {
            threshold: config.effective_threshold(),
            config,
            entries: HeldMap::default(),
            by_id: HeldMap::default(),
            indexes: HeldMap::default(),
            evictor: Evictor::new(),
            counters: Counters::default(),
            ids: Ids::default(),
            dimension: AtomicUsize::new(0),
            policies: HeldMap::default(),
            explored: HeldMap::default(),
            shared: shared.map(|shared| shared.of_cache(myself.clone())),
        });
        Self { inner }
    }

    /// Whether the server answers that the entries are kept on; None where they are on none.
    pub async fn reach(&self) -> Option<StoreReach> {
        self.inner.shared.as_ref()?.store.reach().await.ok().flatten()
    }

    /// Takes in what others changed in the store, at once. Lookups do so by themselves, every [`FEED_INTERVAL`] while
    /// they come.
    pub fn catch_up(&self) {
        self.inner.catch_up_now();
    }

    /// Whether the next lookup will look first for what others changed, which reads the file.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.inner.is_behind()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &CacheConfig {
        &self.inner.config
    }

    /// How many entries there are, those whose end has passed unnoticed among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.catch_up();
        self.inner.evictor.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dimension of the vectors; None before the first.
    #[must_use]
    pub fn dimension(&self) -> Option<usize> {
        self.inner.dimension()
    }

    /// What was counted since the cache was opened.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.inner.catch_up();
        let spent: Vec<_> = self.inner.config.verifiers.iter().map(|verifier| verifier.spending()).collect();
        let counted = self.inner.counters.snapshot();
        CacheStats {
            verifier_calls: spent.iter().map(|spent| spent.calls).sum(),
            verifier_cost: spent.iter().map(|spent| spent.cost).sum(),
            verifier_failures: counted.verifier_failures + spent.iter().map(|spent| spent.failures).sum::<u64>(),
            entries: self.len() as u64,
            bytes: self.inner.evictor.bytes() as u64,
            partitions: self.inner.indexes.len() as u64,
            ..counted
        }
    }

    /// Drops an entry; false where there is none of that name. Its bytes may be left in a file: see
    /// [`SemanticCache::invalidate`].
    ///
    /// # Errors
    /// `Store` where the file does not take it.
    pub fn delete(&self, key: &EntryKey) -> Result<bool> {
        self.inner.catch_up_now();
        let Some(entry) = self.inner.entries.get(key) else { return Ok(false) };
        let is_gone = self.inner.remove(&entry);
        self.inner.flush().map(|()| is_gone)
    }

    /// Drops what `selection` matches, and says how many entries that were. When it returns, no byte of them is left in
    /// the file or its log, also of those that another process put; other processes serve them no more after
    /// [`FEED_INTERVAL`]. In Redis nothing is left of them in the server's memory, and other processes hear of it: those that
    /// cannot be reached serve nothing from half a minute on.
    ///
    /// # Errors
    /// `InvalidArgument` where no condition is given: [`SemanticCache::clear`] drops everything. `Store` where the file
    /// does not take it: then call it again.
    pub fn invalidate(&self, selection: &Selection<'_>) -> Result<usize> {
        if selection.is_everything() {
            return Err(Error::invalid("nothing says what to drop: give a tenant, tag, scope or age, or call clear"));
        }
        let now = self.inner.now();
        if let Selection { tenant: Some(tenant), tag: None, scope: None, older_than: None } = selection {
            self.inner.forget_evidence(Some(tenant))?;
        }
        let unseen = Unseen::Matching(Criteria::of(selection, now));
        self.inner.erase(|entry| selection.matches(entry, now), unseen)
    }

    /// Drops everything, as [`SemanticCache::invalidate`] does; the next vector may have another dimension.
    ///
    /// # Errors
    /// `Store` where the file does not take it: then call it again.
    pub fn clear(&self) -> Result<()> {
        self.inner.forget_evidence(None)?;
        self.inner.erase(|_| true, Unseen::Everything)?;
        if self.inner.evictor.len() == 0 {
            self.inner.dimension.store(0, Ordering::Release);
        }
        Ok(())
    }

    /// Drops the entries whose time is over, and says how many those were.
    pub fn purge_expired(&self) -> usize {
        let (now, grace) = (self.inner.now(), self.inner.config.stale_while_revalidate);
        let over = self.inner.by_id.values(|entry| entry.freshness(now, grace) == entry::Freshness::Expired);
        let dropped = over.iter().filter(|entry| self.inner.remove(entry)).count();
        self.inner.counters.expirations.fetch_add(dropped as u64, Ordering::Relaxed);
        dropped
    }

    /// Waits until every change so far is on disk; at once where the cache is in memory.
    ///
    /// # Errors
    /// `Store` where the file did not take a change since the last flush.
    pub fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    /// Writes a durable cache's file anew, so that nothing is left in it of what was dropped or replaced.
    ///
    /// # Errors
    /// `Store` where another process holds the file.
    pub fn compact(&self) -> Result<()> {
        self.inner.shared.as_ref().map_or(Ok(()), |shared| blocking::block_on(shared.store.compact()))
    }

    /// Writes all entries to a file, and says how many those were. Of a cache that is there they take the place, also
    /// where a process has it open; the cache's own file has them already. Any other file is left as it is.
    ///
    /// # Errors
    /// `Store` where the file is no cache, or cannot be written.
    pub fn save(&self, path: &Path) -> Result<usize> {
        self.inner.catch_up_now();
        if let Ok(Location::Sqlite(own)) = Location::parse(&self.inner.config.url)
            && self.inner.shared.is_some()
            && is_one_file(&own, path)
        {
            self.flush()?;
            return Ok(self.len());
        }
        let (inner, evidence) = (Arc::clone(&self.inner), self.inner.evidence());
        let entries = inner.by_id.values(|_| true);
        let with_vectors = entries.into_iter().map(move |entry| {
            let index = inner.indexes.get(&entry.partition);
            let vector = index.filter(|_| entry.dimension > 0).and_then(|index| index.row(entry.id));
            entry.to_stored(vector.map(Into::into))
        });
        store::save(path, with_vectors, evidence)
    }

    /// Adds the entries of a file that [`SemanticCache::save`] wrote, and says how many those were.
    ///
    /// # Errors
    /// `Store` where the file is no saved cache; `Embedding` where its vectors have another dimension.
    pub fn load(&self, path: &Path) -> Result<usize> {
        let mut count = 0;
        let (evidence, damaged) = store::load(path, |entries| {
            count += self.restore(&entries)?;
            Ok(())
        })?;
        self.inner.counters.damaged.fetch_add(damaged, Ordering::Relaxed);
        self.inner.recall(evidence)?;
        self.flush()?;
        Ok(count)
    }
}

/// Whether two paths lead to one file that is there.
fn is_one_file(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (std::fs::canonicalize(one), std::fs::canonicalize(other)) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Hard links have names of their own.
        if let (Ok(one), Ok(other)) = (std::fs::metadata(&one), std::fs::metadata(&other)) {
            return (one.dev(), one.ino()) == (other.dev(), other.ino());
        }
    }
    one == other
}

impl CacheCore {
    fn dimension(&self) -> Option<usize> {
        match self.dimension.load(Ordering::Acquire) {
            0 => None,
            dimension => Some(dimension),
        }
    }

    fn now(&self) -> Duration {
        self.config.clock.wall()
    }

    /// Takes an entry out of all maps, and tells nobody; false where another call did.
    fn drop_here(&self, entry: &CacheEntry) -> bool {
        if self.by_id.remove(&entry.id).is_none() {
            return false;
        }
        self.entries.remove_if(&entry.key, |held| held.id == entry.id);
        self.evictor.remove(entry);
        if let Ok(Some(policy)) = self.policy(&entry.tenant) {
            policy.forget(entry.id);
        }
        if entry.dimension > 0 {
            let is_empty = self.indexes.get(&entry.partition).is_some_and(|index| {
                index.remove(entry.id);
                index.len() == 0
            });
            // One reference is the map's own: no insert holds the index, so nothing can be lost with it.
            if is_empty {
                self.indexes.remove_if(&entry.partition, |index| index.len() == 0 && Arc::strong_count(index) == 1);
            }
        }
        true
    }
}
