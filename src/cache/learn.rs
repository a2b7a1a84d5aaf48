//! What a cache learns: which candidates may serve, from answers made afresh and from what users say.

use super::guard::Guards;
use super::policy::{self, Calibration, Candidate, Decision, Judged, Policy};
use super::request::CacheHit;
use super::stats::Counters;
use super::store::Learned;
use super::{CacheCore, EntryKey, SemanticCache, vector};
use crate::blocking::block_on;
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The most questions whose fresh answers are awaited.
const MOST_EXPLORED: usize = 65_536;
/// Two answers at least so alike say the same, if their numbers and names do too.
const SAME_ANSWER: f64 = 0.9;

/// A question whose fresh answer will say whether an entry would have served rightly.
#[derive(Clone)]
pub(super) struct Explored {
    candidate: Candidate,
    cached: Payload,
}

/// A pair of questions, and whether one answer serves both.
#[derive(Debug, Clone, Copy)]
pub struct LabelledPair<'a> {
    /// The question that would be asked.
    pub asked: &'a str,
    /// The question that would be stored.
    pub stored: &'a str,
    /// Whether one answer serves both.
    pub same: bool,
}

impl SemanticCache {
    /// Learns whether a hit answered rightly. An entry that answered wrongly serves no more, until it is stored anew.
    ///
    /// Whether a file took it, [`SemanticCache::flush`] tells.
    ///
    /// # Errors
    /// `InvalidArgument` where the cache's learned serving has a rate out of its range.
    pub fn feedback(&self, hit: &CacheHit, correct: bool) -> Result<()> {
        if let Some(candidate) = &hit.candidate
            && let Some(policy) = self.inner.policy(&hit.entry.tenant)?
        {
            policy.feedback(candidate, correct);
            if !correct {
                self.inner.keep_evidence(&hit.entry.tenant, candidate, false);
            }
        }
        if !correct {
            self.reject(hit);
        }
        Ok(())
    }

    /// Ends the entry of a hit, but not one that was stored under its key since; the hit may come from elsewhere.
    fn reject(&self, hit: &CacheHit) {
        hit.entry.rejected.store(true, Ordering::Release);
        let Some(entry) = self.inner.by_id.get(&hit.entry.id) else { return };
        entry.rejected.store(true, Ordering::Release);
        if !entry.reported.swap(true, Ordering::AcqRel) {
            Counters::add(&self.inner.counters.rejections);
            if let Some(shared) = &self.inner.shared {
                let _one = shared.order.lock();
                shared.later(shared.store.reject(self.inner.ids.by(), entry.name()), Vec::new());
            }
        }
    }

    /// The threshold that labelled pairs support: from it on, of the pairs that pass the guards and the verifiers, with
    /// `confidence`, at most a share `max_error_rate` is served wrongly.
    ///
    /// # Errors
    /// `Config` without an embedder; `InvalidArgument` where a rate is not between 0 and 1; what the embedder reports.
    pub fn calibrate(&self, pairs: &[LabelledPair<'_>], max_error_rate: f64, confidence: f64) -> Result<Calibration> {
        let Some(embedder) = &self.inner.config.embedder else {
            return Err(Error::Config(
                "calibrate compares questions by their vectors: open the cache with an embedder".into(),
            ));
        };
        let texts: Vec<&str> = pairs.iter().flat_map(|pair| [pair.asked, pair.stored]).collect();
        let vectors = super::insert::embed(&**embedder, &texts)?;
        let mut judged = Vec::new();
        let questions: Vec<_> = pairs.iter().map(|pair| (pair.asked, pair.stored)).collect();
        let passing = self.inner.pass(&questions);
        for ((pair, vectors), passes) in pairs.iter().zip(vectors.as_chunks::<2>().0).zip(passing) {
            if passes {
                judged.push(Judged { score: cosine(&vectors[0], &vectors[1])?, correct: pair.same });
            }
        }
        policy::calibrate(&judged, max_error_rate, confidence)
    }
}

impl CacheCore {
    /// The learned policy of a tenant; None where none is asked for.
    pub(super) fn policy(&self, tenant: &str) -> Result<Option<Arc<Policy>>> {
        let Some(config) = self.config.policy else { return Ok(None) };
        if let Some(known) = self.policies.get(tenant) {
            return Ok(Some(known));
        }
        let is_alone = self.config.verifiers.is_empty();
        let made = Arc::new(if is_alone { Policy::new(config)? } else { Policy::behind_verifier(config)? });
        Ok(Some(self.policies.get_or_insert(tenant.to_owned(), |_| true, || Arc::clone(&made))))
    }

