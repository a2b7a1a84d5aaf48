//! Vectors of one partition, and the exact search among them.
//!
//! Rows arrive in a tail of fewer than 64, which is searched by brute force; full, it becomes a block, which never
//! changes but for its removed rows. A generation is what its blocks were encoded with; when the rows' mean has moved,
//! or too many rows are gone, a new generation takes the place of the old one, which whoever searches it keeps.
//! Readers share a lock with a writer for the copy of one row or of a pointer only.

mod block;
mod blocks;
mod encoder;
mod query;
mod rotation;
mod search;
#[cfg(test)]
mod tests;

pub(crate) use search::Candidates;

use crate::cache::kernel::{Path, ROWS};
use crate::cache::key::DigestState;
use crate::lock::{Lock, SharedLock};
use block::Encoded;
use blocks::Blocks;
use encoder::Encoder;
use query::Query;
use search::Scored;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Between one look at the mean and the next the rows grow by this factor.
const GROWTH: usize = 8;
/// A share of the squared length that is worth encoding all rows anew.
const WORTH: f32 = 0.03;
/// With fewer blocks removed rows cost nothing to speak of.
const LEAST_BLOCKS: usize = 4;

/// Rows of unit length, each with an id.
pub(crate) struct Index {
    dimension: usize,
    current: SharedLock<Arc<Generation>>,
    writer: Lock<RowWriter>,
    length: AtomicUsize,
}

/// Rows encoded alike.
struct Generation {
    encoder: Encoder,
    with_planes: bool,
    blocks: Blocks,
    tail: SharedLock<Tail>,
}

/// The last rows, not yet a block.
#[derive(Clone, Default)]
struct Tail {
    ids: Vec<u64>,
    rows: Vec<f32>,
    removed: u64,
}

/// What only one insert or removal at a time may touch.
struct RowWriter {
    /// Where each id's row is, counted from the first row of the generation.
    places: HashMap<u64, u32, DigestState>,
    removed: usize,
    /// The number of blocks at which the mean is looked at again.
    next_look: usize,
}

/// What was there when a search began.
struct TailView {
    blocks: usize,
    /// For each query, the tail's rows that reach the threshold.
    tail: Vec<Vec<Scored>>,
}

impl Generation {
    fn new(encoder: Encoder, with_planes: bool) -> Self {
        Self { blocks: Blocks::new(encoder.layout, with_planes), encoder, with_planes, tail: SharedLock::default() }
    }

    /// Scores the tail, and counts the blocks: together, so that no row is between them.
    fn snapshot(&self, queries: &[&Query<'_>], threshold: f32) -> TailView {
        let tail = self.tail.read();
        let score = |query: &&Query<'_>| {
            let rows = tail.rows.chunks_exact(self.encoder.layout.dimension).zip(&tail.ids).enumerate();
            rows.filter(|(place, _)| tail.removed >> place & 1 == 0)
                .map(|(_, (row, &id))| Scored { score: query.score(row), id })
                .filter(|scored| scored.score >= threshold)
                .collect()
        };
        TailView { tail: queries.iter().map(score).collect(), blocks: self.blocks.len() }
    }

    fn encode(&self, rows: &[f32]) -> Encoded {
        block::encode(&self.encoder, rows, self.with_planes)
    }
}

impl Index {
    pub fn new(dimension: usize) -> Self {
        let path = Path::detect();
        Self::with_path(dimension, path, path.has_fast_tables())
    }

