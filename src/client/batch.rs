//! The batches of one model: calls that are handed in together, and answered within a day at the price for that.
//!
//! What a call is, and what becomes of its answer, is as for a call alone: the cache is asked first and keeps the answer,
//! budgets hold the worst case, the ledger books what was used. What is not here, since it has no meaning for a batch:
//! the queue, retries, fallbacks, breakers and hedges.

use super::plan::{Candidate, Plan};
use super::question::Question;
use super::running::told;
use super::{ChatCall, Client, Response};
use crate::cost::money::Money;
use crate::cost::{Attribution, Call, Together};
use crate::provider::{BatchLimits, BatchLine, BatchLines, BatchProvider, BatchState, Guarded};
use crate::usage::{ServiceTier, Usage, UsageReport};
use crate::{Error, Result};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// The batches of one model.
#[derive(Debug, Clone)]
pub struct ModelBatches {
    client: Client,
    provider: Arc<Guarded>,
    model: String,
}

/// A call that would be part of a batch.
#[derive(Debug)]
pub enum Prepared {
    /// The cache has its answer.
    There(Box<Response>),
    /// It is to be asked.
    Draft(BatchDraft),
}

/// A call as a line of a batch.
#[derive(Debug, Clone)]
pub struct BatchDraft {
    /// What it is named.
    pub id: String,
    /// The line.
    pub line: Bytes,
    /// The most that it may cost.
    pub worst: Money,
    who: Arc<Attribution>,
}

impl Client {
    /// The batches of a model.
    ///
    /// # Errors
    /// `UnknownModel`; `Config` where the model is a route, or its provider takes no batches.
    pub fn batches(&self, model: &str) -> Result<ModelBatches> {
        if self.routes().contains(&model) {
            let message =
                format!("{model:?} is a route, and a batch is of one model: name the model, as provider/model");
            return Err(Error::Config(message));
        }
        let (provider, _) = self.route(model)?;
        let batches = ModelBatches { client: self.clone(), provider: Arc::clone(provider), model: model.to_owned() };
        batches.provider().map(|_| batches.clone())
    }
}

impl ModelBatches {
    fn provider(&self) -> Result<&dyn BatchProvider> {
        let provider = self.provider.provider();
        provider.batches().ok_or_else(|| {
            let name = provider.name();
            Error::Config(format!(
                "{name} has no batch API that is known here: ask call by call (mode=\"now\"), or name a model of OpenAI or \
                 Anthropic"
            ))
        })
    }

    /// How much one batch may hold.
    ///
    /// # Errors
    /// `Config`.
    pub fn limits(&self) -> Result<BatchLimits> {
        Ok(self.provider()?.limits())
    }

    fn plan(&self, call: &ChatCall) -> Result<(Plan, Candidate)> {
        let mut plan = self.client.plan(call, false)?;
        // The fallbacks are not asked: a batch is of one model.
        plan.candidates.truncate(1);
        let candidate = plan.candidates.pop();
        let candidate = candidate.filter(|candidate| candidate.model == self.model).ok_or_else(|| {
            Error::invalid(format!("the call is of another model than the batch, {}: give the same", self.model))
        })?;
        Ok((plan, candidate))
    }

    /// The answer of the cache, or the call as a line. `id` names it.
    ///
    /// # Errors
    /// `InvalidArgument`, `UnknownModel`.
    pub async fn prepare(&self, id: &str, call: &ChatCall) -> Result<Prepared> {
        let (plan, candidate) = self.plan(call)?;
        if let Some(question) = self.question(call)
            && let Some(response) = self.client.cached(call, &question, &plan.who).await?
        {
            return Ok(Prepared::There(Box::new(response)));
        }
        let usage = on_terms(candidate.expected.worst);
        let worst = self.client.costs().quote(Call::new(&self.model, &usage), &plan.who)?.amount;
        let line = self.provider()?.write_line(id, &candidate.request)?;
        Ok(Prepared::Draft(BatchDraft { id: id.to_owned(), line: line.into(), worst, who: plan.who }))
    }

