//! One transaction's worth of deciding, and what is done when it is on disk.

use super::rows::{self, nanos, signed};
use super::{DAMAGED, OWNER_LIVES, QueueFile, beside, gone, replica, takes};
use crate::queue::core::{Core, Departure, HandedOut, Transition};
use crate::queue::entry::Status;
use crate::queue::local::CoreQueue;
use crate::queue::moment::Moment;
use crate::queue::options::PutOptions;
use crate::queue::owner::{GONE, Who};
use crate::queue::stored_request::StoredRequest;
use crate::{Error, Payload, Result};
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What others are to be told when a change is on disk.
#[derive(Debug, Default)]
pub(in crate::queue) struct News {
    /// Requests that have ended.
    pub(in crate::queue) ended: Vec<u64>,
    /// How many more requests may be handed out than before.
    pub(in crate::queue) ready: usize,
}

/// The state inside a transaction: caught up, and the only one to change.
pub(in crate::queue) struct QueueWrite<'a> {
    connection: &'a Connection,
    file: &'a QueueFile,
    pub(in crate::queue) core: &'a mut Core,
    pub(in crate::queue) now: Moment,
    number: Option<i64>,
    pub(in crate::queue) news: News,
}

/// Until it is known that a change is on disk, the copy in memory is not to be believed.
struct Unsure {
    inner: Arc<CoreQueue>,
    sure: bool,
}

impl Drop for Unsure {
    fn drop(&mut self) {
        if !self.sure
            && let Some(file) = &self.inner.file
        {
            file.position.lock().set_stale();
        }
    }
}

impl CoreQueue {
    /// Decides something in a transaction that has taken in what others wrote and what time brought about.
    ///
    /// The answer comes when it is on disk. What has to be undone where nobody waits for it any more, it undoes when it is
    /// dropped. An error of `work` undoes all; a refusal that leaves the rest as it is belongs into its value.
    pub(in crate::queue) fn change<T, U>(
        self: &Arc<Self>,
        file: &QueueFile,
        work: impl FnOnce(&mut QueueWrite<'_>) -> Result<T> + Send + 'static,
        answer: impl FnOnce(&Arc<Self>, T) -> U + Send + 'static,
    ) -> oneshot::Receiver<Result<U>>
    where
        T: Send + 'static,
        U: Send + 'static,
    {
        let (inner, mut unsure) = (Arc::clone(self), Unsure { inner: Arc::clone(self), sure: false });
        file.database.write_then(
            move |connection| {
                let Some(file) = &inner.file else { return Err(inner.closed()) };
                let mut core = inner.core.lock();
                let now = inner.now();
                let mut news = News::default();
                replica::catch_up(connection, &file.queue, &mut core, &mut file.position.lock(), now, &mut news.ended)?;
                let mut change = QueueWrite { connection, file, core: &mut core, now, number: None, news };
                change.settle_due()?;
                let value = work(&mut change)?;
                Ok((value, change.news))
            },
            move |(value, news)| {
                unsure.sure = true;
                unsure.inner.tell(news);
                answer(&unsure.inner, value)
            },
        )
    }
}

impl QueueWrite<'_> {
    /// The number of this change, which tells others what to read.
    fn number(&mut self) -> i64 {
        *self.number.get_or_insert_with(|| {
            let mut position = self.file.position.lock();
            position.change += 1;
            position.change
        })
    }

    /// Writes an open or a dead request as it is now; its payload, if that is whole.
    fn save(&mut self, id: u64) -> Result<Option<Payload>> {
        let record = self.core.record(id).ok_or_else(|| gone(id))?;
        rows::save(self.connection, &self.file.queue, self.number(), &record, self.now, None)
    }

    /// Writes the end of a request that was open.
    fn end(&mut self, mut record: StoredRequest, status: Status, result: Option<&Payload>) -> Result<()> {
        record.status = status;
        record.lease_until = None;
        rows::save(self.connection, &self.file.queue, self.number(), &record, self.now, result)?;
        self.news.ended.push(record.id);
        Ok(())
    }

    fn settle_due(&mut self) -> Result<()> {
        self.core.forget_finished(self.now);
        let me = self.file.owner();
        if self.core.owners.until(me).is_some_and(|until| until < self.now.plus(OWNER_LIVES / 2)) {
            self.renew(me)?;
        }
        self.end_silent_owners()?;
        let wall_ms = self.now.nanos() / 1_000_000;
        while let Some(transition) = self.core.next_due(self.now, wall_ms) {
            self.apply(transition)?;
        }
        Ok(())
    }

