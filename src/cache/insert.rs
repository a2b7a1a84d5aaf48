//! Storing entries, and keeping the bounds.

use super::entry::{CacheEntry, Freshness};
use super::evict;
use super::index::Index;
use super::key::PartitionKey;
use super::persist::Record;
use super::request::InsertRequest;
use super::stats::Counters;
use super::{CacheCore, EntryKey, SemanticCache, vector};
use crate::embed::Embedder;
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

impl SemanticCache {
    /// Stores an answer, in place of one for the same prompt, tenant and scope.
    /// None where the prompt is empty: such an answer is not stored.
    ///
    /// # Errors
    /// `Embedding` where the vector is not finite, zero or of another dimension, or the embedder fails. Then nothing
    /// has changed.
    pub fn insert(&self, request: InsertRequest<'_>) -> Result<Option<EntryKey>> {
        Ok(self.insert_many(vec![request])?.pop().flatten())
    }

    /// [`SemanticCache::insert`] for many; all are stored, or none.
    ///
    /// # Errors
    /// As [`SemanticCache::insert`].
    pub fn insert_many(&self, requests: Vec<InsertRequest<'_>>) -> Result<Vec<Option<EntryKey>>> {
        let made = self.embed_all(&requests)?;
        let vectors: Vec<Option<&[f32]>> =
            requests.iter().zip(&made).map(|(request, made)| request.embedding.or(made.as_deref())).collect();
        let scales =
            vectors.iter().map(|vector| vector.map(vector::scale_of).transpose()).collect::<Result<Vec<_>>>()?;
        self.agree_on_dimension(&vectors)?;

        let now = self.inner.now();
        let mut keys = Vec::with_capacity(requests.len());
        let mut rows: Vec<Row<'_>> = Vec::with_capacity(requests.len());
        for (place, request) in requests.into_iter().enumerate() {
            if request.prompt.is_empty() {
                keys.push(None);
                continue;
            }
            let entry = Arc::new(self.inner.entry(request, vectors[place].map_or(0, <[f32]>::len), now));
            keys.push(Some(entry.key));
            rows.push(Row { entry, vector: vectors[place].zip(scales[place]) });
        }
        self.inner.add_all(&rows);
        for row in &rows {
            self.inner.learn_from(&row.entry.tenant, &row.entry.key, &row.entry.response)?;
        }
        self.inner.write_through(&rows)?;
        Ok(keys)
    }

    /// Takes entries from a file, those apart whose time is over; `write` says whether this cache's own file lacks them.
    pub(super) fn restore(&self, records: &[Record], write: bool) -> Result<usize> {
        let (now, grace) = (self.inner.now(), self.inner.config.stale_while_revalidate);
        let vectors: Vec<Option<&[f32]>> = records.iter().map(|record| record.vector.as_deref()).collect();
        let scales =
            vectors.iter().map(|vector| vector.map(vector::scale_of).transpose()).collect::<Result<Vec<_>>>()?;
        self.agree_on_dimension(&vectors)?;
        let mut rows = Vec::with_capacity(records.len());
        for (record, scale) in records.iter().zip(scales) {
            let request = InsertRequest {
                response: record.response.clone(),
                scope: record.scope.as_deref(),
                tenant: &record.tenant,
                tags: &record.tags,
                cost: record.cost,
                ..InsertRequest::new(&record.prompt, record.response.clone())
            };
            let mut entry = self.inner.entry(request, record.vector.as_ref().map_or(0, Vec::len), record.created);
            entry.expires = record.expires;
            entry.rejected = AtomicBool::new(record.rejected);
            entry.reported = AtomicBool::new(record.rejected);
            if entry.freshness(now, grace) != Freshness::Expired {
                rows.push(Row { entry: Arc::new(entry), vector: record.vector.as_deref().zip(scale) });
            }
        }
        self.inner.add_all(&rows);
        if write {
            self.inner.write_through(&rows)?;
        }
        Ok(rows.len())
    }

    fn embed_all(&self, requests: &[InsertRequest<'_>]) -> Result<Vec<Option<Vec<f32>>>> {
        let mut made = vec![None; requests.len()];
        let Some(embedder) = &self.inner.config.embedder else { return Ok(made) };
        let missing: Vec<usize> = (0..requests.len())
            .filter(|&i| requests[i].embedding.is_none() && !requests[i].prompt.is_empty())
            .collect();
        if !missing.is_empty() {
            let texts: Vec<&str> = missing.iter().map(|&i| requests[i].prompt).collect();
            for (&i, vector) in missing.iter().zip(embed(&**embedder, &texts)?) {
                made[i] = Some(vector);
            }
        }
        Ok(made)
    }

    fn agree_on_dimension(&self, vectors: &[Option<&[f32]>]) -> Result<()> {
        let mut given = vectors.iter().flatten().map(|vector| vector.len());
        let Some(first) = given.next() else { return Ok(()) };
        let held = self.dimension().unwrap_or(first);
        vector::expect_dimension(first, held)?;
        given.try_for_each(|other| vector::expect_dimension(other, held))?;
        match self.inner.dimension.compare_exchange(0, first, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(other) => vector::expect_dimension(first, other),
        }
    }
}

struct Row<'a> {
    entry: Arc<CacheEntry>,
    /// The vector as given, and what brings it to unit length.
    vector: Option<(&'a [f32], f64)>,
}

impl Row<'_> {
    fn unit(&self) -> Option<Vec<f32>> {
        self.vector.map(|(vector, scale)| {
            let mut unit = vec![0.0; vector.len()];
            vector::scale_into(vector, scale, &mut unit);
            unit
        })
    }
}

