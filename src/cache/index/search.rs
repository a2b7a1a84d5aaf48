//! The search: sift blocks by signs, what is left by bytes, and score what is left of that.

use super::query::Query;
use super::{Generation, TailView};
use crate::cache::kernel::{self, ROWS, SHARED};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// How many rows ahead the bytes are fetched.
const AHEAD: usize = 6;
/// After so many blocks in a row of which the planes leave nearly all rows, a query looks at planes no more.
const PATIENCE: u32 = 8;
/// Nearly all.
const MOST: u32 = 48;

/// What a search found, nearest first; the similarity of a row is computed when it may be the next.
pub(crate) struct Candidates {
    generation: Arc<Generation>,
    unit: Vec<f32>,
    threshold: f32,
    /// Bounds of rows not yet scored, least first.
    pending: Vec<(f32, u32)>,
    scored: BinaryHeap<Scored>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub score: f32,
    pub id: u64,
}

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of equals the older comes first.
        self.score.total_cmp(&other.score).then(other.id.cmp(&self.id))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Iterator for Candidates {
    type Item = (u64, f32);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(&(bound, row)) = self.pending.last() {
            if self.scored.peek().is_some_and(|best| best.score > bound) {
                break;
            }
            self.pending.pop();
            let (block, place) = (row as usize / ROWS, row as usize % ROWS);
            let Some(block) = self.generation.blocks.get(block) else { continue };
            let score = kernel::dot(self.generation.encoder.path, &self.unit, block.row(place));
            if score >= self.threshold {
                self.scored.push(Scored { score, id: block.id(place) });
            }
        }
        self.scored.pop().map(|best| (best.id, best.score))
    }
}

/// One query on its way through the blocks.
struct SearchProgress<'a> {
    query: Query<'a>,
    survivors: Vec<u32>,
    /// Blocks in a row of which the planes left nearly all.
    useless: u32,
}

impl SearchProgress<'_> {
    fn wants_planes(&self) -> bool {
        self.useless < PATIENCE
    }

    fn take(&mut self, block: usize, alive: u64, mut left: u64) {
        self.useless = if left.count_ones() >= MOST.min(alive.count_ones()) { self.useless + 1 } else { 0 };
        while left != 0 {
            self.survivors.push((block * ROWS) as u32 + left.trailing_zeros());
            left &= left - 1;
        }
    }
}

/// Finds the rows that reach `threshold`, for each query.
pub(super) fn search(generation: &Arc<Generation>, units: &[&[f32]], threshold: f32) -> Vec<Candidates> {
    let with_planes = generation.with_planes;
    let mut all: Vec<_> = units
        .iter()
        .map(|unit| SearchProgress {
            query: Query::new(&generation.encoder, unit, with_planes),
            survivors: Vec::new(),
            useless: if with_planes { 0 } else { PATIENCE },
        })
        .collect();
    let snapshot = generation.snapshot(&all.iter().map(|progress| &progress.query).collect::<Vec<_>>(), threshold);
    scan(generation, &snapshot, &mut all, threshold);
    all.into_iter()
        .zip(snapshot.tail)
        .map(|(progress, scored)| Candidates {
            generation: Arc::clone(generation),
            unit: progress.query.unit.to_vec(),
            threshold,
            pending: bounded(generation, &progress, threshold),
            scored: scored.into(),
        })
        .collect()
}

fn scan(generation: &Generation, snapshot: &TailView, all: &mut [SearchProgress<'_>], threshold: f32) {
    for place in 0..snapshot.blocks {
        let Some(block) = generation.blocks.get(place) else { continue };
        let alive = block.alive();
        if alive == 0 {
            continue;
        }
        let mut groups = all.chunks_exact_mut(SHARED);
        for group in groups.by_ref() {
            if !group.iter().all(SearchProgress::wants_planes) {
                for progress in group {
                    progress.take(place, alive, alive);
                }
                continue;
            }
            let mut sums = [[0; ROWS]; SHARED];
            let tables = std::array::from_fn(|q| group[q].query.first_tables());
            kernel::scan_shared(generation.encoder.path, block.signs(0), tables, sums.each_mut());
            for (progress, sums) in group.iter_mut().zip(&sums) {
                let left = progress.query.sift_on(block, None, alive, sums, threshold);
                progress.take(place, alive, left);
            }
        }
        for progress in groups.into_remainder() {
            let left = if progress.wants_planes() {
                let ahead = generation.blocks.get(place + 1);
                progress.query.sift(block, ahead, alive, threshold)
            } else {
                alive
            };
            progress.take(place, alive, left);
        }
    }
}

/// The survivors whose bytes do not keep them below the threshold, least bound first.
fn bounded(generation: &Generation, progress: &SearchProgress<'_>, threshold: f32) -> Vec<(f32, u32)> {
    let block_of = |row: u32| generation.blocks.get(row as usize / ROWS);
    let mut pending = Vec::new();
    for (i, &row) in progress.survivors.iter().enumerate() {
        if let Some(&later) = progress.survivors.get(i + AHEAD)
            && let Some(block) = block_of(later)
        {
            kernel::prefetch(block.codes(later as usize % ROWS));
        }
        if let Some(block) = block_of(row) {
            let place = row as usize % ROWS;
            let bound = progress.query.bound(&block.figures(place), block.codes(place));
            if bound >= threshold {
                pending.push((bound, row));
            }
        }
    }
    pending.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    pending
}
