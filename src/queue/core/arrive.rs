//! How requests come in: put here, or read from a store.

use super::super::entry::{QueuedRequest, Rare, State, Status};
use super::super::lane::Ready;
use super::super::moment::Moment;
use super::super::options::PutOptions;
use super::super::owner::NOBODY;
use super::Core;
use super::due::{is_bounded, is_leased, is_scheduled};
use crate::Payload;
use std::ops::Range;

impl Core {
    /// A new id, for a queue without a store of its own.
    pub(in crate::queue) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Takes a request in. `payload` is None where a store keeps it, `owner` is who may take it: `NOBODY`, any worker.
    pub(in crate::queue) fn insert(
        &mut self,
        id: u64,
        payload: Option<Payload>,
        size: usize,
        options: &PutOptions,
        owner: u64,
        now: Moment,
    ) {
        let entry = QueuedRequest { payload, size, ..self.blank(options, owner, now) };
        self.adopt(id, entry, now);
        self.meters.put += 1;
    }

    /// Takes in many with the same options and without a store, with ids in a row.
    pub(in crate::queue) fn insert_all(
        &mut self,
        payloads: Vec<Payload>,
        options: &PutOptions,
        now: Moment,
    ) -> Range<u64> {
        let first = self.next_id;
        let blank = self.blank(options, NOBODY, now);
        for payload in payloads {
            let (id, size) = (self.new_id(), payload.len());
            self.adopt(id, QueuedRequest { payload: Some(payload), size, ..blank.clone() }, now);
        }
        self.meters.put += self.next_id - first;
        first..self.next_id
    }

    /// An entry that is not filled yet.
    fn blank(&mut self, options: &PutOptions, owner: u64, now: Moment) -> QueuedRequest {
        let deadline = options.deadline.map(|deadline| now.plus(deadline));
        QueuedRequest {
            payload: None,
            size: 0,
            enqueued: now,
            ready_at: now.plus(options.delay),
            order: 0,
            tokens: options.estimated_tokens,
            flow: self.flows.id_of(options, owner, &mut self.limiter),
            priority: options.priority,
            attempt: 0,
            max_attempts: options.max_attempts.unwrap_or(self.config.max_attempts),
            state: State::Scheduled,
            rare: Rare::boxed(options.key.clone(), deadline, Vec::new()),
        }
    }

    /// Takes in an entry that is to wait from its `ready_at` on.
    pub(super) fn adopt(&mut self, id: u64, mut entry: QueuedRequest, now: Moment) {
        self.take_key_and_size(id, &entry);
        self.make_ready(id, &mut entry, now);
        self.watch_deadline(id, &entry);
        self.entries.insert(id, entry);
    }

    /// Takes in an entry that is scheduled; where its time has come, `next_due` finds it.
    pub(super) fn adopt_scheduled(&mut self, id: u64, mut entry: QueuedRequest) {
        self.take_key_and_size(id, &entry);
        self.schedule_later(id, &mut entry);
        self.watch_deadline(id, &entry);
        self.entries.insert(id, entry);
    }

    /// Takes in an entry that a worker of another process, or of an earlier one, holds.
    pub(super) fn adopt_leased(&mut self, id: u64, mut entry: QueuedRequest, expires: Moment, now: Moment) {
        self.take_key_and_size(id, &entry);
        self.limiter.occupy(self.flows.gauges(entry.flow));
        entry.state = State::Leased { expires, since: now, here: false };
        self.counts[Status::Leased as usize] += 1;
        self.watch_deadline(id, &entry);
        let attempt = entry.attempt;
        self.entries.insert(id, entry);
        self.watch_lease(id, attempt, expires);
    }

    /// Takes in an entry that was finished elsewhere.
    pub(super) fn adopt_finished(&mut self, id: u64, entry: QueuedRequest, status: Status, now: Moment) {
        self.take_key_and_size(id, &entry);
        self.finish(id, entry, status, None, now);
    }

    fn take_key_and_size(&mut self, id: u64, entry: &QueuedRequest) {
        if let Some(key) = entry.key() {
            self.keys.insert(key.clone(), id);
        }
        self.bytes += entry.size;
    }

    fn watch_deadline(&mut self, id: u64, entry: &QueuedRequest) {
        if let Some(deadline) = entry.deadline() {
            let (entries, live) = (&self.entries, self.open_count());
            self.deadlines.push(deadline, id, live, |at, id| is_bounded(entries, at, id));
        }
    }

    pub(super) fn watch_lease(&mut self, id: u64, attempt: u32, expires: Moment) {
        if expires == Moment::NEVER {
            return;
        }
        let (entries, live) = (&self.entries, self.counts[Status::Leased as usize]);
        self.leases.push(expires, (id, attempt), live, |at, (id, attempt)| is_leased(entries, at, id, attempt));
    }

    fn schedule_later(&mut self, id: u64, entry: &mut QueuedRequest) {
        entry.state = State::Scheduled;
        self.counts[Status::Scheduled as usize] += 1;
        let (entries, live) = (&self.entries, self.counts[Status::Scheduled as usize]);
        self.scheduled.push(entry.ready_at, id, live, |at, id| is_scheduled(entries, at, id));
    }

    /// Puts an entry that no index knows into the schedule, now or later.
    pub(super) fn make_ready(&mut self, id: u64, entry: &mut QueuedRequest, now: Moment) {
        if entry.ready_at > now {
            return self.schedule_later(id, entry);
        }
        if entry.order == 0 {
            entry.order = self.next_order;
            self.next_order += 1;
        }
        entry.state = State::Waiting;
        self.counts[Status::Waiting as usize] += 1;
        self.schedule.insert(entry.flow, entry.priority.index(), Ready::new(id, entry), now);
    }
}
