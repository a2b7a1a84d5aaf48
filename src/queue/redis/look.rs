//! What a server knows of requests, and what an operator does to them.

use super::RedisQueue;
use super::put::id_of;
use super::{LEAST_PATIENCE, LOOK, PATIENCE, patience};
use crate::queue::core::unknown;
use crate::queue::entry::{DeadLetter, Failure, RequestId, Status};
use crate::queue::options::Priority;
use crate::queue::stats::QueueStats;
use crate::queue::store::Acked;
use crate::store::redis::{Arguments, payload_of, unescaped};
use crate::store::redis::{bytes_of, int_of, list_of, text_of};
use crate::{Error, Payload, Result};
use redis::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How many finished requests are forgotten with one command.
const PURGE_AT_ONCE: usize = 1000;

impl RedisQueue {
    async fn look(self: &Arc<Self>, verb: &str, argument: &str) -> Result<Value> {
        self.ask(&LOOK, Arguments::default().text(verb).text(argument), PATIENCE).await
    }

    pub(super) async fn status(self: &Arc<Self>, id: u64) -> Result<Option<Status>> {
        let status = int_of(&self.look("status", &RequestId(id).to_string()).await?)?;
        Ok(usize::try_from(status).ok().and_then(|status| Status::ALL.get(status).copied()))
    }

    /// How many are open, and how long until time may change that.
    pub(super) async fn open_now(self: &Arc<Self>) -> Result<(usize, Option<Duration>)> {
        let reply = self.look("open", "").await?;
        match list_of(&reply)? {
            [open, next] => Ok((int_of(open)? as usize, span(next)?)),
            _ => Err(strange()),
        }
    }

    pub(super) async fn withdraw(self: &Arc<Self>, id: u64) -> Result<bool> {
        match int_of(&self.look("cancel", &RequestId(id).to_string()).await?)? {
            1 => {
                self.turns.forget(id);
                Ok(true)
            }
            0 => Ok(false),
            _ => Err(unknown(id)),
        }
    }

    pub(super) async fn put_back(self: &Arc<Self>, id: u64) -> Result<()> {
        let reply = self.look("revive", &RequestId(id).to_string()).await?;
        let Value::Int(status) = reply else { return Ok(()) };
        match usize::try_from(status).ok().and_then(|status| Status::ALL.get(status)) {
            None => Err(unknown(id)),
            Some(status) => Err(Error::invalid(format!(
                "request {} is {}: only a dead one can be requeued",
                RequestId(id),
                status.name()
            ))),
        }
    }

    pub(super) async fn set_paused(self: &Arc<Self>, paused: bool) -> Result<()> {
        self.look("pause", if paused { "1" } else { "0" }).await.map(drop)
    }

    pub(super) async fn forget_finished(self: &Arc<Self>) -> Result<()> {
        while int_of(&self.look("purge", &PURGE_AT_ONCE.to_string()).await?)? as usize == PURGE_AT_ONCE {}
        Ok(())
    }

    pub(super) async fn dead_letters(self: &Arc<Self>) -> Result<Vec<DeadLetter>> {
        list_of(&self.look("dead", "").await?)?.iter().map(letter).collect()
    }

    /// What the ack was given; None while it is open, with how long until time may change that.
    pub(super) async fn outcome(
        self: &Arc<Self>,
        id: u64,
        awaited: bool,
        patience: Duration,
    ) -> Result<(Option<Acked>, Option<Duration>)> {
        let name = RequestId(id);
        let arguments = Arguments::default().text("result").text(name.to_string()).flag(awaited);
        let reply = self.ask(&LOOK, arguments, patience).await?;
        let (verb, rest) = list_of(&reply)?.split_first().ok_or_else(strange)?;
        match (text_of(verb)?, rest) {
            ("open", [next]) => Ok((None, span(next)?)),
            ("done", []) => Ok((Some(Acked { result: None }), None)),
            ("done", [result]) => Ok((Some(Acked { result: Some(payload_of(bytes_of(result)?)?) }), None)),
            ("cancelled", _) => Err(Error::RequestCancelled(format!("request {name} was cancelled"))),
            ("dead", [attempts, reason]) => Err(Error::RequestFailed(format!(
                "request {name} is dead after {} attempts: {}; see dead(), or put it back with requeue()",
                int_of(attempts)?,
                String::from_utf8_lossy(bytes_of(reason)?)
            ))),
            ("unknown", _) => Err(unknown(id)),
            _ => Err(strange()),
        }
    }

