//! What a server hands out.

use super::RedisQueue;
use super::put::{id_of, owner_text};
use super::{LEAST_PATIENCE, PATIENCE_OF_A_WORKER, TAKE, patience};
use crate::queue::Lease;
use crate::queue::core::HandedOut;
use crate::queue::moment::Moment;
use crate::queue::options::Priority;
use crate::queue::owner::Who;
use crate::store::redis::{Arguments, micros, payload_of, unescaped};
use crate::store::redis::{bytes_of, int_of, list_of, on_redis, text_of};
use crate::{Error, Result};
use redis::Value;
use std::sync::Arc;
use std::time::Duration;

/// How many requests leave with one command.
const MOST_AT_ONCE: usize = 1000;
/// What stands in an answer for each request.
const FIELDS: usize = 9;

impl RedisQueue {
    /// What there is now, and how long until there may be more. Leases that nobody waits for any more are given back.
    pub(super) async fn take_once(
        self: &Arc<Self>,
        most: usize,
        who: Who,
        patience: Duration,
    ) -> Result<(Vec<Lease>, Option<Duration>)> {
        self.check_open(&self.core.lock())?;
        let inner = Arc::clone(self);
        on_redis(async move {
            let (handed, next) = inner.handed_out(most, who, patience).await?;
            Ok((handed.into_iter().map(|handed| inner.lease(handed)).collect(), next))
        })
        .await
    }

    pub(super) async fn handed_out(
        self: &Arc<Self>,
        most: usize,
        who: Who,
        patience: Duration,
    ) -> Result<(Vec<HandedOut>, Option<Duration>)> {
        let (kind, me, workers) = match who {
            Who::Worker => ("w", String::new(), false),
            Who::Owner { owner, workers } => ("o", owner_text(owner), workers),
            Who::Heir { heir } => ("h", owner_text(heir), false),
        };
        let lease = micros(self.core.lock().config().lease);
        let arguments = Arguments::default()
            .int(most.min(MOST_AT_ONCE))
            .int(lease)
            .text(kind)
            .text(me)
            .flag(workers)
            .all(&self.limits);
        let reply = self.run(&TAKE, &arguments, patience).await?;
        let [next, handed] = list_of(&reply)? else {
            return Err(Error::Store("a take was not answered in a form that is known".into()));
        };
        let next = u64::try_from(int_of(next)?).ok().map(Duration::from_micros);
        let is_orphan = matches!(who, Who::Heir { .. });
        let mut core = self.core.lock();
        let mut out = Vec::new();
        for fields in list_of(handed)?.chunks_exact(FIELDS) {
            let tenant = unescaped(text_of(&fields[3])?);
            let mut handed = handout(fields, core.flow_of(&tenant), self.now())?;
            handed.is_orphan = is_orphan;
            core.meters.wait.record(handed.waited);
            out.push(handed);
        }
        Ok((out, next))
    }

    /// Hands out up to `most` requests, waiting for the first.
    pub(super) async fn take_and_wait(
        self: &Arc<Self>,
        most: usize,
        timeout: Option<Duration>,
        who: Who,
    ) -> Result<Vec<Lease>> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        let ready = self.ready.listen();
        loop {
            let notified = ready.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let left = until.map(|until| until.since(self.now()));
            let (leases, next) = self.take_once(most, who, patience(left, PATIENCE_OF_A_WORKER)).await?;
            if !leases.is_empty() {
                // One that was served wakes the next: there may be more.
                self.ready.wake(1);
                return Ok(leases);
            }
            if until.is_some_and(|until| until <= self.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("queue {:?} gave no request within {waited} s", self.name)));
            }
            if self.hear(LEAST_PATIENCE).await? {
                continue;
            }
            self.sleep(notified, next, until).await;
        }
    }
}

fn handout(fields: &[Value], flow: crate::queue::flow::FlowId, since: Moment) -> Result<HandedOut> {
    let owner = text_of(&fields[4])?.rsplit('\u{2}').next().unwrap_or_default();
    let enqueued = Duration::from_micros(int_of(&fields[5])? as u64);
    let tokens = int_of(&fields[7])? as u64;
    Ok(HandedOut {
        id: id_of(&fields[0])?.0,
        attempt: int_of(&fields[1])? as u32,
        payload: Some(payload_of(bytes_of(&fields[8])?)?),
        priority: Priority::from_index(int_of(&fields[2])?)?,
        flow,
        owner: owner.parse().unwrap_or(crate::queue::owner::NOBODY),
        is_orphan: false,
        class: 0,
        tokens,
        enqueued: enqueued.into(),
        waited: Duration::from_micros(int_of(&fields[6])? as u64),
        since,
    })
}
