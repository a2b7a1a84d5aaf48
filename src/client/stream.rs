//! An answer in chunks, booked and kept when it is whole.

use super::answer::Reply;
use super::call::ChatCall;
use super::line::{fresh, told_cost, within};
use super::turn::{Outcome, Turn};
use super::{Client, estimate};
use crate::Result;
use crate::cost::{Attribution, CacheUse, Reservation, Settlement as Booking};
use crate::provider::{ChatResponse, ChunkStream, Resilient};
use crate::usage::Usage;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A piece of an answer.
#[derive(Debug, Clone)]
pub struct StreamChunk {
    /// The text that it adds; may be empty.
    pub text: String,
    /// Why the model stopped, in the chunk that says so.
    pub finish_reason: Option<String>,
    /// The chunk as the provider sent it.
    pub raw: Value,
}

/// An answer in chunks. Dropped before its end, what was sent so far is booked.
pub struct ChatStream {
    client: Client,
    call: ChatCall,
    live: Option<Live>,
    cached: Option<Reply>,
    reply: Option<Reply>,
}

struct Live {
    chunks: ChunkStream,
    turn: Turn,
    reservation: Reservation,
    provider: Arc<Resilient>,
    attempts: u32,
    started: Instant,
    text: String,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    last: Value,
    waited: Duration,
}

impl Client {
    /// Answers a call in chunks.
    ///
    /// # Errors
    /// As [`Client::chat`], before the first chunk.
    pub async fn stream(&self, call: ChatCall) -> Result<ChatStream> {
        let timeout = call.timeout;
        within(timeout, self.begin_stream(call)).await
    }

    async fn begin_stream(&self, call: ChatCall) -> Result<ChatStream> {
        let (provider, bare) = self.route(&call.model)?;
        let (provider, request) = (Arc::clone(provider), call.request(bare));
        request.validate()?;
        let who = Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?);
        let whole = |cached| ChatStream {
            client: self.clone(),
            call: call.clone(),
            live: None,
            cached: Some(cached),
            reply: None,
        };
        if call.cache
            && let Some(reply) = self.cached(&call, &who).await?
        {
            return Ok(whole(reply));
        }
        let turn = match self.turn(&call).await? {
            Outcome::Turn(turn) => turn,
            Outcome::Elsewhere(_) => return Ok(whole(self.chat(call.clone()).await?)),
        };
        let reservation = self.reserve(&call, &call.model, &who).await?;
        let started = Instant::now();
        let (chunks, attempts) = provider.stream(&request).await?;
        let waited = turn.lease().waited();
        let live = Live {
            chunks,
            turn,
            reservation,
            provider,
            attempts,
            started,
            text: String::new(),
            finish_reason: None,
            usage: None,
            last: Value::Null,
            waited,
        };
        Ok(ChatStream { client: self.clone(), call, live: Some(live), cached: None, reply: None })
    }
}

impl ChatStream {
    /// The next chunk; None after the last one.
    ///
    /// # Errors
    /// `Provider` where the stream breaks off: what was sent is booked, and nothing is kept.
    pub async fn next(&mut self) -> Result<Option<StreamChunk>> {
        if let Some(reply) = self.cached.take() {
            let raw = json!({"choices": [{"index": 0, "delta": {"content": reply.text}, "finish_reason": "stop"}]});
            let chunk = StreamChunk { text: reply.text.clone(), finish_reason: Some("stop".into()), raw };
            self.reply = Some(reply);
            return Ok(Some(chunk));
        }
        let Some(live) = &mut self.live else { return Ok(None) };
        match live.chunks.next().await {
            Some(Ok(raw)) => Ok(Some(live.take(raw))),
            Some(Err(error)) => {
                self.break_off();
                Err(error)
            }
            None => {
                self.finish().await?;
                Ok(None)
            }
        }
    }

    /// The whole answer with its cost, after the last chunk.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        self.reply.as_ref()
    }

    async fn finish(&mut self) -> Result<()> {
        let Some(live) = self.live.take() else { return Ok(()) };
        let usage = live.usage.unwrap_or_else(|| estimate::likely(&self.call, &self.call.model, &live.text));
        let record = live.reservation.settle(&usage, live.booking()).finish().await?;
        let reason = live.finish_reason.clone();
        let raw = json!({
            "id": live.last.get("id"),
            "object": "chat.completion",
            "created": live.last.get("created"),
            "model": live.last.get("model"),
            "choices": [{"index": 0, "message": {"role": "assistant", "content": live.text}, "finish_reason": reason}],
            "usage": live.last.get("usage"),
        });
        let response =
            ChatResponse { text: live.text, finish_reason: reason, has_tool_calls: false, usage: Some(usage), raw };
        let total = usage.total_tokens();
        let reply =
            fresh(&live.provider, &self.call.model, response, usage, live.attempts, live.waited).booked(&record);
        // A stream with no text was a tool call, which the raw reply above does not show.
        if self.call.cache && !reply.text.is_empty() {
            self.client.keep(&self.call, &reply).await;
        }
        live.turn.done(None, total).await;
        self.reply = Some(reply);
        Ok(())
    }

    /// Books what was sent: the provider bills it.
    fn break_off(&mut self) {
        if let Some(live) = self.live.take() {
            let usage = live.usage.unwrap_or_else(|| estimate::likely(&self.call, &self.call.model, &live.text));
            drop(live.reservation.settle(&usage, live.booking()));
        }
    }
}

impl Drop for ChatStream {
    fn drop(&mut self) {
        self.break_off();
    }
}

impl Live {
    fn take(&mut self, raw: Value) -> StreamChunk {
        if raw.get("usage").is_some_and(Value::is_object) {
            self.usage = Usage::from_response(&raw).ok();
        }
        let choice = raw.get("choices").and_then(|choices| choices.get(0));
        let text =
            choice.and_then(|choice| choice.get("delta")?.get("content")?.as_str()).unwrap_or_default().to_owned();
        let finish_reason = choice.and_then(|choice| choice.get("finish_reason")?.as_str()).map(str::to_owned);
        self.text.push_str(&text);
        self.finish_reason = finish_reason.clone().or_else(|| self.finish_reason.take());
        self.last = raw.clone();
        StreamChunk { text, finish_reason, raw }
    }

    fn booking(&self) -> Booking {
        Booking {
            cache: CacheUse::Miss,
            latency_s: Some(self.started.elapsed().as_secs_f64()),
            attempts: self.attempts,
            is_usage_estimated: self.usage.is_none(),
            told_cost: told_cost(&self.last),
        }
    }
}
