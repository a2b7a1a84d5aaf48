//! What a store knows of a request that other processes may have changed.

use super::super::entry::{Entry, Rare, State, Status};
use super::super::journal::Row;
use super::super::moment::Moment;
use super::super::options::PutOptions;
use super::{Core, Transition};
use std::time::Duration;

impl Core {
    /// Takes in a row of the store; the id where this finished a request that was open here.
    pub(in crate::queue) fn merge(&mut self, row: Row, now: Moment, wall: Duration) -> Option<u64> {
        let id = row.id;
        match self.entries.get(id).map(|entry| (entry.attempt, entry.state)) {
            None if self.finished.status(id).is_some() => return None,
            None => {}
            // A lease that was read from the store and was then given back there.
            Some((attempt, State::Leased { here: false, .. })) if row.attempt < attempt && row.status.is_open() => {
                self.forget(id, now);
            }
            // What is here is newer: the row was read while a change of ours was under way.
            Some((attempt, state))
                if row.attempt < attempt || (row.attempt == attempt && state.status() == row.status) =>
            {
                return None;
            }
            // Its time came here, or it was nacked without a delay; taken in anew, it would lose its place.
            Some((attempt, State::Waiting)) if row.attempt == attempt && row.status == Status::Scheduled => {
                return None;
            }
            Some((_, state)) if state != State::Dead && !row.status.is_open() => {
                let leave = Transition {
                    id,
                    attempt: row.attempt,
                    status: row.status,
                    ready_at: now,
                    history: row.history,
                    result: None,
                };
                self.apply(leave, now);
                return Some(id);
            }
            Some(_) => self.forget(id, now),
        }
        self.take_in(row, now, wall);
        None
    }

    fn take_in(&mut self, row: Row, now: Moment, wall: Duration) {
        let Row { id, status, .. } = row;
        let moment = |at: Duration| now.from_wall(at, wall);
        let lease_until = row.lease_until.map_or(now, moment);
        let options = PutOptions {
            priority: row.priority,
            tenant: Some(row.tenant),
            provider: row.provider,
            model: row.model,
            ..PutOptions::default()
        };
        let entry = Entry {
            payload: None,
            size: row.size,
            enqueued: moment(row.enqueued),
            ready_at: moment(row.ready_at),
            order: 0,
            tokens: row.tokens,
            flow: self.flows.id_of(&options, super::super::owner::NOBODY, &self.limiter),
            priority: row.priority,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            state: State::Scheduled,
            rare: Rare::boxed(row.key, row.deadline.map(moment), row.history),
        };
        match status {
            Status::Waiting | Status::Scheduled => self.adopt(id, entry, now),
            Status::Leased => self.adopt_leased(id, entry, lease_until, now),
            status => self.adopt_finished(id, entry, status, now),
        }
    }
}
