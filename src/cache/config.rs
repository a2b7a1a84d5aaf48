//! The settings of a cache.

use super::guard::Guards;
use super::policy::{Policy, PolicyConfig};
use super::verify::{Verifier, bounds};
use crate::clock::{Clock, SystemClock};
use crate::embed::Embedder;
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The least similarity of a candidate where nobody says another.
pub const DEFAULT_THRESHOLD: f64 = 0.85;

/// What a cache is opened with; the default is an unbounded cache in memory without an embedder.
#[derive(Clone)]
pub struct CacheConfig {
    /// Where entries are kept: `memory://`, `sqlite:///FILE`, or in Redis (`redis://HOST` and the like).
    pub url: String,
    /// The least cosine similarity of a candidate, -1 to 1. None: what the embedder recommends where guards
    /// are on, else [`DEFAULT_THRESHOLD`]; where a verifier reads, less: see [`bounds`].
    pub threshold: Option<f64>,
    /// What a candidate must pass; None serves whatever is similar.
    pub guards: Option<Guards>,
    /// What reads the questions whose facts the guards let pass, cheap to dear: each is asked about what those before it
    /// are unsure of, and only what is verified serves. None at all: the guards compare the wording too.
    pub verifiers: Vec<Arc<dyn Verifier>>,
    /// Learned serving, which bounds the share of wrong answers; None serves every candidate that passes.
    pub policy: Option<PolicyConfig>,
    /// Turns prompts into vectors; None finds exact repeats only, unless vectors are given.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// How long an entry serves; None is for ever.
    pub ttl: Option<Duration>,
    /// How long after its end an entry still serves, marked as stale.
    pub stale_while_revalidate: Duration,
    /// The most entries.
    pub max_entries: Option<usize>,
    /// The most bytes that entries take in memory: texts, vectors and what the index adds.
    pub max_bytes: Option<usize>,
    /// Where the time is read.
    pub clock: Arc<dyn Clock>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            url: "memory://".into(),
            threshold: None,
            guards: Some(Guards::standard()),
            verifiers: Vec::new(),
            policy: None,
            embedder: None,
            ttl: None,
            stale_while_revalidate: Duration::ZERO,
            max_entries: None,
            max_bytes: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheConfig")
            .field("url", &self.url)
            .field("threshold", &self.threshold)
            .field("embedder", &self.embedder.as_ref().map(|embedder| embedder.name().to_owned()))
            .field("verifiers", &self.verifiers.iter().map(|verifier| verifier.name().to_owned()).collect::<Vec<_>>())
            .field("ttl", &self.ttl)
            .field("max_entries", &self.max_entries)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

impl CacheConfig {
    /// The threshold that holds where a lookup names none.
    #[must_use]
    pub fn effective_threshold(&self) -> f64 {
        if self.verifiers.is_empty() {
            return self.guarded_threshold();
        }
        let recommended = || self.embedder.as_ref().and_then(|embedder| embedder.recommended_threshold());
        let lowered = || recommended().map(|threshold| f64::from(threshold) - bounds::THRESHOLD_DROP);
        self.threshold.or_else(lowered).unwrap_or(bounds::THRESHOLD)
    }

    /// The threshold of what the guards judge without a verifier.
    #[must_use]
    pub fn guarded_threshold(&self) -> f64 {
        let recommended = || match (&self.embedder, &self.guards) {
            (Some(embedder), Some(_)) => embedder.recommended_threshold().map(f64::from),
            _ => None,
        };
        self.threshold.or_else(recommended).unwrap_or(DEFAULT_THRESHOLD)
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if let Some(threshold) = self.threshold {
            check_threshold(threshold).map_err(|error| Error::Config(error.to_string()))?;
        }
        if let Some(policy) = self.policy {
            Policy::new(policy).map_err(|error| Error::Config(error.to_string()))?;
        }
        for (name, bound) in [("max_entries", self.max_entries), ("max_bytes", self.max_bytes)] {
            if bound == Some(0) {
                return Err(Error::Config(format!("{name} is 0: give at least 1, or None for no bound")));
            }
        }
        Ok(())
    }
}

pub(crate) fn check_threshold(threshold: f64) -> Result<()> {
    if (-1.0..=1.0).contains(&threshold) {
        return Ok(());
    }
    Err(Error::invalid(format!("threshold {threshold} is no cosine: give a number from -1 to 1, as in 0.85")))
}
