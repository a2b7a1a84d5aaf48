//! Putting requests into the core, and into its file.

use super::{CoreQueue, answer};
use crate::queue::backend::has_to_wait;
use crate::queue::moment::Moment;
use crate::queue::owner::NOBODY;
use crate::queue::put::refuse_shared_key;
use crate::queue::sqlite::QueueFile;
use crate::queue::{PutOptions, RequestId};
use crate::{Error, Payload, Result};
use std::sync::Arc;
use std::time::Duration;

impl CoreQueue {
    pub(super) fn put_one_in_memory(&self, payload: Payload, options: &PutOptions) -> Result<RequestId> {
        self.refuse_durable_put()?;
        let now = self.now();
        let (mut core, had_to_wait) = match self.core.try_lock() {
            Some(core) => (core, false),
            None => (self.core.lock(), true),
        };
        self.check_open(&core)?;
        if let Some(id) = options.key.as_deref().and_then(|key| core.id_of_key(key)) {
            return Ok(RequestId(id));
        }
        let size = payload.len();
        if !core.has_room(1, size) {
            self.settle_due(&mut core, now);
            if !core.has_room(1, size) {
                return Err(core.full());
            }
        }
        let id = core.new_id();
        core.insert(id, Some(payload), size, options, NOBODY, now);
        core.meters.count_put(had_to_wait, || self.now().since(now));
        drop(core);
        self.ready.wake(1);
        Ok(RequestId(id))
    }

    pub(super) fn put_in_memory(&self, payloads: Vec<Payload>, options: &PutOptions) -> Result<Vec<RequestId>> {
        self.refuse_durable_put()?;
        refuse_shared_key(options, payloads.len())?;
        let now = self.now();
        let mut core = self.core.lock();
        self.check_open(&core)?;
        if let Some(id) = options.key.as_deref().and_then(|key| core.id_of_key(key)) {
            return Ok(vec![RequestId(id)]);
        }
        let (count, bytes) = (payloads.len(), total(&payloads));
        if !core.has_room(count, bytes) {
            self.settle_due(&mut core, now);
            if !core.has_room(count, bytes) {
                return Err(core.full());
            }
        }
        let ids = core.insert_all(payloads, options, now);
        let took = self.now().since(now);
        core.meters.enqueue.record(took);
        drop(core);
        self.ready.wake(count);
        Ok(ids.map(RequestId).collect())
    }

    pub(super) async fn put_and_wait(
        &self,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        let bytes = total(&payloads);
        loop {
            self.wait_for_room(payloads.len(), bytes, &options, until).await?;
            // Somebody else may have been faster.
            match self.put_in_memory(payloads.clone(), &options) {
                Err(Error::QueueFull(_)) => {}
                other => return other,
            }
        }
    }

    fn refuse_durable_put(&self) -> Result<()> {
        if self.file.is_some() {
            return Err(has_to_wait("put", "put_async or put_many_async"));
        }
        Ok(())
    }

    /// Puts into a file: whether there is room is known inside the write alone.
    pub(super) async fn put_on(
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
            let notified = room.as_ref().map(crate::queue::signal::Listener::notified);
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
                others = self.notices()?;
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
        until: Option<Moment>,
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
