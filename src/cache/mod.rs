//! The semantic cache: never an answer to a different question.
//!
//! A lookup walks down one line, and each step may end it:
//! 1. the [`EntryKey`], a digest of tenant, scope and prompt, finds an exact repeat;
//! 2. the prompt's vector is compared with those of the same tenant and scope, exactly and not approximately,
//!    and every entry at or above the threshold is a candidate, nearest first;
//! 3. the first candidate that is fresh and passes the guards serves.
//!
//! Expired entries go when they are met or drawn; at a bound the one that saves least for its size goes.

mod coalesce;
mod config;
mod entry;
mod evict;
pub mod guard;
mod index;
mod insert;
mod kernel;
mod key;
mod lookup;
pub mod policy;
mod request;
pub mod scope;
mod stats;
mod vector;

pub use coalesce::{Flight, Flights, Role, Waiter};
pub use config::{CacheConfig, DEFAULT_THRESHOLD};
pub use key::EntryKey;
pub use request::{CacheHit, Explanation, HitKind, InsertRequest, LookupRequest, Selection};
pub use stats::CacheStats;

use crate::{Error, Result};
use dashmap::DashMap;
use entry::Entry;
use evict::Evictor;
use index::Index;
use key::{DigestState, PartitionKey};
use stats::Counters;
use std::fmt;
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
/// let asked = LookupRequest { embedding: Some(&[0.59, 0.81]), ..LookupRequest::new("Scope 2 is what?") };
/// assert_eq!(cache.lookup(&asked)?.unwrap().response(), &answer);
/// assert!(cache.lookup(&LookupRequest { tenant: "other", ..asked })?.is_none());
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Clone)]
pub struct SemanticCache {
    inner: Arc<Inner>,
}

struct Inner {
    config: CacheConfig,
    threshold: f64,
    entries: DashMap<EntryKey, Arc<Entry>, DigestState>,
    by_id: DashMap<u64, Arc<Entry>, DigestState>,
    indexes: DashMap<PartitionKey, Arc<Index>, DigestState>,
    evictor: Evictor,
    counters: Counters,
    next_id: AtomicU64,
    /// Of every vector here; 0 until the first.
    dimension: AtomicUsize,
}

impl fmt::Debug for SemanticCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemanticCache").field("config", &self.inner.config).field("len", &self.len()).finish()
    }
}

impl SemanticCache {
    /// Opens a cache.
    ///
    /// # Errors
    /// `Config` where a setting is out of its range.
    pub fn open(config: CacheConfig) -> Result<Self> {
        config.validate()?;
        let inner = Inner {
            threshold: config.effective_threshold(),
            config,
            entries: DashMap::default(),
            by_id: DashMap::default(),
            indexes: DashMap::default(),
            evictor: Evictor::new(),
            counters: Counters::default(),
            next_id: AtomicU64::new(1),
            dimension: AtomicUsize::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
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
        Ok(matching.iter().filter(|entry| self.inner.remove(entry)).count())
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
        if self.is_empty() {
            self.inner.dimension.store(0, Ordering::Release);
        }
        Ok(())
    }

    /// Learns whether a hit answered rightly. An entry that answered wrongly serves no more, until it is stored anew.
    pub fn feedback(&self, hit: &CacheHit, correct: bool) {
        if !correct && !hit.entry.rejected.swap(true, Ordering::AcqRel) {
            Counters::add(&self.inner.counters.rejections);
        }
    }
}

impl Inner {
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
    fn remove(&self, entry: &Entry) -> bool {
        if self.by_id.remove(&entry.id).is_none() {
            return false;
        }
        self.entries.remove_if(&entry.key, |_, held| held.id == entry.id);
        self.evictor.remove(entry);
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
