//! How requests go out, and what becomes of them there.

use super::super::entry::{Failure, QueuedRequest, Rare, RequestId, State, Status};
use super::super::moment::Moment;
use super::super::owner::{NOBODY, Taker, Who};
use super::look::unknown;
use super::{Core, HandedOut, Transition};
use crate::{Error, Payload, Result};
use rand::Rng;
use std::time::Duration;

/// The first step of the backoff, and its longest.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(10);

impl Core {
    /// Hands out the next request that is for `who`.
    pub(in crate::queue) fn pop(&mut self, now: Moment, who: Who) -> Option<HandedOut> {
        let handed = self.pop_unmetered(now, who)?;
        self.meters.wait.record(handed.waited);
        Some(handed)
    }

    /// Hands out up to `most` requests.
    pub(in crate::queue) fn pop_many(&mut self, most: usize, now: Moment, who: Who, mut out: impl FnMut(HandedOut)) {
        // What was put together has waited equally long, and is counted together.
        let (mut waited, mut count) = (Duration::ZERO, 0);
        for _ in 0..most {
            let Some(handed) = self.pop_unmetered(now, who) else { break };
            if handed.waited != waited && count > 0 {
                self.meters.wait.record_n(waited, count);
                count = 0;
            }
            waited = handed.waited;
            count += 1;
            out(handed);
        }
        if count > 0 {
            self.meters.wait.record_n(waited, count);
        }
    }

    fn pop_unmetered(&mut self, now: Moment, who: Who) -> Option<HandedOut> {
        if self.paused {
            return None;
        }
        let (flow, ready, class) =
            self.schedule.pop(now, &self.flows, &mut self.limiter, Taker { who, owners: &self.owners, now })?;
        let owner = self.flows.owner(flow);
        let entry = self.entries.get_mut(ready.id)?;
        entry.attempt += 1;
        // Who waits for a turn of its own holds it as long as it lives.
        let expires = if owner == NOBODY { now.plus(self.config.lease) } else { Moment::NEVER };
        entry.state = State::Leased { expires, since: now, here: true };
        let waited = now.since(entry.ready_at);
        let handed = HandedOut {
            id: ready.id,
            attempt: entry.attempt,
            payload: entry.payload.clone(),
            priority: entry.priority,
            flow,
            owner,
            is_orphan: false,
            class,
            tokens: ready.tokens,
            enqueued: entry.enqueued,
            waited,
            since: now,
        };
        self.counts[Status::Waiting as usize] -= 1;
        self.counts[Status::Leased as usize] += 1;
        self.limiter.take(self.flows.gauges(flow), ready.id, ready.tokens, now);
        self.watch_lease(ready.id, handed.attempt, expires);
        Some(handed)
    }

    /// Refuses a lease that is over.
    pub(in crate::queue) fn check_lease(&self, id: u64, attempt: u32, now: Moment) -> Result<()> {
        let held = self.entries.get(id).is_some_and(|entry| is_held(entry, attempt, now));
        if held { Ok(()) } else { Err(lost(id, attempt)) }
    }

    pub(in crate::queue) fn ack(
        &mut self,
        id: u64,
        attempt: u32,
        result: Option<Payload>,
        tokens: Option<u64>,
        now: Moment,
    ) -> Result<()> {
        self.check_lease(id, attempt, now)?;
        let Some(entry) = self.entries.remove(id) else { return Err(lost(id, attempt)) };
        self.withdraw(id, &entry, tokens, now);
        self.finish(id, entry, Status::Done, result, now);
        self.meters.acked += 1;
        Ok(())
    }

    pub(in crate::queue) fn extend(&mut self, id: u64, attempt: u32, by: Duration, now: Moment) -> Result<()> {
        let held = self.entries.get_mut(id).filter(|entry| is_held(entry, attempt, now));
        let Some(QueuedRequest { state: State::Leased { expires, .. }, .. }) = held else {
            return Err(lost(id, attempt));
        };
        let until = now.plus(by);
        *expires = until;
        self.watch_lease(id, attempt, until);
        Ok(())
    }

    /// Takes an entry out of the index of its state.
    fn withdraw(&mut self, id: u64, entry: &QueuedRequest, actual_tokens: Option<u64>, now: Moment) {
        self.counts[entry.state.status() as usize] -= 1;
        match entry.state {
            State::Waiting => self.schedule.remove(entry.flow, entry.priority.index(), entry.order),
            State::Leased { since, here, .. } => {
                if here {
                    self.meters.run.record(now.since(since));
                }
                self.limiter.settle(self.flows.gauges(entry.flow), id, actual_tokens);
            }
            State::Scheduled | State::Dead => {}
        }
    }

