//! What is asked of whom: made once a call, before anything waits.

use super::estimate::{self, Expected};
use super::routes::Routed;
use super::{ChatCall, Client};
use crate::chat::Request;
use crate::cost::{Attribution, DEFAULT_LEASE, WorstCase};
use crate::provider::Guarded;
use crate::queue::Priority;
use crate::{Payload, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is asked of whom.
pub(super) struct Plan {
    /// Whose call it is, for budgets and ledger.
    pub(super) who: Arc<Attribution>,
    /// Its tenant, for the queue.
    pub(super) tenant: Arc<str>,
    /// How urgent it is.
    pub(super) priority: Priority,
    /// Whether it is asked for as a stream.
    pub(super) stream: bool,
    /// When its caller leaves.
    pub(super) deadline: Option<Instant>,
    /// What an orphan is finished from; empty where the queue is in memory.
    pub(super) payload: Payload,
    /// The models to ask, in order; never empty.
    pub(super) candidates: Vec<Candidate>,
}

/// One model that may answer.
pub(super) struct Candidate {
    /// As `provider/model`.
    pub(super) model: String,
    /// Its provider.
    pub(super) provider: Arc<Guarded>,
    /// The request under the provider's own name of the model; for embeddings the name alone.
    pub(super) request: Request,
    /// What the call may use.
    pub(super) expected: Expected,
    /// The route that it is a model of.
    pub(super) routed: Option<Routed>,
}

impl Candidate {
    /// What a budget sets aside for it, for at least as long as its caller waits.
    pub(super) fn worst_case(&self, plan: &Plan) -> WorstCase<'_> {
        WorstCase {
            is_output_bounded: self.expected.is_bounded,
            lease: plan.left().map_or(DEFAULT_LEASE, |left| left.max(DEFAULT_LEASE)),
            ..WorstCase::new(&self.model, &self.expected.worst)
        }
    }
}

impl Plan {
    /// The time that is left; None is no limit.
    pub(super) fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

impl Client {
    /// The plan of a chat.
    pub(super) fn plan(&self, call: &ChatCall, stream: bool) -> Result<Plan> {
        call.request.validate()?;
        let who = Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?);
        let prices = self.inner.costs.prices();
        let candidates = self.candidates(&call.request, stream, |model| {
            let (provider, bare) = self.route(model)?;
            let (provider, model) = (Arc::clone(provider), model.to_owned());
            let request = Request { model: bare.to_owned(), ..call.request.clone() };
            let expected = estimate::of_request(&request, &model, &prices);
            Ok(Candidate { model, provider, request, expected, routed: None })
        })?;
        Ok(Plan {
            who,
            tenant: Arc::clone(&call.tenant),
            priority: call.priority,
            stream,
            deadline: call.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            payload: self.payload_of(call)?,
            candidates,
        })
    }

    fn payload_of(&self, call: &ChatCall) -> Result<Payload> {
        if self.inner.queue.is_durable() { call.to_payload() } else { Ok(Payload::bytes([])) }
    }
}
