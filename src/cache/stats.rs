//! What a cache counts.

use super::verify::{Judgement, Ruling};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The counters behind [`CacheStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub exact_hits: AtomicU64,
    pub semantic_hits: AtomicU64,
    pub stale_hits: AtomicU64,
    pub misses: AtomicU64,
    pub blocked: AtomicU64,
    pub inserts: AtomicU64,
    pub evictions: AtomicU64,
    pub expirations: AtomicU64,
    pub rejections: AtomicU64,
    pub damaged: AtomicU64,
    pub unkept: AtomicU64,
    /// In billionths of a dollar: attodollars would overflow 64 bits at 18 USD.
    pub saved_nanodollars: AtomicU64,
    pub verified_same: AtomicU64,
    pub verified_different: AtomicU64,
    pub verified_unsure: AtomicU64,
    pub verifier_failures: AtomicU64,
    pub verifier_nanoseconds: AtomicU64,
    pub verified_hits: AtomicU64,
    pub verified_saved_nanodollars: AtomicU64,
}

/// How a cache did since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Entries held now.
    pub entries: u64,
    /// Bytes that they take in memory, estimated.
    pub bytes: u64,
    /// Pairs of tenant and scope that hold vectors.
    pub partitions: u64,
    /// Questions answered by the same prompt.
    pub exact_hits: u64,
    /// Questions answered by a similar prompt.
    pub semantic_hits: u64,
    /// Hits, among both, whose time was over.
    pub stale_hits: u64,
    /// Questions not answered.
    pub misses: u64,
    /// Candidates above the threshold that a guard or the policy kept from serving.
    pub blocked: u64,
    /// Entries stored.
    pub inserts: u64,
    /// Entries dropped to keep a bound.
    pub evictions: u64,
    /// Entries dropped because their time was over.
    pub expirations: u64,
    /// Entries that feedback called wrong.
    pub rejections: u64,
    /// Rows of the file that were damaged, and so are no entries.
    pub damaged: u64,
    /// Entries that the store did not take: they serve no more.
    pub unkept: u64,
    /// What the hits saved, in billionths of a dollar.
    pub saved_nanodollars: u64,
    /// Pairs of an asked and a stored question that a verifier found to be the same.
    pub verified_same: u64,
    /// Pairs that a verifier found to be different.
    pub verified_different: u64,
    /// Pairs of which all verifiers were unsure.
    pub verified_unsure: u64,
    /// How often a verifier failed or was late, so that its pairs were unsure.
    pub verifier_failures: u64,
    /// The time that verifiers took.
    pub verifier_time: Duration,
    /// How often verifiers asked a model or a service.
    pub verifier_calls: u64,
    /// What that cost, in attodollars (1e-18 USD).
    pub verifier_cost: i128,
    /// Hits, among the semantic ones, that a verifier had read.
    pub verified_hits: u64,
    /// What those saved, in billionths of a dollar.
    pub verified_saved_nanodollars: u64,
}

impl CacheStats {
    /// How many pairs verifiers read.
    #[must_use]
    pub fn verifications(&self) -> u64 {
        self.verified_same + self.verified_different + self.verified_unsure
    }
}

impl Counters {
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn verified(&self, judged: Judgement) {
        Self::add(match judged.ruling {
            Ruling::Same => &self.verified_same,
            Ruling::Different => &self.verified_different,
            Ruling::Unsure => &self.verified_unsure,
        });
    }

    pub fn snapshot(&self) -> CacheStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            exact_hits: read(&self.exact_hits),
            semantic_hits: read(&self.semantic_hits),
            stale_hits: read(&self.stale_hits),
            misses: read(&self.misses),
            blocked: read(&self.blocked),
            inserts: read(&self.inserts),
            evictions: read(&self.evictions),
            expirations: read(&self.expirations),
            rejections: read(&self.rejections),
            damaged: read(&self.damaged),
            unkept: read(&self.unkept),
            saved_nanodollars: read(&self.saved_nanodollars),
            verified_same: read(&self.verified_same),
            verified_different: read(&self.verified_different),
            verified_unsure: read(&self.verified_unsure),
            verifier_failures: read(&self.verifier_failures),
            verifier_time: Duration::from_nanos(read(&self.verifier_nanoseconds)),
            verified_hits: read(&self.verified_hits),
            verified_saved_nanodollars: read(&self.verified_saved_nanodollars),
            ..CacheStats::default()
        }
    }
}
