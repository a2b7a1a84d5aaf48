//! What is remembered of requests that are through: a byte each, and the results and keys of those that have one.

use super::entry::Status;
use super::id_map::IdMap;
use super::moment::Moment;
use super::pages::IdPages;
use crate::Payload;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

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
        let over = |line: &VecDeque<(Moment, u64)>, keep| line.front().is_some_and(|(at, _)| at.plus(keep) <= now);
        let (_, id) = if over(&self.plain, self.keep_results) {
            self.plain.pop_front()?
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
}
