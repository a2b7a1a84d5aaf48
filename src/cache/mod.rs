//! The semantic cache: never an answer to a different question.
//!
//! A lookup walks down one line, and each step may end it:
//! 1. the [`EntryKey`], a digest of tenant, scope and prompt, finds an exact repeat;
//! 2. the prompt's vector is compared with those of the same tenant and scope, exactly and not approximately,
//!    and every entry at or above the threshold is a candidate, nearest first;
//! 3. the first candidate that is fresh and passes the guards serves.
//!
//! Expired entries go when they are met or drawn; at a bound the one that saves least for its size goes.

mod canonical;
mod coalesce;
mod config;
mod entry;
mod evict;
pub mod guard;
mod index;
mod insert;
mod kernel;
mod key;
mod learn;
mod lookup;
mod persist;
pub mod policy;
mod request;
pub mod scope;
mod stats;
mod vector;

pub use coalesce::{Flight, Flights, Joined, Waiter};
pub use config::{CacheConfig, DEFAULT_THRESHOLD};
pub use key::EntryKey;
pub use learn::LabelledPair;
pub(crate) use persist::SCHEMA;
pub use request::{CacheHit, Explanation, HitKind, HitParts, InsertRequest, LookupRequest, Nearest, Selection};
pub use stats::CacheStats;

use crate::store::Location;
use crate::{Error, Result};
use dashmap::DashMap;
use entry::CacheEntry;
use evict::Evictor;
use index::Index;
use key::{DigestState, PartitionKey};
use learn::Explored;
use persist::Store;
use policy::Policy;
use stats::Counters;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

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
    entries: DashMap<EntryKey, Arc<CacheEntry>, DigestState>,
    by_id: DashMap<u64, Arc<CacheEntry>, DigestState>,
    indexes: DashMap<PartitionKey, Arc<Index>, DigestState>,
    evictor: Evictor,
    counters: Counters,
    next_id: AtomicU64,
    /// Of every vector here; 0 until the first.
    dimension: AtomicUsize,
    policies: DashMap<String, Arc<Policy>>,
    explored: DashMap<EntryKey, Explored, DigestState>,
    /// Of a durable cache.
    store: Option<Store>,
}

impl fmt::Debug for SemanticCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemanticCache").field("config", &self.inner.config).field("len", &self.len()).finish()
    }
}