    /// Whether the policy lets a candidate serve; if not, the next answer stored for the question teaches it.
    pub(super) fn allows(&self, tenant: &str, asked: EntryKey, candidate: Candidate, cached: &Payload) -> Result<bool> {
        let Some(policy) = self.policy(tenant)? else { return Ok(true) };
        if policy.decide(&candidate) == Decision::Serve {
            return Ok(true);
        }
        if self.explored.len() < MOST_EXPLORED {
            self.explored.insert(asked, Explored { candidate, cached: cached.clone() });
        }
        Ok(false)
    }

    /// Takes in a fresh answer to a question that was explored.
    pub(super) fn learn_from(&self, tenant: &str, asked: &EntryKey, fresh: &Payload) -> Result<()> {
        let Some(explored) = self.explored.remove(asked) else { return Ok(()) };
        if let Some(policy) = self.policy(tenant)? {
            let correct = self.says_the_same(&explored.cached, fresh);
            policy.learn(&explored.candidate, correct);
            self.keep_evidence(tenant, &explored.candidate, correct);
        }
        Ok(())
    }

    /// Tells the store what was learned.
    fn keep_evidence(&self, tenant: &str, candidate: &Candidate, correct: bool) {
        if let Some(shared) = &self.shared {
            let judged = Judged { score: candidate.score(), correct };
            let evidence = Learned { tenant: tenant.to_owned(), judged };
            shared.later(shared.store.learn(self.ids.by(), evidence), Vec::new());
        }
    }

    /// Takes in what was learned elsewhere, where this cache learns at all.
    pub(super) fn recall(&self, mut evidence: Vec<Learned>) -> Result<()> {
        // In the order in which each tenant's was learned.
        evidence.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        for of_tenant in evidence.chunk_by(|one, other| one.tenant == other.tenant) {
            if let Some(policy) = self.policy(&of_tenant[0].tenant)? {
                policy.recall(of_tenant.iter().map(|evidence| evidence.judged));
            }
        }
        Ok(())
    }

    /// What was learned of each tenant.
    pub(super) fn evidence(&self) -> Vec<Learned> {
        let of_tenant = |tenant: &str, policy: &Policy| {
            let evidence = |judged| Learned { tenant: tenant.to_owned(), judged };
            policy.evidence().into_iter().map(evidence).collect::<Vec<_>>()
        };
        self.policies.pairs().iter().flat_map(|(tenant, policy)| of_tenant(tenant, policy)).collect()
    }

    /// Forgets what was learned of a tenant, or of all.
    pub(super) fn forget_evidence(&self, tenant: Option<&str>) -> Result<()> {
        self.policies.retain(|known| tenant.is_some_and(|tenant| tenant != known));
        let tenant = tenant.map(ToOwned::to_owned);
        self.shared.as_ref().map_or(Ok(()), |shared| block_on(shared.store.forget(self.ids.by(), tenant)))
    }

    /// How well two questions' words agree; None where a guard keeps one from answering the other.
    fn agreement(&self, asked: &str, stored: &str) -> Option<f32> {
        self.config.guards.as_ref().map_or(Some(1.0), |guards| agreement(guards, asked, stored))
    }

    /// Whether two answers say the same: equal values, or texts that are alike and differ in nothing that guards see.
    fn says_the_same(&self, one: &Payload, other: &Payload) -> bool {
        if one == other {
            return true;
        }
        let text = |payload: &Payload| match payload {
            Payload::Json(bytes) => serde_json::from_slice::<String>(bytes).ok(),
            Payload::Bytes(_) => None,
        };
        let (Some(one), Some(other)) = (text(one), text(other)) else { return false };
        if one.split_whitespace().eq(other.split_whitespace()) {
            return true;
        }
        let Some(embedder) = &self.config.embedder else { return false };
        let alike = embedder.embed(&[&one, &other]).is_ok_and(|vectors| match &vectors[..] {
            [one, other] => cosine(one, other).is_ok_and(|cosine| cosine >= SAME_ANSWER),
            _ => false,
        });
        alike && self.agreement(&one, &other).is_some()
    }
}

fn agreement(guards: &Guards, asked: &str, stored: &str) -> Option<f32> {
    match guards.compare(&guards.signature(asked), &guards.signature(stored)) {
        super::guard::Verdict::Pass { agreement } => Some(agreement),
        super::guard::Verdict::Blocked { .. } => None,
    }
}

fn cosine(one: &[f32], other: &[f32]) -> Result<f64> {
    vector::expect_dimension(one.len(), other.len())?;
    let (one, other) = (vector::unit(one)?, vector::unit(other)?);
    Ok(one.iter().zip(&other).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum())
}
