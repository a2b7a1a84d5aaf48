//! The core as a store.

use super::{CoreQueue, answer};
use crate::queue::entry::{DeadLetter, RequestId, Status};
use crate::queue::options::PutOptions;
use crate::queue::owner::{NOBODY, Who};
use crate::queue::put::refuse_shared_key;
use crate::queue::stats::QueueStats;
use crate::queue::store::{Acked, Handout, LeaseEnd, QueueStore, handout};
use crate::{Payload, Result};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

#[async_trait]
impl QueueStore for Arc<CoreQueue> {
    async fn put(&self, batch: Vec<Payload>, options: PutOptions) -> Result<Vec<RequestId>> {
        refuse_shared_key(&options, batch.len())?;
        let Some(file) = &self.file else { return self.put_in_memory(batch, &options) };
        self.check_open(&self.core.lock())?;
        let put = self.change(file, move |change| change.put(&batch, &options, NOBODY), |_, put| put);
        Ok(answer(put).await??.into_iter().map(RequestId).collect())
    }

    async fn take(&self, most: usize) -> Result<Vec<Handout>> {
        Ok(self.take_or_wait(most, Who::Worker).await?.0.iter().map(handout).collect())
    }

    async fn settle(&self, id: RequestId, attempt: u32, how: LeaseEnd) -> Result<()> {
        self.end_by_name(id.0, attempt, how).await
    }

    async fn extend(&self, id: RequestId, attempt: u32, by: Duration) -> Result<()> {
        self.extend_by_name(id.0, attempt, by).await
    }

    async fn cancel(&self, id: RequestId) -> Result<bool> {
        CoreQueue::cancel(self, id).await
    }

    async fn revive(&self, id: RequestId) -> Result<()> {
        CoreQueue::revive(self, id).await
    }

    async fn look(&self, id: RequestId) -> Result<Option<Status>> {
        self.refresh().await?;
        Ok(self.core.lock().status(id.0))
    }

    async fn result(&self, id: RequestId) -> Result<Option<Acked>> {
        self.refresh().await?;
        self.outcome(id.0)
    }

    async fn dead(&self) -> Result<Vec<DeadLetter>> {
        self.refresh().await?;
        self.dead_letters()
    }

    async fn stats(&self) -> Result<QueueStats> {
        self.refresh().await?;
        Ok(self.counts())
    }

    async fn pause(&self, paused: bool) -> Result<()> {
        self.set_paused(paused).await
    }

    async fn purge(&self) -> Result<()> {
        match &self.file {
            Some(file) => self.purge_all(file).await,
            None => self.refresh().await,
        }
    }

    async fn watch(&self) -> Result<()> {
        let mut others = self.notices()?;
        let (ready, room) = (self.ready.listen(), self.room.listen());
        let next = self.core.lock().next_event();
        let told = async {
            tokio::select! {
                () = ready.notified() => {}
                () = room.notified() => {}
            }
        };
        self.sleep(told, others.as_mut(), next, None).await;
        Ok(())
    }
}
