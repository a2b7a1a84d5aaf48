//! Putting requests on a server.

use super::RedisQueue;
use super::{LEAST_PATIENCE, PATIENCE, patience};
use crate::queue::entry::RequestId;
use crate::queue::options::PutOptions;
use crate::queue::owner::NOBODY;
use crate::store::redis::{Arguments, body_of, escaped, micros};
use crate::store::redis::{int_of, list_of, text_of};
use crate::{Error, Payload, Result};
use redis::Value;
use std::sync::Arc;
use std::time::Duration;

/// Where a request goes, as the scripts keep it; the owner follows.
pub(super) fn way(options: &PutOptions) -> String {
    let name = |name: &Option<Arc<str>>| name.as_deref().map(|name| escaped(name).into_owned()).unwrap_or_default();
    format!("{}\u{2}{}", name(&options.provider), name(&options.model))
}

pub(super) fn owner_text(owner: u64) -> String {
    if owner == NOBODY { String::new() } else { owner.to_string() }
}

impl RedisQueue {
    /// Puts once: the ids, or why there is no room.
    pub(super) async fn put_once(
        self: &Arc<Self>,
        ids: &[RequestId],
        payloads: &[Payload],
        options: &PutOptions,
        owner: u64,
        patience: Duration,
    ) -> Result<Result<Vec<RequestId>>> {
        let is_binary = self.link.is_binary();
        let bodies: Vec<_> = payloads.iter().map(|payload| body_of(payload, is_binary)).collect();
        // As the script counts them: without the byte that says their kind.
        let bytes: usize = bodies.iter().map(|body| body.len() - 1).sum();
        let mut arguments = {
            let core = self.core.lock();
            self.check_open(&core)?;
            let config = core.config();
            Arguments::default()
                .maybe(config.max_size)
                .maybe(config.max_bytes)
                .int(options.priority.index())
                .text(escaped(options.tenant.as_deref().unwrap_or("default")))
                .text(format!("{}\u{2}{}", way(options), owner_text(owner)))
                .int(options.estimated_tokens)
                .text(options.key.as_deref().unwrap_or_default())
                .int(options.max_attempts.unwrap_or(config.max_attempts))
                .int(micros(options.delay))
                .maybe(options.deadline.map(micros))
                .int(bytes)
                .text(owner_text(owner))
                .int(ids.len())
        };
        for (id, body) in ids.iter().zip(bodies) {
            arguments = arguments.text(id.to_string()).body(body);
        }
        let reply = self.ask_together(|queue| &queue.puts, arguments, patience).await?;
        let reply = list_of(&reply)?;
        match reply {
            [answer, ids] if text_of(answer)? == "ok" => {
                Ok(Ok(list_of(ids)?.iter().map(id_of).collect::<Result<_>>()?))
            }
            [_, open, bytes] => {
                let (open, bytes) = (int_of(open)? as usize, int_of(bytes)? as usize);
                Ok(Err(self.core.lock().full_at(open, bytes)))
            }
            _ => Err(Error::Store("a put was not answered in a form that is known".into())),
        }
    }

    /// Puts, all or none; waits for room. Without `wait`, there is room now or none.
    pub(super) async fn put_and_wait(
        self: &Arc<Self>,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
        wait: bool,
    ) -> Result<Vec<RequestId>> {
        let started = self.now();
        let until = timeout.map(|timeout| started.plus(timeout));
        let (count, bytes) = (payloads.len(), payloads.iter().map(Payload::len).sum());
        // The same ids however often it is sent: what arrived and was not answered is not put again.
        let ids: Vec<RequestId> = payloads.iter().map(|_| RequestId(rand::random::<u64>().max(1))).collect();
        let room = self.room.listen();
        loop {
            let notified = room.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let put = self.put_once(&ids, &payloads, &options, NOBODY, patience(timeout, PATIENCE)).await?;
            let full = match put {
                Ok(ids) => {
                    let took = self.now().since(started);
                    let mut core = self.core.lock();
                    core.meters.put += ids.len() as u64;
                    core.meters.enqueue.record(took);
                    return Ok(ids);
                }
                Err(full) => full,
            };
            let fits = self.core.lock().fits_ever(count, bytes);
            if !wait || !fits || until.is_some_and(|until| until <= self.now()) {
                return Err(full);
            }
            if self.hear(LEAST_PATIENCE).await? {
                // Others tell from now on only: look once more.
                continue;
            }
            self.sleep(notified, None, until).await;
        }
    }
}

/// The id in an answer.
pub(super) fn id_of(value: &Value) -> Result<RequestId> {
    text_of(value)?.parse()
}