    /// Ends the leases of handles that have not said for too long that they live.
    fn end_silent_owners(&mut self) -> Result<()> {
        for owner in self.core.owners.take_silent(self.now) {
            beside::remove_owner(self.connection, &self.file.queue, owner)?;
            for transition in self.core.leases_of(owner, self.now) {
                self.apply(transition)?;
            }
        }
        Ok(())
    }

    /// Moves a request where a transition says, in memory and in the file.
    pub(in crate::queue) fn apply(&mut self, transition: Transition) -> Result<()> {
        let (id, status, before) = (transition.id, transition.status, self.core.record(transition.id));
        self.core.apply(transition, self.now);
        match (status, before) {
            (Status::Done | Status::Cancelled, Some(record)) => self.end(record, status, None),
            (Status::Done | Status::Cancelled, None) => Ok(()),
            _ => {
                self.save(id)?;
                if status == Status::Dead {
                    self.news.ended.push(id);
                } else {
                    self.news.ready += 1;
                }
                Ok(())
            }
        }
    }

    /// Puts requests, all or none; the ids, or why there is no room.
    pub(in crate::queue) fn put(
        &mut self,
        payloads: &[Payload],
        options: &PutOptions,
        owner: u64,
    ) -> Result<Result<Vec<u64>>> {
        if let Some(key) = options.key.as_deref()
            && let Some(id) = rows::id_of_key(self.connection, &self.file.queue, key)?
        {
            return Ok(Ok(vec![id]));
        }
        let bytes = payloads.iter().map(Payload::len).sum();
        if !self.core.has_room(payloads.len(), bytes) {
            return Ok(Err(self.core.full()));
        }
        let mut ids = Vec::with_capacity(payloads.len());
        for payload in payloads {
            let id = {
                let mut position = self.file.position.lock();
                position.id += 1;
                position.id as u64
            };
            self.core.insert(id, None, payload.len(), options, owner, self.now);
            let record = self.core.record(id).ok_or_else(|| gone(id))?;
            rows::insert(self.connection, &self.file.queue, &record, payload)?;
            ids.push(id);
        }
        self.news.ready += ids.len();
        Ok(Ok(ids))
    }

    /// Hands out up to `most` requests. One whose payload is damaged is a dead letter.
    pub(in crate::queue) fn take(&mut self, most: usize, who: Who) -> Result<Vec<HandedOut>> {
        let (mut handed, mut taken) = (Vec::new(), Vec::<Departure>::new());
        while handed.len() < most {
            let Some(mut one) = self.core.pop(self.now, who) else { break };
            if let Who::Heir { heir } = who {
                self.core.inherit(one.id, heir);
                (one.owner, one.is_orphan) = (heir, true);
            }
            one.payload = self.save(one.id)?;
            if one.payload.is_none() {
                tracing::error!(id = one.id, "a stored request is damaged: it is a dead letter now");
                self.apply(self.core.plan_dead(one.id, DAMAGED, self.now))?;
                continue;
            }
            Departure::add(&mut taken, self.core, &one);
            handed.push(one);
        }
        if !taken.is_empty() {
            let mut position = self.file.position.lock();
            takes::write(self.connection, &self.file.queue, &mut position, &taken, self.now)?;
        }
        Ok(handed)
    }

    pub(in crate::queue) fn ack(
        &mut self,
        id: u64,
        attempt: u32,
        result: Option<&Payload>,
        tokens: Option<u64>,
    ) -> Result<Result<()>> {
        let Some(mut record) = self.core.record(id) else { return Ok(Err(crate::queue::core::lost(id, attempt))) };
        if let Err(lost) = self.core.ack(id, attempt, None, tokens, self.now) {
            return Ok(Err(lost));
        }
        record.tokens = tokens.unwrap_or(record.tokens);
        self.end(record, Status::Done, result)?;
        Ok(Ok(()))
    }

    pub(in crate::queue) fn nack(
        &mut self,
        id: u64,
        attempt: u32,
        error: &str,
        delay: Option<Duration>,
        retry: bool,
    ) -> Result<Result<()>> {
        let wall_ms = self.now.nanos() / 1_000_000;
        match self.core.plan_nack(id, attempt, error, delay, retry, self.now, wall_ms) {
            Err(lost) => Ok(Err(lost)),
            Ok(transition) => self.apply(transition).map(Ok),
        }
    }

