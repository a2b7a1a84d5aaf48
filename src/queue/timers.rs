//! Times at which something is due, soonest first; what was settled before its time is dropped lazily.

use super::moment::Moment;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Timers of items. Settled items stay inside until they surface or a sweep takes them.
#[derive(Debug)]
pub(super) struct Timers<T: Ord> {
    /// Those set in the order of their time, as leases of one length are: they need no heap.
    in_line: VecDeque<(Moment, T)>,
    heap: BinaryHeap<Reverse<(Moment, T)>>,
}

impl<T: Ord + Copy> Default for Timers<T> {
    fn default() -> Self {
        Self { in_line: VecDeque::new(), heap: BinaryHeap::new() }
    }
}

impl<T: Ord + Copy> Timers<T> {
    /// Below this size a sweep is not worth it.
    const SWEEP_FLOOR: usize = 1024;

    /// Adds an item. `live` bounds how many items can still matter: far above it the settled ones are swept out,
    /// which costs a constant per push on average.
    pub(super) fn push(&mut self, due: Moment, item: T, live: usize, is_live: impl Fn(Moment, T) -> bool) {
        if self.in_line.len() + self.heap.len() > Self::SWEEP_FLOOR.max(live.saturating_mul(2)) {
            self.in_line.retain(|(due, item)| is_live(*due, *item));
            self.heap.retain(|Reverse((due, item))| is_live(*due, *item));
        }
        if self.in_line.back().is_none_or(|last| *last <= (due, item)) {
            self.in_line.push_back((due, item));
        } else {
            self.heap.push(Reverse((due, item)));
        }
    }

    /// Takes the first live item that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Moment, is_live: impl Fn(Moment, T) -> bool) -> Option<(Moment, T)> {
        while let Some((due, item)) = self.peek() {
            let live = is_live(due, item);
            if live && due > now {
                return None;
            }
            if self.in_line.front() == Some(&(due, item)) {
                self.in_line.pop_front();
            } else {
                self.heap.pop();
            }
            if live {
                return Some((due, item));
            }
        }
        None
    }

    /// Whether `pop_due` has to be asked: settled items count here.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.in_line.front().is_some_and(|(due, _)| *due <= now)
            || self.heap.peek().is_some_and(|Reverse((due, _))| *due <= now)
    }

    /// When the next item, live or settled, is due. Settled ones cost their owner one look too many, no more.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.peek().map(|(due, _)| due)
    }

    fn peek(&self) -> Option<(Moment, T)> {
        match (self.in_line.front(), self.heap.peek()) {
            (Some(line), Some(Reverse(heap))) => Some(*line.min(heap)),
            (line, heap) => line.or(heap.map(|Reverse(heap)| heap)).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Moment::from(Duration::from_secs(seconds))
    }

    proptest! {
        #[test]
        fn live_items_come_when_they_are_due_soonest_first(
            steps in prop::collection::vec((0..50u64, prop::bool::weighted(0.3)), 1..2000),
        ) {
            let (mut timers, mut live) = (Timers::default(), BTreeSet::new());
            for (item, (due, settled)) in steps.into_iter().enumerate() {
                timers.push(at(due), item, live.len(), |due, item| live.contains(&(due, item)));
                if !settled {
                    live.insert((at(due), item));
                }
            }
            for now in 0..50 {
                while let Some(found) = timers.pop_due(at(now), |due, item| live.contains(&(due, item))) {
                    prop_assert_eq!(Some(found), live.pop_first());
                    prop_assert!(found.0 <= at(now));
                }
                prop_assert!(live.first().is_none_or(|(due, _)| *due > at(now)));
            }
        }
    }
}
