//! Vectors for texts, on the same line: budgets, turns, retries, fallbacks, bookkeeping.

use super::attempt::{Ask, Failure};
use super::chat::within;
use super::plan::{Candidate, Plan};
use super::{ChatCall, Client, Embeddings, estimate};
use crate::chat::Request;
use crate::cost::Attribution;
use crate::metrics::Operation;
use crate::provider::EmbedReply;
use crate::usage::{Usage, UsageReport};
use crate::{Error, Payload, Result};
use std::sync::Arc;
use tokio::time::Instant;

struct AskEmbed<'a> {
    texts: &'a [String],
}

impl Ask for AskEmbed<'_> {
    type Given = EmbedReply;

    async fn ask(&self, candidate: &Candidate) -> Result<EmbedReply, Failure> {
        Ok(candidate.provider.embed(&candidate.request.model, self.texts).await?)
    }
}

impl Client {
    /// Makes vectors, within the budgets and in turn. Of `call`, what is not the question counts: model, tenant, priority,
    /// tags, timeout.
    ///
    /// # Errors
    /// As [`Client::chat`].
    pub async fn embed(&self, texts: &[String], call: &ChatCall) -> Result<Embeddings> {
        if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
            return Err(Error::invalid("texts is empty or has an empty text: give at least one text, each with words"));
        }
        let stopwatch = self.stopwatch(Operation::Embeddings, call);
        let made = within(call.timeout, self.embed_in_turn(texts, call)).await;
        stopwatch.end_embedding(&made);
        made
    }

    async fn embed_in_turn(&self, texts: &[String], call: &ChatCall) -> Result<Embeddings> {
        let candidates = self.candidates(&call.request, false, |model| {
            let (provider, bare) = self.route(model)?;
            let (provider, model) = (Arc::clone(provider), model.to_owned());
            let request = Request { model: bare.to_owned(), ..Request::default() };
            let expected = estimate::of_texts(texts, &model);
            Ok(Candidate { model, provider, request, expected, routed: None })
        })?;
        let plan = Plan {
            who: Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?),
            tenant: Arc::clone(&call.tenant),
            priority: call.priority,
            stream: false,
            deadline: call.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            payload: Payload::bytes([]),
            candidates,
        };
        let (reply, taken) = self.attempt(&plan, None, &AskEmbed { texts }).await?;
        let candidate = &plan.candidates[taken.candidate];
        let told =
            reply.usage.unwrap_or_else(|| UsageReport::estimated(Usage::new(candidate.expected.input_tokens, 0)));
        let settlement = self.settlement(&taken, candidate, &told);
        let record = taken.hold.settle_as(Some(&candidate.model), &told.usage, settlement).await?;
        let _ = taken.lease.ack_async(None, Some(told.usage.total_tokens())).await;
        Ok(Embeddings {
            vectors: reply.vectors,
            usage: told.usage,
            cost: record.cost(),
            model: candidate.model.clone(),
            attempts: taken.attempts,
        })
    }
}
