//! The turns of a call: each attempt waits for its own, within the limits, with its worst case set aside.

use super::Client;
use super::plan::{Candidate, Plan};
use crate::cost::{Reservation, Settlement};
use crate::queue::{Again, Lease, PutOptions};
use crate::usage::{Usage, UsageReport};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An attempt that the provider took up: what must be settled when it is over.
pub(super) struct Taken {
    /// The place in the queue; its end frees the slot.
    pub(super) lease: Lease,
    /// The money that is set aside.
    pub(super) hold: Reservation,
    /// Which candidate of the plan it was.
    pub(super) candidate: usize,
    /// How often a provider was asked for this call.
    pub(super) attempts: u32,
    /// How long the call waited for its turns.
    pub(super) waited: Duration,
    /// When the provider was asked.
    pub(super) started: Instant,
}

/// One way to ask a provider.
pub(super) trait Ask: Sync {
    /// What the provider gives.
    type Given: Send;

    /// Makes one attempt; it is over when the provider has begun to answer.
    fn ask(&self, candidate: &Candidate) -> impl Future<Output = Result<Self::Given, Failure>> + Send;
}

/// An attempt that came to nothing.
pub(super) struct Failure {
    /// Why.
    pub(super) error: Error,
    /// What the provider says it used all the same: it bills it.
    pub(super) used: Option<UsageReport>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, used: None }
    }
}

/// A request on its way to a provider. Dropped before the provider answered, since its caller left, what was sent is
/// booked: the provider bills it.
struct Sent<'a> {
    hold: Option<Reservation>,
    candidate: &'a Candidate,
    started: Instant,
    attempts: u32,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let Some(hold) = self.hold.take() else { return };
        let report = UsageReport::estimated(Usage::new(self.candidate.expected.input_tokens, 0));
        let settlement = Settlement {
            latency_s: Some(self.started.elapsed().as_secs_f64()),
            attempts: self.attempts,
            ..Settlement::reported(&report)
        };
        drop(hold.settle_as(Some(&self.candidate.model), &report.usage, settlement));
    }
}

/// Where in the queue the next attempt stands.
enum Place {
    /// Not there yet.
    Outside,
    /// It has its turn.
    Turn(Lease),
    /// It had a turn, and needs another in its place.
    Used(Lease),
}

impl Client {
    /// Asks the candidates of a plan in order, each as often as the retry policy allows, until one takes the call up.
    ///
    /// `turn` is one that the call has already, as an orphan does.
    pub(super) async fn attempt<A: Ask>(&self, plan: &Plan, turn: Option<Lease>, way: &A) -> Result<(A::Given, Taken)> {
        let is_orphan = turn.is_some();
        let mut place = turn.map_or(Place::Outside, Place::Turn);
        let asked = self.attempt_in(plan, &mut place, way).await;
        // Nobody waits for an orphan: it is tried again later, as often as the queue allows.
        let failure = asked.as_ref().err().filter(|_| is_orphan).map(ToString::to_string);
        if let (Some(failure), Place::Turn(lease) | Place::Used(lease)) = (failure, place) {
            let _ = lease.nack_async(&failure, None, true).await;
        }
        asked
    }

    async fn attempt_in<A: Ask>(&self, plan: &Plan, place: &mut Place, way: &A) -> Result<(A::Given, Taken)> {
        let (mut attempts, mut waited) = (0, Duration::ZERO);
        let mut failure = None;
        for (number, candidate) in plan.candidates.iter().enumerate() {
            if let Err(error) = candidate.provider.check(&candidate.request.model) {
                failure = Some(error);
                continue;
            }
            // Refused before it waits: a call that cannot be paid uses up nobody's limits.
            if let Err(error) = self.admit(plan, candidate).await {
                failure.get_or_insert(error);
                continue;
            }
            let (mut tries, mut pause) = (0, Duration::ZERO);
            loop {
                let before = std::mem::replace(place, Place::Outside);
                let lease = self.turn(plan, candidate, before, pause).await?;
                waited += lease.waited();
                let hold = match self.hold(plan, candidate).await {
                    Ok(hold) => hold,
                    Err(error) => {
                        failure.get_or_insert(error);
                        *place = Place::Turn(lease);
                        break;
                    }
                };
                (tries, attempts) = (tries + 1, attempts + 1);
                let mut sent = Sent { hold: Some(hold), candidate, started: Instant::now(), attempts };
                let answered = way.ask(candidate).await;
                let (started, hold) = (sent.started, sent.hold.take());
                let Failure { error, .. } = match (answered, hold) {
                    (Ok(value), Some(hold)) => {
                        return Ok((value, Taken { lease, hold, candidate: number, attempts, waited, started }));
                    }
                    (Err(failure), hold) => {
                        if let (Some(report), Some(hold)) = (&failure.used, &hold) {
                            let settlement = Settlement { attempts: tries, ..Settlement::reported(report) };
                            drop(hold.settle_as(Some(&candidate.model), &report.usage, settlement));
                        }
                        failure
                    }
                    (Ok(_), None) => Failure::from(Error::invalid("the call is over already: ask again")),
                };
                *place = Place::Used(lease);
                let next = self.inner.retry.pause(&error, tries);
                let next = next.filter(|pause| plan.left().is_none_or(|left| *pause < left));
                let is_providers = matches!(error, Error::Provider(_));
                tracing::debug!(model = candidate.model, %error, tries, "an attempt failed");
                failure = Some(error);
                match next {
                    Some(length) => pause = length,
                    // What the call itself is refused for, no other model mends.
                    None if !is_providers => return Err(taken(failure)),
                    None => break,
                }
            }
            if number + 1 < plan.candidates.len() {
                tracing::warn!(model = candidate.model, "asking a fallback");
            }
        }
        Err(taken(failure))
    }

    /// Waits for the turn of an attempt.
    async fn turn(&self, plan: &Plan, candidate: &Candidate, place: Place, pause: Duration) -> Result<Lease> {
        let provider = Some(Arc::from(candidate.provider.provider().name()));
        let model = Some(Arc::from(candidate.request.model.as_str()));
        let estimated_tokens = candidate.expected.rough_tokens;
        match place {
            Place::Outside => {
                let options = PutOptions {
                    priority: plan.priority,
                    tenant: Some(Arc::clone(&plan.tenant)),
                    provider,
                    model,
                    estimated_tokens,
                    ..PutOptions::default()
                };
                self.inner.queue.acquire(plan.payload.clone(), options, None).await
            }
            Place::Turn(lease) => Ok(lease),
            Place::Used(lease) => {
                let estimated_tokens = Some(estimated_tokens);
                lease.again(Again { delay: pause, provider, model, estimated_tokens, used_tokens: None }).await
            }
        }
    }

    /// Refuses a call that does not fit into a budget, whatever the running calls will cost.
    async fn admit(&self, plan: &Plan, candidate: &Candidate) -> Result<()> {
        self.inner.costs.admit(candidate.worst_case(plan), &plan.who).await
    }

    /// Sets the worst case of an attempt aside; where only the holds of running calls are in the way, it waits for them.
    async fn hold(&self, plan: &Plan, candidate: &Candidate) -> Result<Reservation> {
        self.inner.costs.hold(candidate.worst_case(plan), &plan.who, Duration::MAX).await
    }
}

fn taken(failure: Option<Error>) -> Error {
    failure.unwrap_or_else(|| Error::UnknownModel("the call names no model that could be asked".into()))
}
