//! Putting requests in.

use super::inner::{QueueInner, answer};
use super::owner::NOBODY;
use super::sqlite::QueueFile;
use super::{PutOptions, RequestId, RequestQueue};
use crate::{Error, Payload, Result};
use std::sync::Arc;
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
        if self.inner.remote.is_some() {
            return Box::pin(self.inner.put_remote(payloads, options, timeout, true)).await;
        }
        if let Some(file) = &self.inner.file {
            return self.inner.put_on(file, payloads, options, timeout).await;
        }
        let inner = &self.inner;
        let until = timeout.map(|timeout| inner.now().plus(timeout));
        let bytes = total(&payloads);
        loop {
            inner.wait_for_room(payloads.len(), bytes, &options, until).await?;
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

impl QueueInner {
    /// Puts into a file: whether there is room is known inside the write alone.
    async fn put_on(
        self: &Arc<Self>,
        file: &QueueFile,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>> {
        let started = self.now();
        let until = timeout.map(|timeout| started.plus(timeout));
        let (count, bytes) = (payloads.len(), total(&payloads));
        let (payloads, options) = (Arc::new(payloads), Arc::new(options));
        // A queue without bounds has room: nobody need be told of any.
        let room = self.bounded.then(|| self.room.listen());
        let mut others = None;
        loop {
            self.check_open(&self.core.lock())?;
            let notified = room.as_ref().map(super::signal::Listener::notified);
            tokio::pin!(notified);
            if let Some(notified) = notified.as_mut().as_pin_mut() {
                notified.enable();
            }
            let (given, with) = (Arc::clone(&payloads), Arc::clone(&options));
            let put = self.change(file, move |change| change.put(&given, &with, NOBODY), |_, put| put);
            match answer(put).await? {
                Ok(ids) => {
                    let mut core = self.core.lock();
                    let took = self.now().since(started);
                    core.meters.enqueue.record(took);
                    return Ok(ids.into_iter().map(RequestId).collect());
                }
                Err(full) => {
                    let core = self.core.lock();
                    if !core.fits_ever(count, bytes) || until.is_some_and(|until| until <= self.now()) {
                        return Err(full);
                    }
                }
            }
            if others.is_none() {
                others = self.watch()?;
                continue;
            }
            let next = self.core.lock().next_event();
            let notified = async {
                match notified.as_pin_mut() {
                    Some(notified) => notified.await,
                    None => std::future::pending().await,
                }
            };
            self.sleep(notified, others.as_mut(), next, until).await;
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
        }
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
            self.sleep(notified, None, next, until).await;
        }
    }
}

fn total(payloads: &[Payload]) -> usize {
    payloads.iter().map(Payload::len).sum()
}

pub(super) fn refuse_shared_key(options: &PutOptions, count: usize) -> Result<()> {
    if options.key.is_some() && count > 1 {
        return Err(Error::invalid("key= names one request: put them one by one, each with its key"));
    }
    Ok(())
}