    pub(super) async fn await_result(
        self: &Arc<Self>,
        id: RequestId,
        timeout: Option<Duration>,
    ) -> Result<Option<Payload>> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        let expected = self.outcomes.expect(id.0);
        loop {
            let notified = expected.finished.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            self.check_open(&self.core.lock())?;
            let left = until.map(|until| until.since(self.now()));
            let (acked, next) = self.outcome(id.0, true, patience(left, PATIENCE)).await?;
            if let Some(acked) = acked {
                return Ok(acked.result);
            }
            if until.is_some_and(|until| until <= self.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("request {id} was not finished within {waited} s")));
            }
            if self.hear(LEAST_PATIENCE).await? {
                continue;
            }
            self.sleep(notified, next, until).await;
        }
    }

    pub(super) async fn await_idle(self: &Arc<Self>, timeout: Option<Duration>) -> Result<()> {
        let until = timeout.map(|timeout| self.now().plus(timeout));
        let idle = self.idle.listen();
        loop {
            let notified = idle.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            self.check_open(&self.core.lock())?;
            let (open, next) = self.open_now().await?;
            if open == 0 {
                return Ok(());
            }
            if until.is_some_and(|until| until <= self.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("{open} requests were still open after {waited} s")));
            }
            if self.hear(LEAST_PATIENCE).await? {
                continue;
            }
            self.sleep(notified, next, until).await;
        }
    }

    pub(super) async fn shared_counts(self: &Arc<Self>) -> Result<QueueStats> {
        let reply = self.look("stats", "").await?;
        let [meta, waiting, dead] = list_of(&reply)? else { return Err(strange()) };
        let fields: HashMap<&str, usize> = list_of(meta)?
            .chunks_exact(2)
            .filter_map(|pair| Some((text_of(&pair[0]).ok()?, usize::try_from(int_of(&pair[1]).ok()?).ok()?)))
            .collect();
        let (waiting, dead) = (int_of(waiting)? as usize, int_of(dead)? as usize);
        let of = |field: &str| fields.get(field).copied().unwrap_or_default();
        let here = self.counts();
        let mut by_tenant: Vec<(Arc<str>, usize)> = fields
            .iter()
            .filter_map(|(field, open)| Some((Arc::from(&*unescaped(field.strip_prefix('t')?)), *open)))
            .filter(|(_, open)| *open > 0)
            .collect();
        by_tenant.sort();
        Ok(QueueStats {
            by_status: Status::ALL.map(|status| match status {
                Status::Waiting => (status, waiting),
                Status::Dead => (status, dead),
                other => (status, of(&format!("s{}", other as usize))),
            }),
            by_priority: std::array::from_fn(|priority| of(&format!("p{priority}"))),
            by_tenant,
            bytes: of("bytes"),
            retried: of("retried") as u64,
            expired: of("expired") as u64,
            paused: of("paused") == 1,
            ..here
        })
    }
}

fn letter(value: &Value) -> Result<DeadLetter> {
    let [id, priority, tenant, history, body] = list_of(value)? else { return Err(strange()) };
    let failure = |value: &Value| -> Result<Failure> {
        let [attempt, error, at_ms] = list_of(value)? else { return Err(strange()) };
        Ok(Failure {
            attempt: int_of(attempt)? as u32,
            error: String::from_utf8_lossy(bytes_of(error)?).into_owned(),
            at_ms: int_of(at_ms)? as u64,
        })
    };
    let history = list_of(history)?.iter().map(failure).collect::<Result<Vec<_>>>()?;
    Ok(DeadLetter {
        id: id_of(id)?,
        payload: payload_of(bytes_of(body)?).ok(),
        priority: Priority::from_index(int_of(priority)?)?,
        tenant: Arc::from(&*unescaped(text_of(tenant)?)),
        reason: history.last().map(|failure| failure.error.clone()).unwrap_or_default(),
        history,
    })
}

fn span(value: &Value) -> Result<Option<Duration>> {
    Ok(u64::try_from(int_of(value)?).ok().map(Duration::from_micros))
}

fn strange() -> Error {
    Error::Store("a question was not answered in a form that is known".into())
}
