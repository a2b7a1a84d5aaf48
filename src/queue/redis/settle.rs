//! How leases of a server end.

use super::PATIENCE;
use super::RedisQueue;
use crate::queue::core::lost;
use crate::queue::entry::RequestId;
use crate::queue::store::LeaseEnd;
use crate::store::redis::{Arguments, body_of, micros};
use crate::store::redis::{start_on_redis, text_of};
use crate::{Payload, Result};
use std::sync::Arc;
use std::time::Duration;

/// What a settlement is known by when it is sent again.
pub(super) fn nonce() -> String {
    format!("{:x}", rand::random::<u64>())
}

/// A settlement; three arguments of the verb follow.
fn named(verb: &str, id: u64, attempt: u32) -> Arguments {
    Arguments::default().text(verb).text(RequestId(id).to_string()).int(attempt).text(nonce())
}

impl RedisQueue {
    async fn end_named(self: &Arc<Self>, id: u64, attempt: u32, arguments: Arguments) -> Result<()> {
        let reply = self.ask_together(|queue| &queue.settlements, arguments, PATIENCE).await?;
        if text_of(&reply)? == "ok" { Ok(()) } else { Err(lost(id, attempt)) }
    }

    pub(super) async fn end_by_name(self: &Arc<Self>, id: u64, attempt: u32, how: LeaseEnd) -> Result<()> {
        match how {
            LeaseEnd::Ack { result, tokens } => self.ack(id, attempt, result.as_ref(), tokens).await,
            LeaseEnd::Nack { error, delay, retry } => self.nack(id, attempt, &error, delay, retry).await,
        }
    }

    async fn ack(self: &Arc<Self>, id: u64, attempt: u32, result: Option<&Payload>, tokens: Option<u64>) -> Result<()> {
        let arguments = named("ack", id, attempt).flag(result.is_some());
        let arguments = match result {
            Some(result) => arguments.body(body_of(result, self.link.is_binary())),
            None => arguments.text(""),
        };
        self.end_named(id, attempt, arguments.maybe(tokens)).await?;
        self.core.lock().meters.acked += 1;
        Ok(())
    }

    async fn nack(
        self: &Arc<Self>,
        id: u64,
        attempt: u32,
        error: &str,
        delay: Option<Duration>,
        retry: bool,
    ) -> Result<()> {
        let delay = delay.unwrap_or_else(|| self.core.lock().backoff(attempt));
        let arguments = named("nack", id, attempt).text(error).int(micros(delay)).flag(retry);
        self.end_named(id, attempt, arguments).await
    }

    pub(super) async fn extend_by_name(self: &Arc<Self>, id: u64, attempt: u32, by: Duration) -> Result<()> {
        self.end_named(id, attempt, named("extend", id, attempt).int(micros(by)).text("").text("")).await
    }

    /// Gives back what never reached a worker, without waiting for it.
    pub(super) fn return_to_line(self: &Arc<Self>, id: u64, attempt: u32, is_orphan: bool) {
        let inner = Arc::clone(self);
        let started = start_on_redis(async move {
            let arguments = named("back", id, attempt).flag(is_orphan).text("").text("");
            if let Err(error) = inner.end_named(id, attempt, arguments).await {
                tracing::debug!(%error, "a lease was not given back: it ends with its time");
            }
        });
        drop(started);
    }
}
