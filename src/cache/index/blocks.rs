//! A list of blocks that grows at its end while others read it, without a lock.

use super::block::Block;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Enough for 2^26 blocks of 64 rows.
const SHELVES: usize = 26;

/// Shelf `k` has room for `2^k` blocks; a shelf, once put up, stays where it is.
#[derive(Debug)]
pub(super) struct Blocks {
    shelves: [OnceLock<Box<[OnceLock<Block>]>>; SHELVES],
    length: AtomicUsize,
}

impl Blocks {
    pub fn new() -> Self {
        Self { shelves: std::array::from_fn(|_| OnceLock::new()), length: AtomicUsize::new(0) }
    }

    pub fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    pub fn get(&self, place: usize) -> Option<&Block> {
        let shelf = (place + 1).ilog2() as usize;
        self.shelves.get(shelf)?.get()?.get(place + 1 - (1 << shelf))?.get()
    }

    /// Adds a block. One caller at a time: the index's writer.
    pub fn push(&self, block: Block) {
        let place = self.len();
        let shelf = (place + 1).ilog2() as usize;
        if let Some(shelf_lock) = self.shelves.get(shelf) {
            let room = shelf_lock.get_or_init(|| (0..1 << shelf).map(|_| OnceLock::new()).collect());
            let _ = room[place + 1 - (1 << shelf)].set(block);
            self.length.store(place + 1, Ordering::Release);
        }
    }

    /// The first `count` blocks.
    pub fn iter(&self, count: usize) -> impl Iterator<Item = &Block> {
        (0..count).filter_map(|place| self.get(place))
    }
}
