//! Serving: the last looks at an entry that may serve, and what is counted when it does.

use super::entry::{CacheEntry, Freshness};
use super::index::Candidates;
use super::policy::Candidate;
use super::request::{CacheHit, HitKind, LookupRequest};
use super::stats::Counters;
use super::{CacheCore, EntryKey};
use crate::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl CacheCore {
    pub(super) fn exact(&self, request: &LookupRequest<'_>) -> Option<CacheHit> {
        let key = EntryKey::of(request.tenant, request.scope, request.prompt);
        let entry = self.entries.get(&key)?;
        self.serve(entry, HitKind::Exact, 1.0, None)
    }

    /// What serves of the candidates for each question; where verifiers read, they read for all of them at once.
    pub(super) fn serve_candidates(
        &self,
        found: Vec<(&LookupRequest<'_>, Candidates)>,
    ) -> Result<Vec<Option<CacheHit>>> {
        if self.config.verifiers.is_empty() {
            return found.into_iter().map(|(request, candidates)| self.first_serving(request, candidates)).collect();
        }
        let (requests, mut lists): (Vec<_>, Vec<_>) =
            found.into_iter().map(|(request, candidates)| (request, self.shortlist(request, candidates))).unzip();
        self.read(&requests, &mut lists);
        let serve = |(request, list): (&&LookupRequest<'_>, Vec<super::shortlist::Contender>)| {
            let list = list.into_iter().map(|one| (one.candidate, one.entry));
            self.serve_first(request, Some(request.prompt), list)
        };
        requests.iter().zip(lists).map(serve).collect()
    }

    /// The best entry that may serve by the guards.
    fn first_serving(&self, request: &LookupRequest<'_>, candidates: Candidates) -> Result<Option<CacheHit>> {
        match &self.config.guards {
            Some(guards) => self.serve_first(request, Some(request.prompt), self.passing(guards, request, candidates)),
            None => self.serve_first(request, Some(request.prompt), self.held(candidates)),
        }
    }

    /// The first of these that may serve. Without a prompt there is nothing to judge by: then similarity decides alone.
    pub(super) fn serve_first(
        &self,
        request: &LookupRequest<'_>,
        prompt: Option<&str>,
        candidates: impl IntoIterator<Item = (Candidate, Arc<CacheEntry>)>,
    ) -> Result<Option<CacheHit>> {
        for (candidate, entry) in candidates {
            if let Some(prompt) = prompt {
                let key = EntryKey::of(request.tenant, request.scope, prompt);
                if !entry.is_rejected() && !self.allows(request.tenant, key, candidate, &entry.response)? {
                    Counters::add(&self.counters.blocked);
                    return Ok(None);
                }
            }
            if let Some(hit) = self.serve(entry, HitKind::Semantic, candidate.similarity, prompt) {
                let hit = CacheHit { candidate: prompt.is_some().then_some(candidate), ..hit };
                if hit.verified().is_some() {
                    Counters::add(&self.counters.verified_hits);
                    self.counters.verified_saved_nanodollars.fetch_add(saved(&hit.entry), Ordering::Relaxed);
                }
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// A hit on `entry`, unless its time is over or it was called wrong.
    fn serve(&self, entry: Arc<CacheEntry>, kind: HitKind, similarity: f32, asked: Option<&str>) -> Option<CacheHit> {
        let now = self.now();
        if entry.is_rejected() || self.drop_if_over(&entry, now) {
            return None;
        }
        entry.hits.fetch_add(1, Ordering::Relaxed);
        self.evictor.touch(&entry);
        Counters::add(match kind {
            HitKind::Exact => &self.counters.exact_hits,
            HitKind::Semantic => &self.counters.semantic_hits,
        });
        let is_stale = entry.freshness(now, self.config.stale_while_revalidate) != Freshness::Fresh;
        if is_stale {
            Counters::add(&self.counters.stale_hits);
        }
        self.counters.saved_nanodollars.fetch_add(saved(&entry), Ordering::Relaxed);
        Some(CacheHit {
            age: now.saturating_sub(entry.created),
            entry,
            kind,
            similarity: similarity.min(1.0),
            is_stale,
            candidate: None,
            asked: asked.map(Into::into),
        })
    }
}

/// What serving an entry saves, in billionths of a dollar.
fn saved(entry: &CacheEntry) -> u64 {
    entry.cost.map_or(0, |cost| u64::try_from(cost / 1_000_000_000).unwrap_or(0))
}
