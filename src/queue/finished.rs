//! What is remembered of requests that are through: a byte each, and the results and keys of those that have one.

use super::entry::Status;
use super::id_map::IdMap;
use super::moment::Moment;
use super::pages::IdPages;
use crate::Payload;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How many turns are remembered by their ids: only their callers know those, and a client takes one for each call.
const MOST_TURNS: usize = 8192;

/// What is counted in one number.
const COUNTED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Finished {
    keep_results: Duration,
    keep_keys: Duration,
    states: IdPages<Status, 1024>,
    results: IdMap<Payload>,
    keys: IdMap<Arc<str>>,
    /// In the order in which they finished.
    plain: VecDeque<(Moment, u64)>,
    keyed: VecDeque<(Moment, u64)>,
    /// The newest of those that `acquire` put.
    turns: VecDeque<(Moment, u64)>,
    /// How many older ones were done, by the second: of them the number is all that is remembered.
    counted: VecDeque<(Moment, usize)>,
    done: usize,
    cancelled: usize,
}

impl Finished {
    pub(super) fn new(keep_results: Duration, keep_keys: Duration) -> Self {
        Self {
            keep_results,
            keep_keys,
            states: IdPages::default(),
            results: IdMap::default(),
            keys: IdMap::default(),
            plain: VecDeque::new(),
            keyed: VecDeque::new(),
            turns: VecDeque::new(),
            counted: VecDeque::new(),
            done: 0,
            cancelled: 0,
        }
    }

    /// Remembers a request that was done or cancelled.
    pub(super) fn insert(
        &mut self,
        id: u64,
        status: Status,
        result: Option<Payload>,
        key: Option<Arc<str>>,
        now: Moment,
    ) {
        self.states.insert(id, status);
        *self.counter(status) += 1;
        if let Some(result) = result {
            self.results.insert(id, result);
        }
        if let Some(key) = key {
            self.keys.insert(id, key);
            self.keyed.push_back((now, id));
        } else {
            self.plain.push_back((now, id));
        }
    }

    /// Remembers a turn that was done, which has neither key nor result: the newest by their ids, all in the count.
    pub(super) fn insert_turn(&mut self, id: u64, now: Moment) {
        self.states.insert(id, Status::Done);
        self.done += 1;
        self.turns.push_back((now, id));
        if self.turns.len() <= MOST_TURNS {
            return;
        }
        let Some((at, oldest)) = self.turns.pop_front() else { return };
        self.states.remove(oldest);
        match self.counted.back_mut() {
            Some((since, count)) if since.plus(COUNTED) > at => *count += 1,
            _ => self.counted.push_back((at, 1)),
        }
    }

    fn counter(&mut self, status: Status) -> &mut usize {
        if status == Status::Done { &mut self.done } else { &mut self.cancelled }
    }

    pub(super) fn status(&self, id: u64) -> Option<Status> {
        self.states.get(id).copied()
    }

    pub(super) fn result(&self, id: u64) -> Option<&Payload> {
        self.results.get(&id)
    }

    /// How many are remembered as done, or as cancelled.
    pub(super) fn count(&self, status: Status) -> usize {
        match status {
            Status::Done => self.done,
            Status::Cancelled => self.cancelled,
            _ => 0,
        }
    }

    /// Forgets one request whose time is over: its id, and its key where it had one. Call until it gives None.
    pub(super) fn expire(&mut self, now: Moment) -> Option<(u64, Option<Arc<str>>)> {
        while let Some((_, count)) = self.counted.pop_front_if(|(at, _)| at.plus(self.keep_results) <= now) {
            self.done -= count;
        }
        let over = |line: &VecDeque<(Moment, u64)>, keep| line.front().is_some_and(|(at, _)| at.plus(keep) <= now);
        let (_, id) = if over(&self.plain, self.keep_results) {
            self.plain.pop_front()?
        } else if over(&self.turns, self.keep_results) {
            self.turns.pop_front()?
        } else if over(&self.keyed, self.keep_keys) {
            self.keyed.pop_front()?
        } else {
            return None;
        };
        if let Some(status) = self.states.remove(id) {
            *self.counter(status) -= 1;
        }
        self.results.remove(&id);
        Some((id, self.keys.remove(&id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_leaves_nothing_behind() {
        let second = Duration::from_secs(1);
        let mut finished = Finished::new(second, 10 * second);
        for id in 1..=3000 {
            let key = (id % 3 == 0).then(|| Arc::from("k"));
            let status = if id % 2 == 0 { Status::Done } else { Status::Cancelled };
            finished.insert(id, status, Some(Payload::bytes([1])), key, Moment::default());
        }
        assert_eq!((finished.count(Status::Done), finished.count(Status::Cancelled)), (1500, 1500));
        assert_eq!(finished.status(3000), Some(Status::Done));
        assert_eq!(std::iter::from_fn(|| finished.expire(second.into())).count(), 2000);
        assert_eq!((finished.status(1), finished.status(3)), (None, Some(Status::Cancelled)));
        let keyed: Vec<_> = std::iter::from_fn(|| finished.expire((10 * second).into())).collect();
        assert!(keyed.len() == 1000 && keyed.iter().all(|(_, key)| key.is_some()));
        assert!(finished.states.iter().next().is_none() && finished.results.is_empty() && finished.keys.is_empty());
        assert_eq!((finished.count(Status::Done), finished.count(Status::Cancelled)), (0, 0));
    }

    #[test]
    fn however_many_turns_end_the_newest_alone_take_memory() {
        let second = Duration::from_secs(1);
        let mut finished = Finished::new(10 * second, 10 * second);
        let all = 5 * MOST_TURNS as u64;
        // A thousand a second.
        let at = |id: u64| Moment::from_nanos(id * 1_000_000);
        for id in 1..=all {
            finished.insert_turn(id, at(id));
        }
        assert_eq!((finished.states.iter().count(), finished.turns.len()), (MOST_TURNS, MOST_TURNS));
        assert!(finished.counted.len() <= 34, "{} numbers for 33 seconds", finished.counted.len());
        assert_eq!(finished.count(Status::Done), all as usize);
        assert_eq!((finished.status(1), finished.status(all)), (None, Some(Status::Done)));
        assert!(finished.expire(at(all)).is_none());
        let within = finished.count(Status::Done);
        assert!((9_000..=10_000).contains(&within), "{within} in the last ten seconds, to a second");
        while finished.expire(at(all).plus(10 * second)).is_some() {}
        assert_eq!((finished.count(Status::Done), finished.states.iter().count()), (0, 0));
    }
}
