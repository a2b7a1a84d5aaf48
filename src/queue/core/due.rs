//! What time alone brings about: scheduled work, deadlines, leases that run out, results that are forgotten.

use super::super::entry::{Failure, State, Status};
use super::super::moment::Moment;
use super::look::unknown;
use super::{Core, Entries, Transition};
use crate::Result;

impl Core {
    /// The next thing whose time came, as a transition to store and apply. Call until it gives None.
    pub(in crate::queue) fn next_due(&mut self, now: Moment, wall_ms: u64) -> Option<Transition> {
        let entries = &self.entries;
        if let Some((_, id)) = self.scheduled.pop_due(now, |at, id| is_scheduled(entries, at, id)) {
            return Some(self.plan(id, Status::Waiting, None, now, wall_ms));
        }
        if let Some((_, id)) = self.deadlines.pop_due(now, |at, id| is_bounded(entries, at, id)) {
            return Some(self.plan(id, Status::Dead, Some("deadline"), now, wall_ms));
        }
        let leased = |at, (id, attempt)| is_leased(entries, at, id, attempt);
        if let Some((_, (id, attempt))) = self.leases.pop_due(now, leased) {
            self.meters.expired += 1;
            let last = self.entries.get(id).is_some_and(|entry| attempt >= entry.max_attempts);
            let status = if last { Status::Dead } else { Status::Waiting };
            return Some(self.plan(id, status, Some("lease expired"), now, wall_ms));
        }
        None
    }

    pub(super) fn plan(&self, id: u64, status: Status, error: Option<&str>, now: Moment, wall_ms: u64) -> Transition {
        let (mut history, attempt, ready_at) = self
            .entries
            .get(id)
            .map(|entry| (entry.history().to_vec(), entry.attempt, entry.ready_at))
            .unwrap_or_default();
        if let Some(error) = error {
            history.push(Failure { attempt, error: error.to_owned(), at_ms: wall_ms });
        }
        Transition { id, status, ready_at: ready_at.min(now), history, result: None }
    }

    /// Cancels an open request, wherever it is; None where it was not open.
    pub(in crate::queue) fn plan_cancel(&self, id: u64, now: Moment) -> Result<Option<Transition>> {
        let status = self.status(id).ok_or_else(|| unknown(id))?;
        Ok(status.is_open().then(|| self.plan(id, Status::Cancelled, None, now, 0)))
    }

    /// Forgets what was finished long enough ago.
    pub(in crate::queue) fn forget_finished(&mut self, now: Moment) {
        while let Some((id, key)) = self.finished.expire(now) {
            if let Some(key) = key
                && self.keys.get(&key) == Some(&id)
            {
                self.keys.remove(&key);
            }
        }
    }

    /// Whether `next_due` may have something now.
    pub(in crate::queue) fn is_something_due(&self, now: Moment) -> bool {
        self.leases.is_due(now)
            || self.scheduled.is_due(now)
            || self.deadlines.is_due(now)
            || self.owners.next_silence().is_some_and(|at| at <= now)
    }

    /// When `next_due` or `pop` may have something that they have not now.
    pub(in crate::queue) fn next_event(&self) -> Option<Moment> {
        let room = if self.schedule.len() > 0 { self.limiter.next_room() } else { None };
        let silence = self.owners.next_silence();
        [self.scheduled.next_due(), self.deadlines.next_due(), self.leases.next_due(), room, silence]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Whether an open entry has that deadline still: a requeued one has none.
pub(super) fn is_bounded(entries: &Entries, due: Moment, id: u64) -> bool {
    entries.get(id).is_some_and(|entry| entry.state != State::Dead && entry.deadline() == Some(due))
}

pub(super) fn is_scheduled(entries: &Entries, due: Moment, id: u64) -> bool {
    entries.get(id).is_some_and(|entry| entry.state == State::Scheduled && entry.ready_at == due)
}

pub(super) fn is_leased(entries: &Entries, due: Moment, id: u64, attempt: u32) -> bool {
    entries.get(id).is_some_and(|entry| {
        entry.attempt == attempt && matches!(entry.state, State::Leased { expires, .. } if expires == due)
    })
}
