//! Finding the entry that serves.

use super::entry::Freshness;
use super::key::PartitionKey;
use super::request::{CacheHit, LookupRequest};
use super::stats::Counters;
use super::{CacheCore, EntryKey, SemanticCache, config, vector};
use crate::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
            Some(candidates) => self.inner.serve_candidates(vec![(request, candidates)])?.pop().flatten(),
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
            let asked = group.iter().map(|&i| &requests[i]);
            let found = asked.zip(index.search_many(&vectors, threshold)).collect();
            for (&i, hit) in group.iter().zip(self.inner.serve_candidates(found)?) {
                hits[i] = hit;
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
                .map(|candidates| self.inner.serve_first(&request, None, self.inner.held(candidates)))
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
        let entry = self.inner.entries.get(&key);
        let grace = self.inner.config.stale_while_revalidate;
        entry
            .is_some_and(|entry| !entry.is_rejected() && entry.freshness(self.inner.now(), grace) != Freshness::Expired)
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

    pub(super) fn threshold_of(&self, request: &LookupRequest<'_>) -> Result<f64> {
        request.threshold.map_or(Ok(self.inner.threshold), |own| config::check_threshold(own).map(|()| own))
    }

    pub(super) fn query_vector(&self, embedding: &[f32]) -> Result<Vec<f32>> {
        let unit = vector::unit(embedding)?;
        if let Some(dimension) = self.dimension() {
            vector::expect_dimension(unit.len(), dimension)?;
        }
        Ok(unit)
    }

    /// The prompt's vector; None without an embedder, or where nothing could be found with it.
    pub(super) fn embed_prompt(&self, request: &LookupRequest<'_>) -> Result<Option<Vec<f32>>> {
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
        let index = self.indexes.get(&key)?;
        (Some(index.dimension()) == self.dimension()).then_some(index)
    }
}
