//! Which entry to drop when a bound is reached: the one that saves least money for its size.
//!
//! Greedy-Dual-Size-Frequency (Cherkasova 1998): an entry's priority is `L + hits * cost / size`, where `L` is the
//! priority of the last entry that was dropped, so that what is no longer asked for ages. The victim is the least of
//! a random sample, as in Redis, so that a hit updates one number and takes no lock.

use super::entry::CacheEntry;
use super::key::DigestState;
use crate::lock::Lock;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// With 24 draws the victim is among the lowest 12 % with a probability of 0.95.
const SAMPLE: usize = 24;
/// The weight of an answer whose cost was not told: a thousandth of a dollar.
const DEFAULT_COST: f64 = 1e15;

/// All ids, to draw from, and the sum of their sizes.
pub(crate) struct Evictor {
    pool: Lock<Pool>,
    bytes: AtomicUsize,
    /// `L`, as bits of an f64.
    floor: AtomicU64,
}

struct Pool {
    ids: Vec<u64>,
    places: HashMap<u64, usize, DigestState>,
    random: StdRng,
}

impl Evictor {
    pub fn new() -> Self {
        let pool = Pool { ids: Vec::new(), places: HashMap::default(), random: StdRng::seed_from_u64(0x6865_6164) };
        Self { pool: Lock::new(pool), bytes: AtomicUsize::new(0), floor: AtomicU64::new(0) }
    }

    /// The priority of an entry at its next hit.
    pub fn touch(&self, entry: &CacheEntry) {
        let hits = entry.hits.load(Ordering::Relaxed) + 1;
        let cost = entry.cost.map_or(DEFAULT_COST, |cost| (cost.max(1)) as f64);
        let floor = f64::from_bits(self.floor.load(Ordering::Relaxed));
        let priority = floor + hits as f64 * cost / entry.size() as f64;
        entry.priority.store(priority.to_bits(), Ordering::Relaxed);
    }

    pub fn add(&self, entry: &CacheEntry) {
        self.touch(entry);
        self.bytes.fetch_add(entry.size(), Ordering::Relaxed);
        let mut pool = self.pool.lock();
        let place = pool.ids.len();
        pool.ids.push(entry.id);
        pool.places.insert(entry.id, place);
    }

    pub fn remove(&self, entry: &CacheEntry) {
        let mut pool = self.pool.lock();
        let Some(place) = pool.places.remove(&entry.id) else { return };
        pool.ids.swap_remove(place);
        if let Some(&moved) = pool.ids.get(place) {
            pool.places.insert(moved, place);
        }
        drop(pool);
        self.bytes.fetch_sub(entry.size(), Ordering::Relaxed);
    }

    pub fn len(&self) -> usize {
        self.pool.lock().ids.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Some ids, drawn at random, without `spare`.
    pub fn sample(&self, spare: u64) -> Vec<u64> {
        let pool = &mut *self.pool.lock();
        if pool.ids.len() <= SAMPLE {
            return pool.ids.iter().copied().filter(|&id| id != spare).collect();
        }
        (0..SAMPLE).map(|_| pool.ids[pool.random.random_range(0..pool.ids.len())]).filter(|&id| id != spare).collect()
    }

    /// Remembers that `entry` was dropped: what comes later starts at its priority.
    pub fn raise_floor(&self, entry: &CacheEntry) {
        let priority = f64::from_bits(entry.priority.load(Ordering::Relaxed));
        let floor = f64::from_bits(self.floor.load(Ordering::Relaxed));
        self.floor.store(priority.max(floor).to_bits(), Ordering::Relaxed);
    }
}

pub(crate) fn priority(entry: &CacheEntry) -> f64 {
    f64::from_bits(entry.priority.load(Ordering::Relaxed))
}
