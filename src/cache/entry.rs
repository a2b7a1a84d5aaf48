//! One stored answer.

use super::guard::{Guards, Signature};
use super::key::{EntryKey, PartitionKey};
use super::store::{EntryName, StoredEntry};
use crate::Payload;
use crate::lock::enter;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What an entry costs beside its texts and its vector: the record, its places in the maps and its row's figures.
const OVERHEAD: usize = 400;

/// What an entry is made of; it never changes after it is stored, but for what is counted.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    pub id: u64,
    pub key: EntryKey,
    pub partition: PartitionKey,
    pub tenant: Arc<str>,
    pub scope: Option<Arc<str>>,
    pub prompt: Arc<str>,
    pub response: Payload,
    pub tags: Arc<[String]>,
    /// Of its vector; 0 for an entry that serves exact repeats only.
    pub dimension: usize,
    /// What the prompt asks, taken apart when it is first compared.
    pub signature: OnceLock<Signature>,
    /// Since 1970.
    pub created: Duration,
    /// Since 1970; None is never.
    pub expires: Option<Duration>,
    /// What the answer cost, in attodollars (1e-18 USD).
    pub cost: Option<i128>,
    /// How often it was served.
    pub hits: AtomicU64,
    /// The eviction priority, as bits of an f64.
    pub priority: AtomicU64,
    /// Feedback said that it answers wrongly.
    pub rejected: AtomicBool,
    /// Whether that was counted and written.
    pub reported: AtomicBool,
    /// Whether the store has it, if others share it.
    pub stored: AtomicBool,
}

/// How an entry stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh,
    Stale,
    Expired,
}

impl CacheEntry {
    /// Bytes in memory, for `max_bytes`: the vector is held in f32 and, smaller, in the index (29 % more).
    pub fn size(&self) -> usize {
        let texts = self.prompt.len() + self.response.len() + self.tags.iter().map(String::len).sum::<usize>();
        OVERHEAD + texts + self.dimension * 4 + self.dimension * 5 / 4
    }

    pub fn freshness(&self, now: Duration, grace: Duration) -> Freshness {
        match self.expires {
            Some(end) if now >= end + grace => Freshness::Expired,
            Some(end) if now >= end => Freshness::Stale,
            _ => Freshness::Fresh,
        }
    }

    pub fn signature(&self, guards: &Guards) -> &Signature {
        // Another thread that is about to make it is no thread of a forked child.
        let _inside = enter();
        self.signature.get_or_init(|| guards.signature(&self.prompt))
    }

    pub fn name(&self) -> EntryName {
        EntryName { key: self.key, id: self.id }
    }

    /// Lets it serve no more, as its cache or another was told that it answers wrongly.
    pub fn end(&self) {
        self.rejected.store(true, Ordering::Release);
        self.reported.store(true, Ordering::Release);
    }

    /// As a store keeps it.
    pub fn to_stored(&self, vector: Option<Arc<[f32]>>) -> StoredEntry {
        StoredEntry {
            id: self.id,
            tenant: Arc::clone(&self.tenant),
            scope: self.scope.clone(),
            prompt: Arc::clone(&self.prompt),
            response: self.response.clone(),
            vector,
            tags: Arc::clone(&self.tags),
            created: self.created,
            expires: self.expires,
            cost: self.cost,
            is_rejected: self.is_rejected(),
        }
    }

    pub fn is_rejected(&self) -> bool {
        self.rejected.load(Ordering::Acquire)
    }
}
