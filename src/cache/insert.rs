//! Storing entries, and keeping the bounds.

use super::entry::{CacheEntry, Freshness};
use super::evict;
use super::index::Index;
use super::key::PartitionKey;
use super::request::InsertRequest;
use super::stats::Counters;
use super::store::{EntryName, StoredEntry, Told};
use super::{CacheCore, EntryKey, SemanticCache, vector};
use crate::blocking::block_on;
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
    /// has changed. Whether a file took it, [`SemanticCache::flush`] tells.
    pub fn insert(&self, request: InsertRequest<'_>) -> Result<Option<EntryKey>> {
        Ok(self.insert_many(vec![request])?.pop().flatten())
    }

    /// [`SemanticCache::insert`] for many; all are stored, or none.
    ///
    /// # Errors
    /// As [`SemanticCache::insert`].
    pub fn insert_many(&self, requests: Vec<InsertRequest<'_>>) -> Result<Vec<Option<EntryKey>>> {
        let (keys, put) = self.begin_insert(requests)?;
        if let (Some((told, entries)), Some(shared)) = (put, &self.inner.shared) {
            shared.later(told, entries);
            self.inner.settle(shared);
        }
        Ok(keys)
    }

    /// [`SemanticCache::insert_many`] that returns when the answers are kept: on a file, when they are on disk.
    ///
    /// # Errors
    /// As [`SemanticCache::insert`]; `Store` where the file does not take them. Then nothing has changed. Of a server that
    /// does not, [`SemanticCache::flush`] tells.
    pub fn insert_and_keep(&self, requests: Vec<InsertRequest<'_>>) -> Result<Vec<Option<EntryKey>>> {
        let (keys, put) = self.begin_insert(requests)?;
        if let Some((told, entries)) = put {
            let outcome = block_on(told);
            self.inner.settled(&outcome, &entries);
            match (outcome, &self.inner.shared) {
                // A server that is away is no reason to fail: the answer is there, and only not kept.
                (Err(error @ Error::Store(_)), Some(shared)) if shared.tells => shared.failed(error),
                (outcome, _) => outcome?,
            }
        }
        Ok(keys)
    }

    fn begin_insert(&self, requests: Vec<InsertRequest<'_>>) -> Result<(Vec<Option<EntryKey>>, Option<Put>)> {
        self.inner.after_a_fork();
        let made = self.embed_all(&requests)?;
        let vectors: Vec<Option<&[f32]>> =
            requests.iter().zip(&made).map(|(request, made)| request.embedding.or(made.as_deref())).collect();
        let scales =
            vectors.iter().map(|vector| vector.map(vector::scale_of).transpose()).collect::<Result<Vec<_>>>()?;
        self.agree_on_dimension(&vectors)?;

        let now = self.inner.now();
        let mut keys = Vec::with_capacity(requests.len());
        let mut rows: Vec<NewEntry<'_>> = Vec::with_capacity(requests.len());
        for (place, request) in requests.into_iter().enumerate() {
            if request.prompt.is_empty() {
                keys.push(None);
                continue;
            }
            let entry = Arc::new(self.inner.entry(request, vectors[place].map_or(0, <[f32]>::len), now));
            keys.push(Some(entry.key));
            rows.push(NewEntry { entry, vector: vectors[place].zip(scales[place]) });
        }
        let put = self.inner.add_and_put(&rows);
        for row in &rows {
            self.inner.learn_from(&row.entry.tenant, &row.entry.key, &row.entry.response)?;
        }
        Ok((keys, put))
    }

    /// Adds entries of a saved cache, those apart whose time is over, and counts them.
    pub(super) fn restore(&self, saved: &[StoredEntry]) -> Result<usize> {
        let vectors: Vec<Option<&[f32]>> = saved.iter().map(|entry| entry.vector.as_deref()).collect();
        let scales =
            vectors.iter().map(|vector| vector.map(vector::scale_of).transpose()).collect::<Result<Vec<_>>>()?;
        self.agree_on_dimension(&vectors)?;
        let rows: Vec<_> = saved
            .iter()
            .zip(scales)
            .filter(|(entry, _)| !self.inner.is_over(entry))
            .map(|(entry, scale)| {
                let dimension = entry.vector.as_ref().map_or(0, |vector| vector.len());
                let entry_here = Arc::new(self.inner.entry_of(self.inner.ids.next(), entry, dimension));
                NewEntry { entry: entry_here, vector: entry.vector.as_deref().zip(scale) }
            })
            .collect();
        if let (Some((told, entries)), Some(shared)) = (self.inner.add_and_put(&rows), &self.inner.shared) {
            shared.later(told, entries);
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

/// What a store was told to put, and the entries.
type Put = (Told<()>, Vec<Arc<CacheEntry>>);

struct NewEntry<'a> {
    entry: Arc<CacheEntry>,
    /// The vector as given, and what brings it to unit length.
    vector: Option<(&'a [f32], f64)>,
}

impl NewEntry<'_> {
    fn unit(&self) -> Option<Arc<[f32]>> {
        self.vector.map(|(vector, scale)| {
            let mut unit = vec![0.0; vector.len()];
            vector::scale_into(vector, scale, &mut unit);
            unit.into()
        })
    }
}

impl CacheCore {
    fn entry(&self, request: InsertRequest<'_>, dimension: usize, now: std::time::Duration) -> CacheEntry {
        CacheEntry {
            id: self.ids.next(),
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
            stored: AtomicBool::new(false),
        }
    }

    /// The entry that a store has, under an id.
    fn entry_of(&self, id: u64, stored: &StoredEntry, dimension: usize) -> CacheEntry {
        CacheEntry {
            id,
            key: stored.name().key,
            partition: stored.partition(),
            tenant: Arc::clone(&stored.tenant),
            scope: stored.scope.clone(),
            prompt: Arc::clone(&stored.prompt),
            response: stored.response.clone(),
            tags: Arc::clone(&stored.tags),
            dimension,
            signature: OnceLock::new(),
            created: stored.created,
            expires: stored.expires,
            cost: stored.cost,
            hits: AtomicU64::new(0),
            priority: AtomicU64::new(0),
            rejected: AtomicBool::new(stored.is_rejected),
            reported: AtomicBool::new(stored.is_rejected),
            stored: AtomicBool::new(false),
        }
    }

    fn is_over(&self, stored: &StoredEntry) -> bool {
        stored.expires.is_some_and(|end| self.now() >= end + self.config.stale_while_revalidate)
    }

    /// Adds entries, and tells the store of what is held then; an entry too large for the bounds is not.
    fn add_and_put(&self, rows: &[NewEntry<'_>]) -> Option<Put> {
        let Some(shared) = &self.shared else {
            self.add_all(rows);
            return None;
        };
        let _one = shared.order.lock();
        let dropped = self.add_all(rows);
        if !dropped.is_empty() {
            shared.later(shared.store.remove(self.ids.by(), dropped), Vec::new());
        }
        let held: Vec<_> = rows.iter().filter(|row| self.by_id.contains_key(&row.entry.id)).collect();
        let stored = held.iter().map(|row| row.entry.to_stored(row.unit())).collect();
        let entries = held.iter().map(|row| Arc::clone(&row.entry)).collect();
        Some((shared.store.put(self.ids.by(), stored), entries))
    }

    /// Adds entries that the store has already, and returns what had to go for them. Of a vector of another dimension
    /// than this cache's only exact repeats can be served.
    pub(super) fn restore_shared(&self, entries: &[StoredEntry]) -> Vec<EntryName> {
        let mut rows = Vec::with_capacity(entries.len());
        for stored in entries.iter().filter(|entry| !self.is_over(entry)) {
            let vector = stored.vector.as_deref().and_then(|vector| Some((vector, vector::scale_of(vector).ok()?)));
            let vector = vector.filter(|(vector, _)| self.take_dimension(vector.len()));
            let entry = self.entry_of(stored.id, stored, vector.map_or(0, |(vector, _)| vector.len()));
            entry.stored.store(true, Ordering::Release);
            rows.push(NewEntry { entry: Arc::new(entry), vector });
        }
        self.add_all(&rows)
    }

    /// Whether vectors of this dimension are searched here: the first one says.
    fn take_dimension(&self, given: usize) -> bool {
        match self.dimension.compare_exchange(0, given, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(held) => held == given,
        }
    }

    /// Adds entries that are valid; later ones replace earlier ones of the same key. Returns what the store is to drop.
    fn add_all(&self, rows: &[NewEntry<'_>]) -> Vec<EntryName> {
        for row in rows {
            self.by_id.insert(row.entry.id, Arc::clone(&row.entry));
            self.evictor.add(&row.entry);
        }
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let alike = |row: &NewEntry<'_>| row.entry.partition == first.entry.partition;
            let end = rest.iter().position(|row| !alike(row)).unwrap_or(rest.len());
            self.index_rows(&rest[..end]);
            rest = &rest[end..];
        }
        let (mut dropped, mut replaced) = (Vec::new(), Vec::new());
        for row in rows {
            if let Some(old) = self.entries.insert(row.entry.key, Arc::clone(&row.entry)) {
                self.drop_here(&old);
                replaced.push((row.entry.id, old.name()));
            }
            Counters::add(&self.counters.inserts);
            self.keep_bounds(&row.entry, &mut dropped);
        }
        // Where the new one is held, the store puts it in the old one's place by itself.
        dropped.extend(replaced.iter().filter(|(new, _)| !self.by_id.contains_key(new)).map(|(_, old)| *old));
        dropped
    }

    fn index_rows(&self, rows: &[NewEntry<'_>]) {
        let with_vector: Vec<_> = rows.iter().filter(|row| row.vector.is_some()).collect();
        let Some(first) = with_vector.first() else { return };
        let dimension = first.entry.dimension;
        // One of another dimension is from before the cache was cleared, and empty.
        let is_fit = |index: &Arc<Index>| index.dimension() == dimension;
        let index = self.indexes.get_or_insert(first.entry.partition, is_fit, || Arc::new(Index::new(dimension)));
        let ids: Vec<u64> = with_vector.iter().map(|row| row.entry.id).collect();
        index.insert_many(&ids, |place, out| {
            if let Some((vector, scale)) = with_vector[place].vector {
                vector::scale_into(vector, scale, out);
            }
        });
    }

    /// Drops entries until the bounds hold; the new one goes last.
    fn keep_bounds(&self, newest: &CacheEntry, dropped: &mut Vec<EntryName>) {
        let (entries, bytes) = (self.config.max_entries, self.config.max_bytes);
        let over = || {
            entries.is_some_and(|most| self.evictor.len() > most)
                || bytes.is_some_and(|most| self.evictor.bytes() > most)
        };
        let now = self.now();
        while over() {
            let drawn: Vec<_> =
                self.evictor.sample(newest.id).into_iter().filter_map(|id| self.by_id.get(&id)).collect();
            let end = |entry: &&Arc<CacheEntry>| {
                entry.freshness(now, self.config.stale_while_revalidate) == Freshness::Expired
            };
            let victim = drawn
                .iter()
                .find(end)
                .or_else(|| drawn.iter().min_by(|a, b| evict::priority(a).total_cmp(&evict::priority(b))));
            let Some(entry) = victim else {
                self.drop_here(newest);
                dropped.push(newest.name());
                return;
            };
            self.evictor.raise_floor(entry);
            if self.drop_here(entry) {
                dropped.push(entry.name());
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
