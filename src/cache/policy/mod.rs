//! When to serve: thresholds learned from evidence, with a bound on the share of wrong answers among those served.

use crate::Result;

/// What the user asks of a learned policy.
#[derive(Debug, Clone, Copy)]
pub struct PolicyConfig {
    /// Of the answers served from the cache, at most this share may be wrong: between 0 and 1.
    pub max_error_rate: f64,
    /// How sure that must be: 0.95 by default.
    pub confidence: f64,
    /// The share of would-be hits that are asked afresh to keep the evidence honest: 0.02 by default.
    pub shadow_rate: f64,
    /// The seed of that choice.
    pub seed: u64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { max_error_rate: 0.01, confidence: 0.95, shadow_rate: 0.02, seed: 0 }
    }
}

/// One candidate that passed threshold and guards.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// What names the entry, stable while it lives.
    pub entry: u64,
    /// Its cosine to the question.
    pub similarity: f32,
    /// The guards' agreement, 1 where there are no guards.
    pub agreement: f32,
}

/// What to do with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Serve it.
    Serve,
    /// Ask afresh, compare the answer with the cached one, and tell the policy by [`Policy::learn`].
    Explore,
}

/// Learned serving for one namespace (a tenant's scope). Shared between threads.
#[derive(Debug)]
pub struct Policy {
    config: PolicyConfig,
}

impl Policy {
    /// A policy with no evidence: it explores.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] where a rate or the confidence is not strictly between 0 and 1.
    pub fn new(config: PolicyConfig) -> Result<Self> {
        Ok(Self { config })
    }

    /// What to do with the best candidate.
    pub fn decide(&self, _candidate: &Candidate) -> Decision {
        let _ = self.config;
        Decision::Explore
    }

    /// Takes in that serving `candidate` would have been, or was, right or wrong.
    pub fn learn(&self, _candidate: &Candidate, _correct: bool) {}
}
