//! What a store knows of a request, and what it is told of one: the two directions between an entry and a record.

use super::super::entry::{QueuedRequest, Rare, State, Status};
use super::super::moment::Moment;
use super::super::options::PutOptions;
use super::super::stored_request::StoredRequest;
use super::Core;

impl Core {
    /// An open or a dead request, as a store is to keep it.
    pub(in crate::queue) fn record(&self, id: u64) -> Option<StoredRequest> {
        let entry = self.entries.get(id)?;
        let (provider, model) = self.flows.route(entry.flow);
        let lease_until = match entry.state {
            State::Leased { expires, .. } => Some(expires),
            _ => None,
        };
        Some(StoredRequest {
            id,
            status: entry.state.status(),
            priority: entry.priority,
            tenant: self.flows.tenant(entry.flow).clone(),
            provider,
            model,
            tokens: entry.tokens,
            key: entry.key().cloned(),
            attempt: entry.attempt,
            max_attempts: entry.max_attempts,
            enqueued: entry.enqueued,
            ready_at: entry.ready_at,
            place: entry.order,
            deadline: entry.deadline(),
            lease_until,
            owner: self.flows.owner(entry.flow),
            history: entry.history().to_vec(),
            size: entry.size,
        })
    }

    /// Believes a store about a request. Returns whether it was open here and is no more.
    pub(in crate::queue) fn merge(&mut self, record: StoredRequest, now: Moment) -> bool {
        let id = record.id;
        let mut was_open = false;
        if let Some(entry) = self.entries.get(id) {
            was_open = entry.state != State::Dead;
            let used = match record.status {
                Status::Done => Some(record.tokens),
                // A lease that was given back as if it had not left.
                _ if record.attempt < entry.attempt => Some(0),
                _ => None,
            };
            self.remove(id, used, now);
        } else if self.finished.status(id).is_some() {
            return false;
        }
        let status = record.status;
        self.next_order = self.next_order.max(record.place + 1);
        self.take_in(record, now);
        was_open && !status.is_open()
    }

    /// Takes a request out of all that knows it.
    fn remove(&mut self, id: u64, used_tokens: Option<u64>, now: Moment) {
        if let Some(entry) = self.take_open(id, used_tokens, now) {
            self.bytes -= entry.size;
        } else if self.entries.remove(id).is_some() {
            self.counts[Status::Dead as usize] -= 1;
        }
    }

    fn take_in(&mut self, record: StoredRequest, now: Moment) {
        let StoredRequest { id, status, owner, .. } = record;
        let options = PutOptions {
            priority: record.priority,
            tenant: Some(record.tenant),
            provider: record.provider,
            model: record.model,
            ..PutOptions::default()
        };
        let entry = QueuedRequest {
            payload: None,
            size: record.size,
            enqueued: record.enqueued,
            ready_at: record.ready_at,
            order: record.place,
            tokens: record.tokens,
            flow: self.flows.id_of(&options, owner, &mut self.limiter),
            priority: record.priority,
            attempt: record.attempt,
            max_attempts: record.max_attempts,
            state: State::Scheduled,
            rare: Rare::boxed(record.key, record.deadline, record.history),
        };
        match status {
            Status::Waiting => self.adopt(id, entry, now),
            Status::Scheduled => self.adopt_scheduled(id, entry),
            Status::Leased => self.adopt_leased(id, entry, record.lease_until.unwrap_or(now), now),
            status => self.adopt_finished(id, entry, status, now),
        }
    }
}
