//! Encoded blocks of 64 rows, in a list that grows at its end while others read it, without a lock.
//!
//! What a search reads at every block lies side by side over all blocks of a shelf.

use super::block::{Encoded, Figures, First, Rest};
use super::encoder::Layout;
use crate::cache::kernel::{Arena, ByteLine, ROWS};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The blocks of the first shelf; each shelf has room for three times as many as all before it.
const FIRST_SHELF: usize = 16;
/// Enough for 2^32 rows.
const SHELVES: usize = 12;

#[derive(Debug)]
pub(super) struct Blocks {
    layout: Layout,
    with_planes: bool,
    shelves: [OnceLock<Shelf>; SHELVES],
    length: AtomicUsize,
}

/// Room for some blocks. Once put up, a shelf stays where it is.
#[derive(Debug)]
struct Shelf {
    alive: Box<[AtomicU64]>,
    signs: [Arena<ByteLine>; 2],
    sizes: [Arena<ByteLine>; 2],
    first: Arena<First>,
    rest: Arena<Rest>,
    figures: Arena<[Figures; ROWS]>,
    codes: Arena<i8>,
    rows: Arena<f32>,
    ids: Arena<[u64; ROWS]>,
}

/// One block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockView<'a> {
    shelf: &'a Shelf,
    place: usize,
    layout: &'a Layout,
}

/// The shelf of a block, and its place there.
fn find(block: usize) -> (usize, usize) {
    // Shelf k begins at block FIRST_SHELF * 4^(k - 1), shelf 0 at 0.
    match (block / FIRST_SHELF).checked_ilog2() {
        None => (0, block),
        Some(log) => {
            let shelf = log as usize / 2;
            (shelf + 1, block - (FIRST_SHELF << (2 * shelf)))
        }
    }
}

fn room(shelf: usize) -> usize {
    if shelf == 0 { FIRST_SHELF } else { 3 * (FIRST_SHELF << (2 * (shelf - 1))) }
}

impl Blocks {
    pub fn new(layout: Layout, with_planes: bool) -> Self {
        let shelves = std::array::from_fn(|_| OnceLock::new());
        Self { layout, with_planes, shelves, length: AtomicUsize::new(0) }
    }

    pub fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    pub fn get(&self, block: usize) -> Option<BlockView<'_>> {
        if block >= self.len() {
            return None;
        }
        let (shelf, place) = find(block);
        Some(BlockView { shelf: self.shelves.get(shelf)?.get()?, place, layout: &self.layout })
    }

    /// Adds a block, of whose rows `alive` says which count. One caller at a time: the index's writer.
    pub fn push(&self, ids: &[u64; ROWS], rows: &[f32], encoded: &Encoded, alive: u64) {
        let block = self.len();
        let (shelf, place) = find(block);
        let Some(shelf_lock) = self.shelves.get(shelf) else { return };
        let shelf = shelf_lock.get_or_init(|| Shelf::new(&self.layout, self.with_planes, room(shelf), shelf > 0));
        shelf.alive[place].store(alive, Ordering::Release);
        if let Some(planes) = &encoded.planes {
            for part in 0..2 {
                shelf.signs[part].push(&planes.signs[part]);
                shelf.sizes[part].push(&planes.sizes[part]);
            }
            shelf.first.push(&[planes.first]);
            shelf.rest.push(&[planes.rest]);
        }
        shelf.figures.push(&[encoded.figures]);
        shelf.codes.push(&encoded.codes);
        shelf.rows.push(rows);
        shelf.ids.push(std::slice::from_ref(ids));
        self.length.store(block + 1, Ordering::Release);
    }
}

impl Shelf {
    fn new(layout: &Layout, with_planes: bool, room: usize, is_large: bool) -> Self {
        let planes = if with_planes { room } else { 0 };
        let lines = || layout.lines().map(|lines| Arena::new(planes * lines, is_large));
        Self {
            alive: (0..room).map(|_| AtomicU64::new(0)).collect(),
            signs: lines(),
            sizes: lines(),
            first: Arena::new(planes, is_large),
            rest: Arena::new(planes, is_large),
            figures: Arena::new(room, is_large),
            codes: Arena::new(room * ROWS * layout.stride, is_large),
            rows: Arena::new(room * ROWS * layout.dimension, is_large),
            ids: Arena::new(room, is_large),
        }
    }
}

impl<'a> BlockView<'a> {
    pub fn alive(&self) -> u64 {
        self.shelf.alive[self.place].load(Ordering::Acquire)
    }

    /// Takes rows away: those whose bits are set.
    pub fn remove(&self, rows: u64) {
        self.shelf.alive[self.place].fetch_and(!rows, Ordering::AcqRel);
    }

    pub fn signs(&self, part: usize) -> &'a [ByteLine] {
        let lines = self.layout.lines()[part];
        self.shelf.signs[part].get(self.place * lines..(self.place + 1) * lines)
    }

    pub fn sizes(&self, part: usize) -> &'a [ByteLine] {
        let lines = self.layout.lines()[part];
        self.shelf.sizes[part].get(self.place * lines..(self.place + 1) * lines)
    }

    pub fn first(&self) -> Option<&'a First> {
        self.shelf.first.get(self.place..self.place + 1).first()
    }

    pub fn rest(&self) -> Option<&'a Rest> {
        self.shelf.rest.get(self.place..self.place + 1).first()
    }

    pub fn figures(&self, row: usize) -> Figures {
        self.shelf.figures.get(self.place..self.place + 1).first().map_or_else(Figures::default, |all| all[row])
    }

    pub fn codes(&self, row: usize) -> &'a [i8] {
        let start = (self.place * ROWS + row) * self.layout.stride;
        self.shelf.codes.get(start..start + self.layout.stride)
    }

    pub fn row(&self, row: usize) -> &'a [f32] {
        let start = (self.place * ROWS + row) * self.layout.dimension;
        self.shelf.rows.get(start..start + self.layout.dimension)
    }

    pub fn id(&self, row: usize) -> u64 {
        self.shelf.ids.get(self.place..self.place + 1).first().map_or(0, |all| all[row])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shelves_follow_each_other() {
        let mut expected = (0..6).flat_map(|shelf| (0..room(shelf)).map(move |place| (shelf, place)));
        for block in 0..10_000 {
            assert_eq!(Some(find(block)), expected.next(), "{block}");
        }
    }
}