    fn question(&self, call: &ChatCall) -> Option<Question> {
        (self.client.cache().is_some() && call.cache).then(|| Question::of(&call.request, &call.tenant))?
    }

    /// Sets the worst case of the first so many calls aside that the budgets have room for.
    ///
    /// # Errors
    /// `Store`.
    pub async fn hold(&self, drafts: &[BatchDraft], lease: Duration) -> Result<Together> {
        let Some(first) = drafts.first() else { return Ok(Together { count: 0, hold: None, refusal: None }) };
        let amounts: Vec<_> = drafts.iter().map(|draft| draft.worst).collect();
        self.client.costs().hold_together(&self.model, &amounts, &first.who, lease).await
    }

    /// Sets money aside for a batch that is under way.
    ///
    /// # Errors
    /// `Store`, `InvalidArgument`.
    pub async fn hold_again(&self, worst: Money, call: &ChatCall, lease: Duration) -> Result<Together> {
        let who = Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?);
        self.client.costs().hold_together(&self.model, &[worst], &who, lease).await
    }

    /// Hands the calls in, where that comes before the batch is made. See [`BatchProvider::upload`].
    ///
    /// # Errors
    /// `Provider`.
    pub async fn upload(&self, token: &str, drafts: &[BatchDraft]) -> Result<Option<String>> {
        self.provider()?.upload(token, &lines(drafts)).await
    }

    /// Makes the batch, and gives its id. See [`BatchProvider::submit`].
    ///
    /// # Errors
    /// `Provider`: without a status, it is not known whether the batch was made.
    pub async fn submit(&self, token: &str, file: Option<&str>, drafts: &[BatchDraft]) -> Result<String> {
        self.provider()?.submit(token, file, &lines(drafts)).await
    }

    /// The batch that was made with a token, where it can be found. See [`BatchProvider::find`].
    ///
    /// # Errors
    /// `Provider`.
    pub async fn find(&self, token: &str) -> Result<Option<String>> {
        self.provider()?.find(token).await
    }

    /// How far a batch is.
    ///
    /// # Errors
    /// `Provider`.
    pub async fn poll(&self, id: &str) -> Result<BatchState> {
        self.provider()?.poll(id).await
    }

    /// The results of a batch that is over: each of them is to be settled.
    ///
    /// # Errors
    /// `Provider`.
    pub async fn results(&self, id: &str) -> Result<BatchLines> {
        self.provider()?.results(id).await
    }

    /// Books the result of a call, and keeps its answer for the next caller.
    ///
    /// # Errors
    /// Those of the result.
    pub async fn settle(&self, call: &ChatCall, line: BatchLine) -> Result<Response> {
        let reply = line.outcome?;
        let told = match &reply.usage {
            Some(told) => told.clone(),
            None => told(&reply, &self.plan(call)?.1),
        };
        let who = Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?);
        let told = UsageReport { usage: on_terms(told.usage), ..told };
        let response = Response::first(*reply, &told, self.provider.provider().name(), &self.model);
        let recorded = self.client.costs().record(Call::reported(&self.model, &told), &who).await;
        let response = match recorded {
            Ok(record) => response.booked(&record),
            // It was paid for: it is an answer, whatever became of the record.
            Err(error) => {
                tracing::warn!(model = self.model, %error, "an answer was not recorded");
                response
            }
        };
        if let Some(question) = self.question(call) {
            self.client.keep(call, &question, &response).await;
        }
        Ok(response)
    }
}

fn lines(drafts: &[BatchDraft]) -> Vec<&[u8]> {
    drafts.iter().map(|draft| &*draft.line).collect()
}

/// A usage on the terms of batches, whatever the reply says of them.
fn on_terms(usage: Usage) -> Usage {
    Usage { service_tier: Some(ServiceTier::Batch), ..usage }
}
