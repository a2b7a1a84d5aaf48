//! Finding the entry that serves.

use super::entry::{CacheEntry, Freshness};
use super::guard::{Guards, Signature, Verdict};
use super::index::Candidates;
use super::key::PartitionKey;
use super::policy::Candidate;
use super::request::{CacheHit, Explanation, HitKind, LookupRequest, Nearest};
use super::stats::Counters;
use super::{CacheCore, EntryKey, SemanticCache, config, vector};
use crate::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl SemanticCache {
    /// The entry that serves, if there is one.
    ///
    /// # Errors
    /// `Embedding` where the vector is not finite, zero or of another dimension, or the embedder fails;
    /// `InvalidArgument` where the threshold is no cosine.
    pub fn lookup(&self, request: &LookupRequest<'_>) -> Result<Option<CacheHit>> {
        self.inner.catch_up();
        let given = request.embedding.map(|embedding| self.query_vector(embedding)).transpose()?;
        let threshold = self.threshold_of(request)?;
        if request.prompt.is_empty() {
            Counters::add(&self.inner.counters.misses);
            return Ok(None);
        }
        if let Some(hit) = self.inner.exact(request) {
            return Ok(Some(hit));
        }
        let query = match given {
            Some(unit) => Some(unit),
            None => self.embed_prompt(request)?,
        };
        let candidates = query.and_then(|query| self.inner.index_of(request)?.search(&query, threshold as f32));
        let found = match candidates {
            Some(candidates) => self.inner.first_serving(request, Some(request.prompt), candidates)?,
            None => None,
        };
        if found.is_none() {
            Counters::add(&self.inner.counters.misses);
        }
        Ok(found)
    }

    /// [`SemanticCache::lookup`] for many questions of one tenant, scope and threshold; faster than one by one.
    ///
    /// # Errors
    /// As [`SemanticCache::lookup`]; then nothing was looked up.
    pub fn lookup_many(&self, requests: &[LookupRequest<'_>]) -> Result<Vec<Option<CacheHit>>> {
        self.inner.catch_up();
        let mut queries = Vec::with_capacity(requests.len());
        for request in requests {
            queries.push(request.embedding.map(|embedding| self.query_vector(embedding)).transpose()?);
            self.threshold_of(request)?;
        }
        let mut hits: Vec<_> = requests
            .iter()
            .map(|request| if request.prompt.is_empty() { None } else { self.inner.exact(request) })
            .collect();
        self.embed_missing(requests, &hits, &mut queries)?;
        for group in groups(requests, &hits, &queries) {
            let first = &requests[group[0]];
            let threshold = self.threshold_of(first)? as f32;
            let Some(index) = self.inner.index_of(first) else { continue };
            let vectors: Vec<&[f32]> = group.iter().filter_map(|&i| queries[i].as_deref()).collect();
            for (&i, candidates) in group.iter().zip(index.search_many(&vectors, threshold)) {
                hits[i] = self.inner.first_serving(&requests[i], Some(requests[i].prompt), candidates)?;
            }
        }
        let misses = hits.iter().filter(|hit| hit.is_none()).count() as u64;
        self.inner.counters.misses.fetch_add(misses, Ordering::Relaxed);
        Ok(hits)
    }

    /// The entries nearest to vectors whose words are not known: similarity decides alone, whatever the guards.
    ///
    /// # Errors
    /// As [`SemanticCache::lookup`]; then nothing was looked up.
    pub fn lookup_vectors(
        &self,
        vectors: &[&[f32]],
        scope: Option<&str>,
        tenant: &str,
        threshold: Option<f64>,
    ) -> Result<Vec<Option<CacheHit>>> {
        self.inner.catch_up();
        let request = LookupRequest { scope, tenant, threshold, ..LookupRequest::new("") };
        let threshold = self.threshold_of(&request)? as f32;
        let queries = vectors.iter().map(|vector| self.query_vector(vector)).collect::<Result<Vec<_>>>()?;
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        let hits: Vec<_> = match self.inner.index_of(&request) {
            Some(index) => index
                .search_many(&queries, threshold)
                .into_iter()
                .map(|candidates| self.inner.first_serving(&request, None, candidates))
                .collect::<Result<_>>()?,
            None => vec![None; queries.len()],
        };
        let misses = hits.iter().filter(|hit| hit.is_none()).count() as u64;
        self.inner.counters.misses.fetch_add(misses, Ordering::Relaxed);
        Ok(hits)
    }

    /// The exact repeat of a prompt, without looking for similar ones and without counting a miss.
    #[must_use]
    pub fn lookup_exact(&self, request: &LookupRequest<'_>) -> Option<CacheHit> {
        self.inner.catch_up();
        self.inner.exact(request)
    }

    /// Whether the exact repeat of a prompt would be served. Counts nothing.
    #[must_use]
    pub fn holds(&self, request: &LookupRequest<'_>) -> bool {
        self.inner.catch_up();
        let key = EntryKey::of(request.tenant, request.scope, request.prompt);
        let entry = self.inner.entries.get(&key).map(|entry| Arc::clone(&entry));
        entry.is_some_and(|entry| self.inner.obstacles(request, 1.0, &entry, self.inner.now()).is_empty())
    }

    /// Whether a vector could be asked for.
    ///
    /// # Errors
    /// `Embedding` where it is not finite, zero or of another dimension.
    pub fn check_embedding(&self, embedding: &[f32]) -> Result<()> {
        vector::scale_of(embedding)?;
        self.dimension().map_or(Ok(()), |dimension| vector::expect_dimension(embedding.len(), dimension))
    }

    /// The prompt's vector by the cache's embedder; None without one, or where the prompt is empty.
    ///
    /// # Errors
    /// `Embedding` where the embedder fails.
    pub fn embed(&self, prompt: &str) -> Result<Option<Vec<f32>>> {
        match &self.inner.config.embedder {
            Some(embedder) if !prompt.is_empty() => Ok(super::insert::embed(&**embedder, &[prompt])?.pop()),
            _ => Ok(None),
        }
    }

    /// The `limit` nearest entries of the same tenant and scope, and what keeps each from serving. Counts nothing.
    ///
    /// # Errors
    /// As [`SemanticCache::lookup`].
    pub fn explain(&self, request: &LookupRequest<'_>, limit: usize) -> Result<Nearest> {
        self.inner.catch_up();
        let threshold = self.threshold_of(request)?;
        let query = match request.embedding {
            Some(embedding) => Some(self.query_vector(embedding)?),
            None => self.embed_prompt(request)?,
        };
        let key = EntryKey::of(request.tenant, request.scope, request.prompt);
        let mut near: Vec<(Arc<CacheEntry>, f32)> = Vec::new();
        near.extend(self.inner.entries.get(&key).map(|entry| (Arc::clone(&entry), 1.0)));
        if let (Some(query), Some(index)) = (query, self.inner.index_of(request)) {
            let others = index
                .search(&query, -2.0)
                .into_iter()
                .flatten()
                .filter_map(|(id, score)| Some((Arc::clone(&*self.inner.by_id.get(&id)?), score)))
                .filter(|(entry, _)| entry.key != key);
            near.extend(others.take(limit.saturating_sub(near.len())));
        }
        let now = self.inner.now();
        let explain = |(entry, similarity): (Arc<CacheEntry>, f32)| {
            let mut blocked = Vec::new();
            if entry.key != key && f64::from(similarity) < threshold {
                blocked.push(format!("threshold: {similarity:.4} is below {threshold}"));
            }
            blocked.extend(self.inner.obstacles(request, similarity, &entry, now));
            let (key, prompt) = (entry.key, entry.prompt.to_string());
            Explanation { key, prompt, similarity, serves: blocked.is_empty(), blocked }
        };
        let own = PartitionKey::of(request.tenant, request.scope);
        let is_elsewhere = |entry: &CacheEntry| *entry.tenant == *request.tenant && entry.partition != own;
        Ok(Nearest {
            entries: near.into_iter().map(explain).collect(),
            in_other_scopes: self.inner.by_id.iter().filter(|entry| is_elsewhere(entry)).count(),
        })
    }

    fn threshold_of(&self, request: &LookupRequest<'_>) -> Result<f64> {
        request.threshold.map_or(Ok(self.inner.threshold), |own| config::check_threshold(own).map(|()| own))
    }

    fn query_vector(&self, embedding: &[f32]) -> Result<Vec<f32>> {
        let unit = vector::unit(embedding)?;
        if let Some(dimension) = self.dimension() {
            vector::expect_dimension(unit.len(), dimension)?;
        }
        Ok(unit)
    }

    /// The prompt's vector; None without an embedder, or where nothing could be found with it.
    fn embed_prompt(&self, request: &LookupRequest<'_>) -> Result<Option<Vec<f32>>> {
        match &self.inner.config.embedder {
            Some(embedder) if self.inner.index_of(request).is_some() => {
                let vectors = super::insert::embed(&**embedder, &[request.prompt])?;
                self.query_vector(&vectors[0]).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn embed_missing(
        &self,
        requests: &[LookupRequest<'_>],
        hits: &[Option<CacheHit>],
        queries: &mut [Option<Vec<f32>>],
    ) -> Result<()> {
        let Some(embedder) = &self.inner.config.embedder else { return Ok(()) };
        let missing: Vec<usize> = (0..requests.len())
            .filter(|&i| hits[i].is_none() && queries[i].is_none() && !requests[i].prompt.is_empty())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = missing.iter().map(|&i| requests[i].prompt).collect();
        for (&i, embedding) in missing.iter().zip(super::insert::embed(&**embedder, &texts)?) {
            queries[i] = Some(self.query_vector(&embedding)?);
        }
        Ok(())
    }
}

/// Open questions that one search can answer: places of the same tenant, scope and threshold.
fn groups(requests: &[LookupRequest<'_>], hits: &[Option<CacheHit>], queries: &[Option<Vec<f32>>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in
        (0..requests.len()).filter(|&i| hits[i].is_none() && queries[i].is_some() && !requests[i].prompt.is_empty())
    {
        let alike = |group: &&mut Vec<usize>| {
            let (a, b) = (&requests[group[0]], &requests[i]);
            a.tenant == b.tenant && a.scope == b.scope && a.threshold == b.threshold
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    groups
}

impl CacheCore {
    pub(super) fn index_of(&self, request: &LookupRequest<'_>) -> Option<Arc<super::Index>> {
        let key = PartitionKey::of(request.tenant, request.scope);
        let index = self.indexes.get(&key).map(|index| Arc::clone(&index))?;
        (Some(index.dimension()) == self.dimension()).then_some(index)
    }

    fn exact(&self, request: &LookupRequest<'_>) -> Option<CacheHit> {
        let key = EntryKey::of(request.tenant, request.scope, request.prompt);
        let entry = self.entries.get(&key).map(|entry| Arc::clone(&entry))?;
        self.serve(entry, HitKind::Exact, 1.0, None)
    }

    /// The best entry that may serve. Without a prompt there is nothing for the guards to compare: then similarity
    /// decides alone.
    fn first_serving(
        &self,
        request: &LookupRequest<'_>,
        prompt: Option<&str>,
        candidates: Candidates,
    ) -> Result<Option<CacheHit>> {
        let all = candidates.filter_map(|(id, similarity)| {
            let entry = Arc::clone(&*self.by_id.get(&id)?);
            Some((Candidate { entry: id, similarity, agreement: 1.0 }, entry))
        });
        match (prompt, &self.config.guards) {
            (Some(prompt), Some(guards)) => self.serve_of(request, Some(prompt), self.passing(guards, request, all)),
            (prompt, _) => self.serve_of(request, prompt, all),
        }
    }

    /// The first of these that may serve.
    fn serve_of(
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
                return Ok(Some(CacheHit { candidate: prompt.is_some().then_some(candidate), ..hit }));
            }
        }
        Ok(None)
    }

    /// The candidates that pass the guards, the most trusted first. All that are hardly less similar than the first
    /// that passes are looked at: of two that pass, the better wording need not be the nearer.
    fn passing(
        &self,
        guards: &Guards,
        request: &LookupRequest<'_>,
        candidates: impl Iterator<Item = (Candidate, Arc<CacheEntry>)>,
    ) -> Vec<(Candidate, Arc<CacheEntry>)> {
        let asked = guards.signature(request.prompt);
        let (mut passing, mut least, mut left) = (Vec::new(), f32::NEG_INFINITY, usize::MAX);
        for (candidate, entry) in candidates {
            if candidate.similarity < least || left == 0 {
                break;
            }
            left -= 1;
            match compare(guards, request, candidate.similarity, &asked, entry.signature(guards)) {
                Verdict::Pass { agreement } => {
                    if passing.is_empty() {
                        (least, left) = (candidate.similarity - RIVAL_MARGIN, MOST_RIVALS);
                    }
                    passing.push((Candidate { agreement, ..candidate }, entry));
                }
                Verdict::Blocked { .. } => Counters::add(&self.counters.blocked),
            }
        }
        passing.sort_by(|(one, _), (other, _)| other.score().total_cmp(&one.score()));
        passing
    }

    /// What keeps an entry from serving, the threshold aside.
    fn obstacles(
        &self,
        request: &LookupRequest<'_>,
        similarity: f32,
        entry: &CacheEntry,
        now: Duration,
    ) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(guards) = self.config.guards.as_ref().filter(|_| *entry.prompt != *request.prompt) {
            let asked = guards.signature(request.prompt);
            let verdict = compare(guards, request, similarity, &asked, entry.signature(guards));
            if let Verdict::Blocked { reason } = verdict {
                reasons.push(format!("guard: {reason}"));
            }
        }
        if entry.freshness(now, self.config.stale_while_revalidate) == Freshness::Expired {
            let over = now.saturating_sub(entry.expires.unwrap_or(now));
            reasons.push(format!("expiry: its time was over {:.1} s ago", over.as_secs_f64()));
        }
        if entry.is_rejected() {
            reasons.push("feedback: it was reported to answer wrongly".to_owned());
        }
        reasons
    }

    /// A hit on `entry`, unless its time is over or it was called wrong.
    fn serve(&self, entry: Arc<CacheEntry>, kind: HitKind, similarity: f32, asked: Option<&str>) -> Option<CacheHit> {
        if entry.is_rejected() {
            return None;
        }
        let now = self.now();
        let freshness = entry.freshness(now, self.config.stale_while_revalidate);
        if freshness == Freshness::Expired {
            if self.remove(&entry) {
                Counters::add(&self.counters.expirations);
            }
            return None;
        }
        entry.hits.fetch_add(1, Ordering::Relaxed);
        self.evictor.touch(&entry);
        Counters::add(match kind {
            HitKind::Exact => &self.counters.exact_hits,
            HitKind::Semantic => &self.counters.semantic_hits,
        });
        let is_stale = freshness == Freshness::Stale;
        if is_stale {
            Counters::add(&self.counters.stale_hits);
        }
        if let Some(cost) = entry.cost {
            let saved = u64::try_from(cost / 1_000_000_000).unwrap_or(0);
            self.counters.saved_nanodollars.fetch_add(saved, Ordering::Relaxed);
        }
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

/// How much less similar than the first that passes a candidate may be and still be the better one.
const RIVAL_MARGIN: f32 = 0.15;
/// How many more candidates are looked at for that.
const MOST_RIVALS: usize = 64;

/// From here on a vector is the same vector, but for its rounding.
const IDENTICAL: f32 = 1.0 - 1e-6;

/// A caller who brings the vectors and gives two questions the same one has said that their wording does not matter.
fn compare(
    guards: &Guards,
    request: &LookupRequest<'_>,
    similarity: f32,
    asked: &Signature,
    stored: &Signature,
) -> Verdict {
    if request.embedding.is_some() && similarity >= IDENTICAL {
        return guards.compare_facts(asked, stored);
    }
    guards.compare(asked, stored)
}