    fn with_path(dimension: usize, path: Path, with_planes: bool) -> Self {
        let generation = Generation::new(Encoder::new(path, dimension), with_planes);
        let writer = RowWriter { places: HashMap::default(), removed: 0, next_look: GROWTH };
        Self {
            dimension,
            current: SharedLock::new(Arc::new(generation)),
            writer: Lock::new(writer),
            length: AtomicUsize::new(0),
        }
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    pub fn len(&self) -> usize {
        self.length.load(Acquire)
    }

    /// Adds a row for each id; `fill` writes one, of unit length.
    pub fn insert_many(&self, ids: &[u64], mut fill: impl FnMut(usize, &mut [f32])) {
        let writer = &mut *self.writer.lock();
        self.take_mean(ids.len(), &mut fill);
        let mut at = 0;
        while at < ids.len() {
            let generation = self.current.read().clone();
            let held = generation.tail.read().ids.len();
            let take = (ROWS - held).min(ids.len() - at);
            let start = generation.blocks.len() * ROWS + held;
            let mut rows = vec![0.0; take * self.dimension];
            for (place, row) in rows.chunks_exact_mut(self.dimension).enumerate() {
                fill(at + place, row);
                writer.places.insert(ids[at + place], (start + place) as u32);
            }
            let taken = &ids[at..at + take];
            at += take;
            match taken.first_chunk() {
                Some(ids) => self.append(writer, &generation, ids, &rows),
                None => self.extend_tail(writer, &generation, taken, &rows),
            }
            self.length.store(writer.places.len(), Release);
        }
    }

    /// Learns the mean from the rows of the first block and from those that come with them.
    fn take_mean(&self, coming: usize, fill: &mut impl FnMut(usize, &mut [f32])) {
        let old = self.current.read().clone();
        let tail = old.tail.read().clone();
        if old.blocks.len() > 0 || tail.ids.len() + coming < ROWS {
            return;
        }
        let mut rows = tail.rows.clone();
        for place in (0..coming).step_by(coming.div_ceil(encoder::SAMPLE)) {
            let start = rows.len();
            rows.resize(start + self.dimension, 0.0);
            fill(place, &mut rows[start..]);
        }
        let row = |place: usize| &rows[place * self.dimension..(place + 1) * self.dimension];
        let encoder = old.encoder.with_mean_of(rows.len() / self.dimension, row);
        let new = Generation { tail: SharedLock::new(tail), ..Generation::new(encoder, old.with_planes) };
        *self.current.write() = Arc::new(new);
    }

    fn extend_tail(&self, writer: &mut RowWriter, generation: &Arc<Generation>, ids: &[u64], rows: &[f32]) {
        let mut tail = generation.tail.write();
        tail.ids.extend_from_slice(ids);
        tail.rows.extend_from_slice(rows);
        let full = tail.ids.first_chunk().copied().map(|ids| (ids, tail.rows.clone()));
        drop(tail);
        if let Some((ids, rows)) = full {
            self.append(writer, generation, &ids, &rows);
        }
    }

    /// Makes a block of 64 rows; those of the tail are searched there until it is ready.
    fn append(&self, writer: &mut RowWriter, generation: &Arc<Generation>, ids: &[u64; ROWS], rows: &[f32]) {
        let encoded = generation.encode(rows);
        let mut tail = generation.tail.write();
        generation.blocks.push(ids, rows, &encoded, !tail.removed);
        *tail = Tail::default();
        drop(tail);
        if generation.blocks.len() >= writer.next_look {
            writer.next_look *= GROWTH;
            let count = generation.blocks.len() * ROWS;
            let row = |place: usize| generation.row(place).unwrap_or(&[]);
            if generation.encoder.missed(count, row) > WORTH {
                self.renew(writer, generation);
            }
        }
    }

    /// Takes the row of an id away.
    pub fn remove(&self, id: u64) {
        let writer = &mut *self.writer.lock();
        let Some(place) = writer.places.remove(&id) else { return };
        self.length.store(writer.places.len(), Release);
        let (block, bit) = (place as usize / ROWS, 1_u64 << (place as usize % ROWS));
        let generation = self.current.read().clone();
        match generation.blocks.get(block) {
            Some(block) => block.remove(bit),
            None => generation.tail.write().removed |= bit,
        }
        writer.removed += 1;
        let blocks = generation.blocks.len();
        if blocks >= LEAST_BLOCKS && writer.removed * 2 > blocks * ROWS {
            self.renew(writer, &generation);
        }
    }

    /// Encodes all rows that are left anew, by their mean.
    fn renew(&self, writer: &mut RowWriter, old: &Generation) {
        let mut left: Vec<(u32, u64)> = writer.places.iter().map(|(&id, &place)| (place, id)).collect();
        left.sort_unstable();
        let tail = old.tail.read();
        let row = |i: usize| {
            let place = left[i].0 as usize;
            old.row(place).or_else(|| {
                let start = (place - old.blocks.len() * ROWS) * self.dimension;
                tail.rows.get(start..start + self.dimension)
            })
        };
        let encoder = old.encoder.with_mean_of(left.len(), |i| row(i).unwrap_or(&[]));
        let new = Generation::new(encoder, old.with_planes);
        for (start, group) in left.chunks(ROWS).enumerate() {
            let rows: Vec<f32> = (0..group.len()).flat_map(|i| row(start * ROWS + i).unwrap_or(&[])).copied().collect();
            let ids: Vec<u64> = group.iter().map(|&(_, id)| id).collect();
            match ids.first_chunk() {
                Some(ids) => new.blocks.push(ids, &rows, &new.encode(&rows), u64::MAX),
                None => *new.tail.write() = Tail { ids, rows, removed: 0 },
            }
        }
        for (place, &(_, id)) in left.iter().enumerate() {
            writer.places.insert(id, place as u32);
        }
        writer.removed = 0;
        *self.current.write() = Arc::new(new);
    }

    /// The row of an id.
    pub fn row(&self, id: u64) -> Option<Vec<f32>> {
        let writer = self.writer.lock();
        let place = *writer.places.get(&id)? as usize;
        let generation = self.current.read().clone();
        if let Some(row) = generation.row(place) {
            return Some(row.to_vec());
        }
        let start = (place - generation.blocks.len() * ROWS) * self.dimension;
        let tail = generation.tail.read();
        tail.rows.get(start..start + self.dimension).map(<[f32]>::to_vec)
    }

    pub fn search(&self, query: &[f32], threshold: f32) -> Option<Candidates> {
        self.search_many(&[query], threshold).pop()
    }

    /// Faster than one by one: what is read from memory serves several queries.
    pub fn search_many(&self, queries: &[&[f32]], threshold: f32) -> Vec<Candidates> {
        let generation = self.current.read().clone();
        search::search(&generation, queries, threshold)
    }
}

impl Generation {
    fn row(&self, place: usize) -> Option<&[f32]> {
        Some(self.blocks.get(place / ROWS)?.row(place % ROWS))
    }
}
