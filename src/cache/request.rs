//! What is asked of a cache, and what comes back.

use super::entry::CacheEntry;
use super::key::{EntryKey, PartitionKey};
use super::policy::Candidate;
use crate::Payload;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct LookupRequest<'a> {
    /// The words.
    pub prompt: &'a str,
    /// Their vector; None lets the cache's embedder make it.
    pub embedding: Option<&'a [f32]>,
    /// Canonical JSON of what must be equal: see [`super::scope`].
    pub scope: Option<&'a str>,
    /// Who asks: entries of one tenant never serve another.
    pub tenant: &'a str,
    /// The least similarity; None is the cache's own.
    pub threshold: Option<f64>,
}

impl<'a> LookupRequest<'a> {
    /// A question of the default tenant without scope.
    #[must_use]
    pub fn new(prompt: &'a str) -> Self {
        Self { prompt, embedding: None, scope: None, tenant: "default", threshold: None }
    }
}

/// One answer to keep.
#[derive(Debug, Clone)]
pub struct InsertRequest<'a> {
    /// The question that it answers.
    pub prompt: &'a str,
    /// The answer.
    pub response: Payload,
    /// The prompt's vector; None lets the cache's embedder make it.
    pub embedding: Option<&'a [f32]>,
    /// Canonical JSON of what must be equal: see [`super::scope`].
    pub scope: Option<&'a str>,
    /// Whose it is.
    pub tenant: &'a str,
    /// Names by which it can be invalidated.
    pub tags: &'a [String],
    /// How long it serves; None is the cache's own.
    pub ttl: Option<Duration>,
    /// What the answer cost, in attodollars (1e-18 USD): what a hit saves, and a weight at eviction.
    pub cost: Option<i128>,
}

impl<'a> InsertRequest<'a> {
    /// An answer of the default tenant without scope.
    #[must_use]
    pub fn new(prompt: &'a str, response: Payload) -> Self {
        Self { prompt, response, embedding: None, scope: None, tenant: "default", tags: &[], ttl: None, cost: None }
    }
}

/// Why an entry serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HitKind {
    /// The same prompt, byte for byte.
    Exact,
    /// A similar prompt that passed the judges.
    Semantic,
}

impl HitKind {
    /// The kind of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Exact, Self::Semantic].into_iter().find(|kind| kind.name() == name)
    }

    /// `exact` or `semantic`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Semantic => "semantic",
        }
    }
}

/// An entry that serves. Cloning shares it.
#[derive(Debug, Clone)]
pub struct CacheHit {
    pub(crate) entry: Arc<CacheEntry>,
    pub(crate) kind: HitKind,
    pub(crate) similarity: f32,
    pub(crate) age: Duration,
    pub(crate) is_stale: bool,
    /// What the policy was asked, for feedback.
    pub(crate) candidate: Option<Candidate>,
    /// What was asked, where it differs from the stored prompt.
    pub(crate) asked: Option<Box<str>>,
}

impl CacheHit {
    /// The stored answer.
    #[must_use]
    pub fn response(&self) -> &Payload {
        &self.entry.response
    }

    /// Why it serves.
    #[must_use]
    pub fn kind(&self) -> HitKind {
        self.kind
    }

    /// The cosine between what was asked and what is stored; 1 for an exact repeat.
    #[must_use]
    pub fn similarity(&self) -> f32 {
        self.similarity
    }

    /// How probable a verifier found it that the answer serves; None for an exact repeat, and where none has read it.
    #[must_use]
    pub fn verified(&self) -> Option<f32> {
        self.candidate.and_then(|candidate| candidate.probability)
    }

    /// The prompt under which the answer was stored.
    #[must_use]
    pub fn prompt(&self) -> &str {
        &self.entry.prompt
    }

    /// The prompt that was asked.
    #[must_use]
    pub fn asked(&self) -> &str {
        self.asked.as_deref().unwrap_or(&self.entry.prompt)
    }

    /// The entry's name.
    #[must_use]
    pub fn key(&self) -> EntryKey {
        self.entry.key
    }

    /// The time since it was stored.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age
    }

    /// What this hit saved, in attodollars; None where the cost was not told.
    #[must_use]
    pub fn saved_cost(&self) -> Option<i128> {
        self.entry.cost
    }

    /// Whether its time is over and it serves only while a fresh answer is made.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// How often the entry has served, this time included.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.entry.hits.load(Ordering::Relaxed)
    }
}