    pub(in crate::queue) fn extend(&mut self, id: u64, attempt: u32, by: Duration) -> Result<Result<()>> {
        if let Err(lost) = self.core.extend(id, attempt, by, self.now) {
            return Ok(Err(lost));
        }
        self.save(id)?;
        Ok(Ok(()))
    }

    /// Takes a request back that was handed out and never reached a worker. An orphan is one again.
    pub(in crate::queue) fn give_back(&mut self, id: u64, attempt: u32, is_orphan: bool) -> Result<()> {
        if self.core.check_lease(id, attempt, self.now).is_ok() {
            if is_orphan {
                self.core.inherit(id, GONE);
            }
            self.core.give_back(id, attempt, self.now);
            self.save(id)?;
            self.news.ready += 1;
        }
        Ok(())
    }

    /// Cancels an open request; whether it was open.
    pub(in crate::queue) fn cancel(&mut self, id: u64) -> Result<Result<bool>> {
        match self.core.plan_cancel(id, self.now) {
            Err(unknown) => Ok(Err(unknown)),
            Ok(None) => Ok(Ok(false)),
            Ok(Some(transition)) => self.apply(transition).map(|()| Ok(true)),
        }
    }

    pub(in crate::queue) fn requeue(&mut self, id: u64) -> Result<Result<()>> {
        if self.file.position.lock().damaged.contains(&signed(id)) {
            return Ok(Err(Error::invalid(format!("request {id:016x} is {DAMAGED}: it cannot be put back"))));
        }
        if let Err(error) = self.core.requeue(id, self.now) {
            return Ok(Err(error));
        }
        self.save(id)?;
        self.news.ready += 1;
        Ok(Ok(()))
    }

    /// Cancels a request whose caller left.
    pub(in crate::queue) fn leave(&mut self, id: u64, used_tokens: Option<u64>) -> Result<()> {
        let Some(mut record) = self.core.record(id).filter(|record| record.status.is_open()) else { return Ok(()) };
        self.core.leave(id, used_tokens, self.now);
        record.tokens = used_tokens.unwrap_or(record.tokens);
        self.end(record, Status::Cancelled, None)
    }

    /// Writes a request that the core has made wait again.
    pub(in crate::queue) fn saved_again(&mut self, id: u64) -> Result<()> {
        self.save(id)?;
        self.news.ready += 1;
        Ok(())
    }

    /// Says that a handle lives, where it has not said so for a while.
    pub(in crate::queue) fn say_it_lives(&mut self, owner: u64) -> Result<()> {
        let soon = self.now.plus(OWNER_LIVES / 2);
        if self.core.owners.until(owner).is_none_or(|until| until < soon) {
            self.renew(owner)?;
        }
        Ok(())
    }

    /// Says that a handle lives.
    pub(in crate::queue) fn renew(&mut self, owner: u64) -> Result<()> {
        let until = self.now.plus(OWNER_LIVES);
        self.core.owners.renew(owner, until);
        beside::write_owner(self.connection, &self.file.queue, owner, until)
    }

    pub(in crate::queue) fn set_paused(&mut self, paused: bool) -> Result<()> {
        self.core.paused = paused;
        beside::write_paused(self.connection, &self.file.queue, paused)?;
        if !paused {
            self.news.ready += self.core.ready_count();
        }
        Ok(())
    }

    /// Forgets up to `most` requests that were finished long enough ago; whether there may be more. The newest request
    /// and the newest change stay, so that no number is given twice.
    pub(in crate::queue) fn purge(&mut self, without_key: Duration, with_key: Duration, most: usize) -> Result<bool> {
        let before = |keep| nanos(self.now.minus(keep));
        takes::forget_before(self.connection, &self.file.queue, self.now.minus(Duration::from_mins(1)))?;
        let sql =
            "SELECT id FROM requests WHERE queue = ?1 AND status IN (3, 5) AND id < (SELECT max(id) FROM requests)
            AND change < ?2 AND finished < CASE WHEN key IS NULL THEN ?3 ELSE ?4 END LIMIT ?5";
        let position = self.file.position.lock();
        let mut select = self.connection.prepare_cached(sql)?;
        let found = select.query_map(
            params![&*self.file.queue, position.change, before(without_key), before(with_key), most as i64],
            |row| row.get::<_, i64>(0),
        )?;
        let over = found.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut delete = self.connection.prepare_cached("DELETE FROM requests WHERE id = ?1")?;
        let mut deleted = 0;
        for id in over.iter().filter(|id| !position.damaged.contains(id)) {
            deleted += delete.execute([id])?;
        }
        Ok(deleted == most)
    }
}
