//! The ready requests of one flow inside a class, in lanes by the priority they were put with.

use super::entry::QueuedRequest;
use super::moment::Moment;
use std::collections::VecDeque;

pub(super) const CLASSES: usize = 4;
const LANES: usize = 2 * CLASSES;

/// A ready request as the schedule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    /// The place in time: smaller is older.
    pub(super) order: u64,
    pub(super) id: u64,
    pub(super) tokens: u64,
    pub(super) ready_at: Moment,
}

impl Ready {
    pub(super) fn new(id: u64, entry: &QueuedRequest) -> Self {
        Self { order: entry.order, id, tokens: entry.tokens, ready_at: entry.ready_at }
    }
}

/// Names a lane: a priority, and whether its requests came in the order of both their place and their time.
///
/// New requests do, and one timer serves their whole lane: whoever is first in it rises first. One that is tried again
/// keeps its place and has a later time, so it goes to the other lane, where each has a timer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane(u8);

impl Lane {
    fn regular(priority: usize) -> Self {
        Self((priority % CLASSES) as u8 * 2)
    }

    fn irregular(priority: usize) -> Self {
        Self(Self::regular(priority).0 + 1)
    }

    pub(super) fn is_regular(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// The class that its requests were put with.
    pub(super) fn priority(self) -> usize {
        usize::from(self.0 / 2)
    }
}

#[derive(Debug, Default)]
pub(super) struct FlowQueue {
    lanes: [VecDeque<Ready>; LANES],
    /// A bit for each lane that is not empty.
    filled: u8,
    /// A bit for each regular lane whose timer runs.
    timed: u8,
    /// By priority: since when the request waits that the running timer of its regular lane was set for.
    timed_for: [Moment; CLASSES],
}

impl FlowQueue {
    /// The oldest request and its lane.
    pub(super) fn oldest(&self) -> Option<(Lane, &Ready)> {
        let mut left = self.filled;
        let mut oldest: Option<(Lane, &Ready)> = None;
        while left != 0 {
            let lane = Lane(left.trailing_zeros() as u8);
            left &= left - 1;
            if let Some(front) = self.front(lane)
                && oldest.is_none_or(|(_, other)| front.order < other.order)
            {
                oldest = Some((lane, front));
            }
        }
        oldest
    }

    pub(super) fn front(&self, lane: Lane) -> Option<&Ready> {
        self.lanes[usize::from(lane.0)].front()
    }

    /// Takes a request in; the lane where it went.
    pub(super) fn insert(&mut self, priority: usize, ready: Ready) -> Lane {
        let regular = Lane::regular(priority);
        let in_line = |last: &Ready| last.order < ready.order && last.ready_at <= ready.ready_at;
        // A lane that ran empty keeps its timer, which would come too late for one that waits for longer.
        let too_late = self.has_timer(regular) && ready.ready_at < self.timed_for[regular.priority()];
        let queue = &mut self.lanes[usize::from(regular.0)];
        let lane = if !too_late && queue.back().is_none_or(in_line) {
            queue.push_back(ready);
            regular
        } else {
            let irregular = Lane::irregular(priority);
            let queue = &mut self.lanes[usize::from(irregular.0)];
            let place = match queue.back() {
                Some(last) if last.order > ready.order => queue.partition_point(|other| other.order < ready.order),
                _ => queue.len(),
            };
            queue.insert(place, ready);
            irregular
        };
        self.filled |= 1 << lane.0;
        lane
    }

    /// Finds a request in a lane by its place in time.
    pub(super) fn find(&self, lane: Lane, order: u64) -> Option<&Ready> {
        let queue = &self.lanes[usize::from(lane.0)];
        queue.get(queue.binary_search_by_key(&order, |ready| ready.order).ok()?)
    }

    pub(super) fn take(&mut self, lane: Lane, order: u64) -> Option<Ready> {
        let queue = &mut self.lanes[usize::from(lane.0)];
        let ready = if queue.front().is_some_and(|front| front.order == order) {
            queue.pop_front()
        } else {
            let place = queue.binary_search_by_key(&order, |ready| ready.order).ok()?;
            queue.remove(place)
        };
        if queue.is_empty() {
            self.filled &= !(1 << lane.0);
        }
        ready
    }

    /// Takes a request out of whichever lane of its priority it is in.
    pub(super) fn remove(&mut self, priority: usize, order: u64) -> Option<Ready> {
        self.take(Lane::regular(priority), order).or_else(|| self.take(Lane::irregular(priority), order))
    }

    /// Whether the timer of a lane runs.
    pub(super) fn has_timer(&self, lane: Lane) -> bool {
        self.timed & (1 << lane.0) != 0
    }

    /// Notes that the timer of a regular lane runs for a request that waits since `ready_at`.
    pub(super) fn start_timer(&mut self, lane: Lane, ready_at: Moment) {
        self.timed |= 1 << lane.0;
        self.timed_for[lane.priority()] = ready_at;
    }

    pub(super) fn stop_timer(&mut self, lane: Lane) {
        self.timed &= !(1 << lane.0);
    }
}