impl CacheCore {
    fn entry(&self, request: InsertRequest<'_>, dimension: usize, now: std::time::Duration) -> CacheEntry {
        CacheEntry {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            key: EntryKey::of(request.tenant, request.scope, request.prompt),
            partition: PartitionKey::of(request.tenant, request.scope),
            tenant: request.tenant.into(),
            scope: request.scope.map(Into::into),
            prompt: request.prompt.into(),
            response: request.response,
            tags: request.tags.into(),
            dimension,
            signature: OnceLock::new(),
            created: now,
            expires: request.ttl.or(self.config.ttl).map(|ttl| now + ttl),
            cost: request.cost,
            hits: AtomicU64::new(0),
            priority: AtomicU64::new(0),
            rejected: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        }
    }

    /// Hands what is held to the file, if there is one; an entry too large for the bounds is held no more.
    fn write_through(&self, rows: &[Row<'_>]) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let held = rows.iter().filter(|row| self.by_id.contains_key(&row.entry.id));
        store.put(held.map(|row| (Arc::clone(&row.entry), row.unit())).collect())
    }

    /// Adds entries that are valid; later ones replace earlier ones of the same key.
    fn add_all(&self, rows: &[Row<'_>]) {
        for row in rows {
            self.by_id.insert(row.entry.id, Arc::clone(&row.entry));
            self.evictor.add(&row.entry);
        }
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let alike = |row: &Row<'_>| row.entry.partition == first.entry.partition;
            let end = rest.iter().position(|row| !alike(row)).unwrap_or(rest.len());
            self.index_rows(&rest[..end]);
            rest = &rest[end..];
        }
        for row in rows {
            let replaced = self.entries.insert(row.entry.key, Arc::clone(&row.entry));
            if let Some(old) = replaced {
                self.remove(&old);
            }
            Counters::add(&self.counters.inserts);
            self.keep_bounds(&row.entry);
        }
    }

    fn index_rows(&self, rows: &[Row<'_>]) {
        let with_vector: Vec<_> = rows.iter().filter(|row| row.vector.is_some()).collect();
        let Some(first) = with_vector.first() else { return };
        let dimension = first.entry.dimension;
        let index = {
            let mut place =
                self.indexes.entry(first.entry.partition).or_insert_with(|| Arc::new(Index::new(dimension)));
            // One of another dimension is from before the cache was cleared, and empty.
            if place.dimension() != dimension {
                *place = Arc::new(Index::new(dimension));
            }
            Arc::clone(&place)
        };
        let ids: Vec<u64> = with_vector.iter().map(|row| row.entry.id).collect();
        index.insert_many(&ids, |place, out| {
            if let Some((vector, scale)) = with_vector[place].vector {
                vector::scale_into(vector, scale, out);
            }
        });
    }

    /// Drops entries until the bounds hold; the new one goes last.
    fn keep_bounds(&self, newest: &CacheEntry) {
        let (entries, bytes) = (self.config.max_entries, self.config.max_bytes);
        let over = || {
            entries.is_some_and(|most| self.evictor.len() > most)
                || bytes.is_some_and(|most| self.evictor.bytes() > most)
        };
        let now = self.now();
        while over() {
            let drawn: Vec<_> = self
                .evictor
                .sample(newest.id)
                .into_iter()
                .filter_map(|id| self.by_id.get(&id).map(|entry| Arc::clone(&entry)))
                .collect();
            let end = |entry: &&Arc<CacheEntry>| {
                entry.freshness(now, self.config.stale_while_revalidate) == Freshness::Expired
            };
            let victim = drawn
                .iter()
                .find(end)
                .or_else(|| drawn.iter().min_by(|a, b| evict::priority(a).total_cmp(&evict::priority(b))));
            let Some(entry) = victim else {
                self.remove(newest);
                return;
            };
            self.evictor.raise_floor(entry);
            if self.remove(entry) {
                Counters::add(&self.counters.evictions);
            }
        }
    }
}

/// Asks an embedder, and checks that it gave one vector a text.
pub(super) fn embed(embedder: &dyn Embedder, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    let vectors = embedder.embed(texts)?;
    if vectors.len() == texts.len() {
        return Ok(vectors);
    }
    Err(Error::Embedding(format!(
        "the embedder {} gave {} vectors for {} texts: it must give one a text",
        embedder.name(),
        vectors.len(),
        texts.len()
    )))
}