    /// Ends an open entry that no index knows any more.
    pub(super) fn finish(
        &mut self,
        id: u64,
        mut entry: QueuedRequest,
        status: Status,
        result: Option<Payload>,
        now: Moment,
    ) {
        self.bytes -= entry.size;
        if status == Status::Dead {
            entry.state = State::Dead;
            self.counts[Status::Dead as usize] += 1;
            self.entries.insert(id, entry);
        } else if status == Status::Done && result.is_none() && self.flows.owner(entry.flow) != NOBODY {
            self.finished.insert_turn(id, now);
        } else {
            self.finished.insert(id, status, result, entry.rare.and_then(|rare| rare.key), now);
        }
    }

    /// What a nack will do; `apply` does it. Apart, so that a store can be asked between the two.
    pub(in crate::queue) fn plan_nack(
        &mut self,
        id: u64,
        attempt: u32,
        error: &str,
        delay: Option<Duration>,
        retry: bool,
        now: Moment,
        wall_ms: u64,
    ) -> Result<Transition> {
        self.check_lease(id, attempt, now)?;
        let backoff = delay.unwrap_or_else(|| self.backoff(attempt));
        let Some(entry) = self.entries.get(id) else { return Err(lost(id, attempt)) };
        let mut history = entry.history().to_vec();
        history.push(Failure { attempt, error: error.to_owned(), at_ms: wall_ms });
        let again = retry && attempt < entry.max_attempts;
        let status = if again { Status::Scheduled } else { Status::Dead };
        Ok(Transition { id, status, ready_at: now.plus(backoff), history, result: None })
    }

    /// Exponential from one second, with full jitter (Brooker, AWS Architecture Blog, 2015).
    pub(in crate::queue) fn backoff(&mut self, attempt: u32) -> Duration {
        let longest = BACKOFF_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(BACKOFF_MAX);
        longest.mul_f64(self.jitter.random())
    }

    /// Moves an open entry where a transition says.
    pub(in crate::queue) fn apply(&mut self, transition: Transition, now: Moment) {
        let Transition { id, status, ready_at, history, result, .. } = transition;
        let Some(mut entry) = self.take_open(id, None, now) else { return };
        entry.ready_at = ready_at;
        let Rare { key, deadline, .. } = entry.rare.take().map(|rare| *rare).unwrap_or_default();
        entry.rare = Rare::boxed(key, deadline, history);
        if status.is_open() {
            self.meters.retried += 1;
            self.make_ready(id, &mut entry, now);
            self.entries.insert(id, entry);
        } else {
            self.finish(id, entry, status, result, now);
        }
    }

    pub(super) fn take_open(&mut self, id: u64, actual_tokens: Option<u64>, now: Moment) -> Option<QueuedRequest> {
        self.entries.get(id).filter(|entry| entry.state != State::Dead)?;
        let entry = self.entries.remove(id)?;
        self.withdraw(id, &entry, actual_tokens, now);
        Some(entry)
    }

    /// Takes back a request that was handed out but never reached a worker: as if it had not left.
    pub(in crate::queue) fn give_back(&mut self, id: u64, attempt: u32, now: Moment) {
        if self.check_lease(id, attempt, now).is_err() {
            return;
        }
        if let Some(mut entry) = self.take_open(id, Some(0), now) {
            entry.attempt -= 1;
            self.make_ready(id, &mut entry, now);
            self.entries.insert(id, entry);
        }
    }

    /// Takes a dead letter back, with all its attempts before it.
    pub(in crate::queue) fn requeue(&mut self, id: u64, now: Moment) -> Result<()> {
        let status = self.status(id).ok_or_else(|| unknown(id))?;
        let Some(mut entry) = (status == Status::Dead).then(|| self.entries.remove(id)).flatten() else {
            return Err(Error::invalid(format!(
                "request {} is {}: only a dead one can be requeued",
                RequestId(id),
                status.name()
            )));
        };
        entry.attempt = 0;
        entry.ready_at = now;
        entry.order = 0;
        if let Some(rare) = &mut entry.rare {
            rare.deadline = None;
        }
        self.bytes += entry.size;
        self.counts[Status::Dead as usize] -= 1;
        self.make_ready(id, &mut entry, now);
        self.entries.insert(id, entry);
        Ok(())
    }
}

fn is_held(entry: &QueuedRequest, attempt: u32, now: Moment) -> bool {
    entry.attempt == attempt && matches!(entry.state, State::Leased { expires, .. } if expires > now)
}

pub(in crate::queue) fn lost(id: u64, attempt: u32) -> Error {
    Error::LeaseLost(format!(
        "the lease of request {} (attempt {attempt}) is over: it was settled, expired or cancelled; extend a lease in time, or raise lease_seconds",
        RequestId(id)
    ))
}
