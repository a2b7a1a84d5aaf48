//! Putting requests in.

use super::inner::Inner;
use super::journal::{self, Journal, NewRequest};
use super::owner::NOBODY;
use super::{PutOptions, RequestId, RequestQueue};
use crate::{Error, Payload, Result};
use std::time::Duration;

impl RequestQueue {
    /// Puts into a queue in memory, at once.
    ///
    /// # Errors
    /// `QueueFull`, `QueueClosed`; `InvalidArgument` where the queue is durable: a put there waits for the disk.
    pub fn put(&self, payload: Payload, options: &PutOptions) -> Result<RequestId> {
        self.refuse_durable()?;
        let inner = &self.inner;
        let now = inner.now();
        let (mut core, had_to_wait) = match inner.core.try_lock() {
            Some(core) => (core, false),
            None => (inner.core.lock(), true),
        };
        inner.check_open(&core)?;
        if let Some(id) = options.key.as_deref().and_then(|key| core.id_of_key(key)) {
            return Ok(RequestId(id));
        }
        let size = payload.len();
        if !core.has_room(1, size) {
            inner.settle_due(&mut core, now);
            if !core.has_room(1, size) {
                return Err(core.full());
            }
        }
        let id = core.new_id();
        core.insert(id, Some(payload), size, options, NOBODY, now);
        core.meters.count_put(had_to_wait, || inner.now().since(now));
        drop(core);
        inner.ready.wake(1);
        Ok(RequestId(id))
    }

    /// Puts many requests with the same options into a queue in memory at once, all or none. A `key` belongs to one
    /// request: give it with one only.
    ///
    /// # Errors
    /// As [`RequestQueue::put`]; `InvalidArgument` for a key with several payloads.
    pub fn put_many(&self, payloads: Vec<Payload>, options: &PutOptions) -> Result<Vec<RequestId>> {
        self.refuse_durable()?;
        refuse_shared_key(options, payloads.len())?;
        let inner = &self.inner;
        let now = inner.now();
        let mut core = inner.core.lock();
        inner.check_open(&core)?;
        if let Some(id) = options.key.as_deref().and_then(|key| core.id_of_key(key)) {
            return Ok(vec![RequestId(id)]);
        }
        let (count, bytes) = (payloads.len(), total(&payloads));
        if !core.has_room(count, bytes) {
            inner.settle_due(&mut core, now);
            if !core.has_room(count, bytes) {
                return Err(core.full());
            }
        }
        let ids = core.insert_all(payloads, options, now);
        let took = inner.now().since(now);
        core.meters.enqueue.record(took);
        drop(core);
        inner.ready.wake(count);
        Ok(ids.map(RequestId).collect())
    }

    /// Puts one request; waits for room, and where the queue is durable for the disk.
    ///
    /// # Errors
    /// `QueueFull` where there is no room within `timeout` (None waits as long as it takes), `QueueClosed`, `Store`.
    pub async fn put_async(
        &self,
        payload: Payload,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<RequestId> {
        let ids = self.put_many_async(vec![payload], options, timeout).await?;
        ids.into_iter().next().ok_or_else(|| Error::Store("a put gave no id".into()))
    }

    /// Puts many requests with the same options, all or none. A `key` belongs to one request: give it with one only.
    ///
    /// # Errors
    /// As [`RequestQueue::put_async`]; `InvalidArgument` for a key with several payloads.
    pub async fn put_many_async(
        &self,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>> {
        refuse_shared_key(&options, payloads.len())?;
        let inner = &self.inner;
        let started = inner.now();
        let until = timeout.map(|timeout| started.plus(timeout));
        let bytes = total(&payloads);
        loop {
            inner.wait_for_room(payloads.len(), bytes, &options, until).await?;
            if let Some(journal) = &inner.journal {
                return inner.store(journal.as_ref(), payloads, &options).await;
            }
            // Somebody else may have been faster.
            match self.put_many(payloads.clone(), &options) {
                Err(Error::QueueFull(_)) => {}
                other => return other,
            }
        }
    }

    fn refuse_durable(&self) -> Result<()> {
        if self.is_durable() {
            return Err(Error::invalid("a durable put waits for the disk: use put_async or put_many_async"));
        }
        Ok(())
    }
}

impl Inner {
    async fn store(
        &self,
        journal: &dyn Journal,
        payloads: Vec<Payload>,
        options: &PutOptions,
    ) -> Result<Vec<RequestId>> {
        let started = self.now();
        let sizes: Vec<usize> = payloads.iter().map(Payload::len).collect();
        let max_attempts = options.max_attempts.unwrap_or_else(|| self.core.lock().config().max_attempts);
        let new = NewRequest::all(payloads, options, max_attempts, self.wall());
        let stored = journal::answer(journal.put(new)).await?;
        let mut core = self.core.lock();
        let now = self.now();
        for (stored, size) in stored.iter().zip(sizes) {
            if stored.fresh && !core.contains(stored.id) {
                core.insert(stored.id, None, size, options, NOBODY, now);
            }
        }
        core.meters.enqueue.record(now.since(started));
        drop(core);
        self.ready.wake(stored.len());
        Ok(stored.into_iter().map(|stored| RequestId(stored.id)).collect())
    }

    pub(super) async fn wait_for_room(
        &self,
        count: usize,
        bytes: usize,
        options: &PutOptions,
        until: Option<super::moment::Moment>,
    ) -> Result<()> {
        let room = self.room.listen();
        loop {
            let notified = room.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let next = {
                let mut core = self.core.lock();
                self.check_open(&core)?;
                let now = self.now();
                let known = options.key.as_deref().is_some_and(|key| core.id_of_key(key).is_some());
                if known || core.has_room(count, bytes) {
                    return Ok(());
                }
                self.settle_due(&mut core, now);
                if core.has_room(count, bytes) {
                    return Ok(());
                }
                if !core.fits_ever(count, bytes) || until.is_some_and(|until| until <= now) {
                    return Err(core.full());
                }
                core.next_event()
            };
            self.sleep(notified, next, until).await;
            self.sync()?;
        }
    }
}

fn total(payloads: &[Payload]) -> usize {
    payloads.iter().map(Payload::len).sum()
}

fn refuse_shared_key(options: &PutOptions, count: usize) -> Result<()> {
    if options.key.is_some() && count > 1 {
        return Err(Error::invalid("key= names one request: put them one by one, each with its key"));
    }
    Ok(())
}