/// A hit taken apart, to be kept or sent elsewhere; [`CacheHit::from`] puts it together again.
#[derive(Debug, Clone, PartialEq)]
pub struct HitParts {
    /// What tells the entry from every other that any cache stores.
    pub id: u64,
    /// See [`CacheHit::kind`].
    pub kind: HitKind,
    /// See [`CacheHit::response`].
    pub response: Payload,
    /// See [`CacheHit::similarity`].
    pub similarity: f32,
    /// See [`CacheHit::prompt`].
    pub prompt: String,
    /// What was asked, where it differs from the prompt.
    pub asked: Option<String>,
    /// Whose it is.
    pub tenant: String,
    /// As canonical JSON.
    pub scope: Option<String>,
    /// When it was stored, since 1970.
    pub created: Duration,
    /// See [`CacheHit::age`].
    pub age: Duration,
    /// See [`CacheHit::saved_cost`].
    pub cost: Option<i128>,
    /// See [`CacheHit::is_stale`].
    pub is_stale: bool,
    /// See [`CacheHit::hits`].
    pub hits: u64,
    /// The guards' agreement, of which feedback learns; None for an exact repeat.
    pub agreement: Option<f32>,
    /// See [`CacheHit::verified`].
    pub verified: Option<f32>,
}

impl From<&CacheHit> for HitParts {
    fn from(hit: &CacheHit) -> Self {
        let entry = &hit.entry;
        Self {
            id: entry.id,
            kind: hit.kind,
            response: entry.response.clone(),
            similarity: hit.similarity,
            prompt: entry.prompt.to_string(),
            asked: hit.asked.as_deref().map(Into::into),
            tenant: entry.tenant.to_string(),
            scope: entry.scope.as_deref().map(Into::into),
            created: entry.created,
            age: hit.age,
            cost: entry.cost,
            is_stale: hit.is_stale,
            hits: hit.hits(),
            agreement: hit.candidate.map(|candidate| candidate.agreement),
            verified: hit.verified(),
        }
    }
}

impl From<HitParts> for CacheHit {
    fn from(parts: HitParts) -> Self {
        let (tenant, scope) = (&*parts.tenant, parts.scope.as_deref());
        let entry = CacheEntry {
            id: parts.id,
            key: EntryKey::of(tenant, scope, &parts.prompt),
            partition: PartitionKey::of(tenant, scope),
            tenant: tenant.into(),
            scope: scope.map(Into::into),
            prompt: parts.prompt.into(),
            response: parts.response,
            tags: [].into(),
            dimension: 0,
            signature: OnceLock::new(),
            created: parts.created,
            expires: None,
            cost: parts.cost,
            hits: AtomicU64::new(parts.hits),
            priority: AtomicU64::new(0),
            rejected: AtomicBool::new(false),
            reported: AtomicBool::new(false),
            stored: AtomicBool::new(false),
        };
        let (entry_id, similarity, probability) = (parts.id, parts.similarity, parts.verified);
        let learned = |agreement| Candidate { entry: entry_id, similarity, agreement, probability };
        Self {
            entry: Arc::new(entry),
            kind: parts.kind,
            similarity: parts.similarity,
            age: parts.age,
            is_stale: parts.is_stale,
            candidate: parts.agreement.map(learned),
            asked: parts.asked.map(Into::into),
        }
    }
}

/// Which entries to drop; every condition that is given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// Of this tenant.
    pub tenant: Option<&'a str>,
    /// With this tag.
    pub tag: Option<&'a str>,
    /// Of this scope, as canonical JSON.
    pub scope: Option<&'a str>,
    /// Stored at least so long ago.
    pub older_than: Option<Duration>,
}

impl Selection<'_> {
    pub(crate) fn matches(&self, entry: &CacheEntry, now: Duration) -> bool {
        self.tenant.is_none_or(|tenant| *entry.tenant == *tenant)
            && self.tag.is_none_or(|tag| entry.tags.iter().any(|own| own == tag))
            && self.scope.is_none_or(|scope| entry.scope.as_deref() == Some(scope))
            && self.older_than.is_none_or(|age| now.saturating_sub(entry.created) >= age)
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.tenant.is_none() && self.tag.is_none() && self.scope.is_none() && self.older_than.is_none()
    }
}