impl SemanticCache {
    /// Opens a cache; a durable one with all that its file holds.
    ///
    /// # Errors
    /// `Config` where a setting is out of its range, `Store` where the file cannot be opened.
    pub fn open(config: CacheConfig) -> Result<Self> {
        config.validate()?;
        let store = match Location::parse(&config.url)? {
            Location::Sqlite(path) => Some(Store::open(&path)?),
            Location::Memory => None,
            other @ Location::Redis(_) => return Err(other.not_served_by("SemanticCache")),
        };
        let inner = CacheCore {
            threshold: config.effective_threshold(),
            config,
            entries: DashMap::default(),
            by_id: DashMap::default(),
            indexes: DashMap::default(),
            evictor: Evictor::new(),
            counters: Counters::default(),
            next_id: AtomicU64::new(1),
            dimension: AtomicUsize::new(0),
            policies: DashMap::new(),
            explored: DashMap::default(),
            store,
        };
        let cache = Self { inner: Arc::new(inner) };
        if let Some(store) = &cache.inner.store {
            store.read_all(|records| cache.restore(&records, false).map(|_| ()))?;
            cache.inner.recall(store.read_evidence()?)?;
        }
        Ok(cache)
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &CacheConfig {
        &self.inner.config
    }

    /// How many entries there are, those whose end has passed unnoticed among them.
    #[must_use]
    pub fn len(&self) -> usize {
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
        CacheStats {
            entries: self.len() as u64,
            bytes: self.inner.evictor.bytes() as u64,
            partitions: self.inner.indexes.len() as u64,
            ..self.inner.counters.snapshot()
        }
    }

    /// Drops an entry; false where there is none of that name.
    ///
    /// # Errors
    /// `Store` where the file does not take it.
    pub fn delete(&self, key: &EntryKey) -> Result<bool> {
        let found = self.inner.entries.get(key).map(|entry| Arc::clone(&entry));
        let Some(entry) = found else { return Ok(false) };
        Ok(self.inner.remove(&entry))
    }

    /// Drops what `selection` matches, and says how many entries that were.
    ///
    /// # Errors
    /// `InvalidArgument` where no condition is given: [`SemanticCache::clear`] drops everything.
    pub fn invalidate(&self, selection: &Selection<'_>) -> Result<usize> {
        if selection.is_everything() {
            return Err(Error::invalid("nothing says what to drop: give a tenant, tag, scope or age, or call clear"));
        }
        let now = self.inner.now();
        let matching: Vec<_> = self
            .inner
            .by_id
            .iter()
            .filter(|entry| selection.matches(entry, now))
            .map(|entry| Arc::clone(&entry))
            .collect();
        let dropped = matching.iter().filter(|entry| self.inner.remove(entry)).count();
        if let Selection { tenant: Some(tenant), tag: None, scope: None, older_than: None } = selection {
            self.inner.forget_evidence(Some(tenant))?;
        }
        Ok(dropped)
    }

    /// Drops everything; the next vector may have another dimension.
    ///
    /// # Errors
    /// `Store` where the file does not take it.
    pub fn clear(&self) -> Result<()> {
        let all: Vec<_> = self.inner.by_id.iter().map(|entry| Arc::clone(&entry)).collect();
        for entry in all {
            self.inner.remove(&entry);
        }
        self.inner.forget_evidence(None)?;
        if self.is_empty() {
            self.inner.dimension.store(0, Ordering::Release);
        }
        Ok(())
    }

    /// Drops the entries whose time is over, and says how many those were.
    pub fn purge_expired(&self) -> usize {
        let (now, grace) = (self.inner.now(), self.inner.config.stale_while_revalidate);
        let over: Vec<_> = self
            .inner
            .by_id
            .iter()
            .filter(|entry| entry.freshness(now, grace) == entry::Freshness::Expired)
            .map(|entry| Arc::clone(&entry))
            .collect();
        let dropped = over.iter().filter(|entry| self.inner.remove(entry)).count();
        self.inner.counters.expirations.fetch_add(dropped as u64, Ordering::Relaxed);
        dropped
    }

    /// Waits until every change so far is on disk; at once where the cache is in memory.
    ///
    /// # Errors
    /// `Store` where the file did not take a change.
    pub fn flush(&self) -> Result<()> {
        self.inner.store.as_ref().map_or(Ok(()), Store::flush)
    }

    /// Writes a durable cache's file anew, so that nothing is left in it of what was deleted.
    ///
    /// # Errors
    /// `Store` where another process holds the file.
    pub fn compact(&self) -> Result<()> {
        self.inner.store.as_ref().map_or(Ok(()), Store::compact)
    }

    /// Writes all entries to a new file, in place of one that may be there, and says how many those were.
    ///
    /// # Errors
    /// `Store` where the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<usize> {
        let entries: Vec<_> = self.inner.by_id.iter().map(|entry| Arc::clone(&entry)).collect();
        let with_vectors = entries.into_iter().map(|entry| {
            let index = self.inner.indexes.get(&entry.partition).map(|index| Arc::clone(&index));
            let vector = index.filter(|_| entry.dimension > 0).and_then(|index| index.row(entry.id));
            (entry, vector)
        });
        persist::save(path, with_vectors, &self.inner.evidence())
    }

    /// Adds the entries of a file that [`SemanticCache::save`] wrote, and says how many those were.
    ///
    /// # Errors
    /// `Store` where the file is no saved cache; `Embedding` where its vectors have another dimension.
    pub fn load(&self, path: &Path) -> Result<usize> {
        let mut count = 0;
        let evidence = persist::load(path, |records| {
            count += self.restore(&records, true)?;
            Ok(())
        })?;
        self.inner.recall(evidence)?;
        Ok(count)
    }
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

    /// Takes an entry out of all maps; false where another call did.
    fn remove(&self, entry: &CacheEntry) -> bool {
        if self.by_id.remove(&entry.id).is_none() {
            return false;
        }
        self.entries.remove_if(&entry.key, |_, held| held.id == entry.id);
        self.evictor.remove(entry);
        if let Some(store) = &self.store
            && let Err(error) = store.delete(entry)
        {
            tracing::warn!(%error, "an entry was dropped here, and not from the file");
        }
        if let Ok(Some(policy)) = self.policy(&entry.tenant) {
            policy.forget(entry.id);
        }
        if entry.dimension > 0 {
            let index = self.indexes.get(&entry.partition).map(|index| Arc::clone(&index));
            let is_empty = index.is_some_and(|index| {
                index.remove(entry.id);
                index.len() == 0
            });
            // One reference is the map's own: no insert holds the index, so nothing can be lost with it.
            if is_empty {
                self.indexes.remove_if(&entry.partition, |_, index| index.len() == 0 && Arc::strong_count(index) == 1);
            }
        }
        true
    }
}
