//! A call that a provider answers: settled exactly once, whatever happens.

use super::attempt::Taken;
use super::flight::{Landing, Leader};
use super::plan::Plan;
use super::question::Question;
use super::{ChatCall, Client, Opening, Response, estimate};
use crate::chat::{Accumulator, Event, Reply};
use crate::usage::UsageReport;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// What is left of the caller's time when it stops to wait for the answer to be kept.
const MARGIN: Duration = Duration::from_millis(20);

/// A call that a provider answers. Dropped before its end, what was sent so far is booked.
pub(super) struct Running {
    client: Client,
    call: Arc<ChatCall>,
    plan: Arc<Plan>,
    question: Option<Question>,
    leader: Option<Leader>,
    taken: Option<Taken>,
    reply: Accumulator,
}

impl Running {
    pub(super) fn new(client: Client, call: Arc<ChatCall>, plan: Arc<Plan>, taken: Taken) -> Self {
        Self { client, call, plan, question: None, leader: None, taken: Some(taken), reply: Accumulator::default() }
    }

    /// The answer is to be cached under this question, and told to those who wait for it.
    pub(super) fn answering(mut self, question: Option<Question>, leader: Option<Leader>) -> Self {
        (self.question, self.leader) = (question, leader);
        self
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is known before the first word.
    pub(super) fn opening(&self) -> Opening {
        let taken = self.taken.as_ref().map(|taken| (&self.plan.candidates[taken.candidate], taken.attempts));
        let (model, attempts) = taken.map_or_else(Default::default, |(of, attempts)| (of.model.clone(), attempts));
        Opening { model, attempts, ..Opening::default() }
    }

    /// Takes in what the provider sent.
    ///
    /// # Errors
    /// `Provider`: it sent an error. What came before it is booked.
    pub(super) fn push(&mut self, event: &Event) -> Result<()> {
        self.reply.push(event).inspect_err(|_| {
            if let Some(leader) = self.leader.take() {
                leader.land(Landing::None);
            }
            self.break_off();
        })
    }

    /// The stream is over: the reply is what came.
    pub(super) async fn end(mut self) -> Result<Response> {
        let mut reply = std::mem::take(&mut self.reply).finish();
        if let Some(taken) = &self.taken {
            let provider = self.plan.candidates[taken.candidate].provider.provider();
            reply.raw = provider.protocol().write_reply(&reply);
        }
        self.settle(reply).await
    }

    /// The provider sent the whole reply.
    pub(super) async fn settle(mut self, reply: Reply) -> Result<Response> {
        let Some(taken) = self.taken.take() else {
            return Err(Error::invalid("the call is over already: ask again"));
        };
        let candidate = &self.plan.candidates[taken.candidate];
        let told = told(&reply, candidate);
        let first = Response::first(reply, &told, candidate.provider.provider().name(), &candidate.model);
        let response = Response { attempts: taken.attempts, waited: taken.waited, ..first };
        let settlement = self.client.settlement(&taken, candidate, &told);
        let response = match taken.hold.settle_as(Some(&candidate.model), &told.usage, settlement).await {
            Ok(record) => response.booked(&record),
            // It was paid for: it is an answer, whatever became of the record.
            Err(error) => {
                tracing::warn!(model = candidate.model, %error, "an answer was not recorded");
                response
            }
        };
        let result = if self.client.queue().is_durable() { response.to_payload() } else { None };
        // Its place at the provider is free before the answer is kept, which may take an embedder's time. A lease that was
        // lost meanwhile was given to another: the answer is good all the same.
        let _ = taken.lease.ack_async(result, Some(response.usage.total_tokens())).await;
        self.share(&response).await;
        Ok(response)
    }

    /// Keeps the answer for the next caller and gives it to those who wait, whether or not this caller waits for that.
    async fn share(&mut self, response: &Response) {
        let (client, call, question, leader) =
            (self.client.clone(), Arc::clone(&self.call), self.question.take(), self.leader.take());
        let Some(question) = question else { return };
        let response = response.clone();
        let may_take_long = client.keeping_may_block();
        let kept = async move {
            client.keep(&call, &question, &response).await;
            if let Some(leader) = leader {
                let shared = response.reply.is_cacheable();
                leader.land(if shared { Landing::Answer(Box::new(response)) } else { Landing::None });
            }
        };
        if !may_take_long {
            return kept.await;
        }
        let task = tokio::spawn(kept);
        let patience = self.plan.left().map(|left| left.saturating_sub(MARGIN));
        let _ = match patience {
            Some(patience) => tokio::time::timeout(patience, task).await.is_ok(),
            None => task.await.is_ok(),
        };
    }

    /// The call ended without a whole reply: what was sent is booked, since the provider bills it. Of those who wait for a
    /// caller that left, another leads.
    fn break_off(&mut self) {
        drop(self.leader.take());
        let Some(taken) = self.taken.take() else { return };
        let candidate = &self.plan.candidates[taken.candidate];
        let reply = std::mem::take(&mut self.reply).finish();
        let told = told(&reply, candidate);
        drop(taken.hold.settle_as(
            Some(&candidate.model),
            &told.usage,
            self.client.settlement(&taken, candidate, &told),
        ));
        taken.lease.cancel(Some(told.usage.total_tokens()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.break_off();
    }
}

/// What the provider told, or the best estimate of it.
pub(super) fn told(reply: &Reply, candidate: &super::plan::Candidate) -> UsageReport {
    let estimated = || UsageReport::estimated(estimate::of_reply(&candidate.expected, &candidate.model, reply));
    reply.usage.clone().unwrap_or_else(estimated)
}
