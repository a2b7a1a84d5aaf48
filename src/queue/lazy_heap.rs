//! Times at which something is due, soonest first; what was settled before its time is dropped lazily.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A heap of (time, item). Settled items stay inside until they surface or a sweep takes them.
#[derive(Debug)]
pub(super) struct LazyHeap<T: Ord> {
    heap: BinaryHeap<Reverse<(Duration, T)>>,
}

impl<T: Ord + Copy> Default for LazyHeap<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new() }
    }
}

impl<T: Ord + Copy> LazyHeap<T> {
    /// Below this size a sweep is not worth it.
    const SWEEP_FLOOR: usize = 1024;

    /// Adds an item. `live` bounds how many items can still matter: far above it the settled ones are swept out,
    /// which costs a constant per push on average.
    pub(super) fn push(&mut self, due: Duration, item: T, live: usize, is_live: impl Fn(Duration, T) -> bool) {
        if self.heap.len() > Self::SWEEP_FLOOR.max(2 * live) {
            self.heap.retain(|Reverse((due, item))| is_live(*due, *item));
        }
        self.heap.push(Reverse((due, item)));
    }

    /// Takes the first live item that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Duration, is_live: impl Fn(Duration, T) -> bool) -> Option<(Duration, T)> {
        while let Some(Reverse((due, item))) = self.heap.peek().copied() {
            let live = is_live(due, item);
            if live && due > now {
                return None;
            }
            self.heap.pop();
            if live {
                return Some((due, item));
            }
        }
        None
    }

    /// When the next item, live or settled, is due. Settled ones cost their owner one look too many, no more.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }
}
