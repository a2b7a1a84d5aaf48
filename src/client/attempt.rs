//! The turns of a call: each attempt waits for its own, within the limits, with its worst case set aside.

use super::Client;
use super::hedge::Race;
use super::overload::Counted;
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
    /// Counts it as under way at the provider, where that is of interest.
    #[expect(dead_code, reason = "it counts as long as it is there")]
    pub(super) busy: Option<Counted>,
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

/// What a provider began to answer, with the money that is set aside for it.
pub(super) struct Answered<G> {
    given: G,
    hold: Reservation,
    started: Instant,
}

/// A request on its way to a provider. Dropped before the provider answered, since its caller left, what was sent is
/// booked: the provider bills it.
struct Sent<'a> {
    hold: Option<Reservation>,
    candidate: &'a Candidate,
    started: Instant,
    attempts: u32,
}

impl Sent<'_> {
    /// Books what the provider bills, and gives the rest of the money back.
    fn book(&mut self, report: &UsageReport) {
        if let Some(hold) = self.hold.take() {
            let settlement = Settlement::of_attempt(report, self.started.elapsed(), self.attempts);
            drop(hold.settle_as(Some(&self.candidate.model), &report.usage, settlement));
        }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.book(&UsageReport::estimated(Usage::new(self.candidate.expected.input_tokens, 0)));
    }
}

/// Where in the queue the next attempt stands.
enum Place {
    /// Not there yet.
    Outside,
    /// It has its turn.
    Turn(Lease),
    /// It had a turn, and needs another in its place; what it used of it, for limits, where that is known.
    Used(Lease, Option<u64>),
}

/// The way of one call from attempt to attempt.
struct Walk {
    place: Place,
    attempts: u32,
    waited: Duration,
    failure: Option<Error>,
}

/// What a candidate counts against in the queue.
struct Stand {
    provider: Option<Arc<str>>,
    model: Option<Arc<str>>,
    tokens: u64,
}

impl Stand {
    fn of(candidate: &Candidate) -> Self {
        Self {
            provider: Some(Arc::from(candidate.provider.provider().name())),
            model: Some(Arc::from(candidate.request.model.as_str())),
            tokens: candidate.expected.rough_tokens,
        }
    }
}

impl Client {
    /// Asks the candidates of a plan in order, each as often as the retry policy allows, until one takes the call up.
    ///
    /// `turn` is one that the call has already, as an orphan does.
    pub(super) async fn attempt<A: Ask>(&self, plan: &Plan, turn: Option<Lease>, way: &A) -> Result<(A::Given, Taken)> {
        let is_orphan = turn.is_some();
        let place = turn.map_or(Place::Outside, Place::Turn);
        let mut walk = Walk { place, attempts: 0, waited: Duration::ZERO, failure: None };
        let asked = self.ask_in_order(plan, &mut walk, way).await;
        // Nobody waits for an orphan: it is tried again later, as often as the queue allows.
        let failure = asked.as_ref().err().filter(|_| is_orphan).map(ToString::to_string);
        if let (Some(failure), Place::Turn(lease) | Place::Used(lease, _)) = (failure, walk.place) {
            let _ = lease.nack_async(&failure, None, true).await;
        }
        asked
    }

    async fn ask_in_order<A: Ask>(&self, plan: &Plan, walk: &mut Walk, way: &A) -> Result<(A::Given, Taken)> {
        for number in 0..plan.candidates.len() {
            if number > 0 {
                tracing::warn!(model = plan.candidates[number].model, "asking a fallback");
            }
            if let Some(taken) = self.ask_candidate(plan, number, walk, way).await? {
                return Ok(taken);
            }
        }
        let nobody = || Error::UnknownModel("the call names no model that could be asked".into());
        Err(walk.failure.take().unwrap_or_else(nobody))
    }

    /// Asks one candidate, as often as the retry policy allows. None: it does not answer, and the next one is to be asked.
    async fn ask_candidate<A: Ask>(
        &self,
        plan: &Plan,
        number: usize,
        walk: &mut Walk,
        way: &A,
    ) -> Result<Option<(A::Given, Taken)>> {
        let candidate = &plan.candidates[number];
        if let Err(error) = candidate.provider.check(&candidate.request.model) {
            walk.failure = Some(error);
            return Ok(None);
        }
        // Refused before it waits: a call that cannot be paid uses up nobody's limits.
        if let Err(error) = self.admit(plan, candidate).await {
            walk.failure.get_or_insert(error);
            return Ok(None);
        }
        let mut waiting = match self.admit_to_wait(plan, candidate) {
            Ok(waiting) => waiting,
            Err(error) => {
                walk.failure.get_or_insert(error);
                return Ok(None);
            }
        };
        let (mut tries, mut pause) = (0, Duration::ZERO);
        loop {
            let before = std::mem::replace(&mut walk.place, Place::Outside);
            let mut lease = self.turn(plan, candidate, before, pause).await?;
            drop(waiting.take());
            walk.waited += lease.waited();
            let hold = match self.hold(plan, candidate).await {
                Ok(hold) => hold,
                Err(error) => {
                    walk.failure.get_or_insert(error);
                    // The next candidate has limits of its own to wait for.
                    walk.place = Place::Used(lease, Some(0));
                    return Ok(None);
                }
            };
            if tries == 0 {
                candidate.provider.count_call();
            }
            (tries, walk.attempts) = (tries + 1, walk.attempts + 1);
            let busy = self.under_way(candidate);
            let first = self.send(candidate, hold, walk.attempts, way);
            let answered = match self.race(plan, candidate, walk.attempts, way, first).await {
                Race::First(answered, was_hedged) => {
                    walk.attempts += u32::from(was_hedged);
                    answered
                }
                Race::Second(answered, others) => {
                    walk.attempts += 1;
                    lease = others;
                    Ok(answered)
                }
            };
            let error = match answered {
                Ok(Answered { given, hold, started }) => {
                    self.saw_begin(plan, candidate, started.elapsed());
                    let (attempts, waited) = (walk.attempts, walk.waited);
                    return Ok(Some((
                        given,
                        Taken { lease, hold, candidate: number, attempts, waited, started, busy },
                    )));
                }
                Err(error) => error,
            };
            walk.place = Place::Used(lease, None);
            self.saw_failure(candidate, &error);
            tracing::debug!(model = candidate.model, %error, tries, "an attempt failed");
            self.inner.tally.fail(candidate.provider.provider().name(), error.kind());
            let (retry, retries) = (&self.inner.retry, candidate.provider.retries());
            let next = retry.pause(&error, tries).filter(|pause| plan.left().is_none_or(|left| *pause < left));
            match next.filter(|_| retries.take(retry.most_share, retry.free_retries)) {
                Some(length) => pause = length,
                // What the call itself is refused for, no other model mends.
                None if !matches!(error, Error::Provider(_)) => return Err(error),
                None => {
                    walk.failure = Some(error);
                    return Ok(None);
                }
            }
        }
    }

    /// Asks once; what the provider bills of a failure is booked.
    pub(super) async fn send<A: Ask>(
        &self,
        candidate: &Candidate,
        hold: Reservation,
        attempts: u32,
        way: &A,
    ) -> Result<Answered<A::Given>> {
        let mut sent = Sent { hold: Some(hold), candidate, started: Instant::now(), attempts };
        match way.ask(candidate).await {
            Ok(given) => {
                let (hold, started) = (sent.hold.take(), sent.started);
                let hold = hold.ok_or_else(|| Error::invalid("the call is over already: ask again"))?;
                Ok(Answered { given, hold, started })
            }
            Err(Failure { error, used }) => {
                match used {
                    Some(report) => sent.book(&report),
                    None => drop(sent.hold.take()),
                }
                Err(error)
            }
        }
    }

    /// An attempt that was answered, for the ledger.
    pub(super) fn settlement(&self, taken: &Taken, candidate: &Candidate, told: &UsageReport) -> Settlement {
        Settlement {
            saved_by_route: self.saved_by_route(candidate, told),
            ..Settlement::of_attempt(told, taken.started.elapsed(), taken.attempts)
        }
    }

    /// Waits for the turn of an attempt.
    async fn turn(&self, plan: &Plan, candidate: &Candidate, place: Place, pause: Duration) -> Result<Lease> {
        match place {
            Place::Outside => self.enter(plan, candidate).await,
            Place::Turn(lease) => Ok(lease),
            Place::Used(lease, used_tokens) => {
                let Stand { provider, model, tokens } = Stand::of(candidate);
                let estimated_tokens = Some(tokens);
                lease.again(Again { delay: pause, provider, model, estimated_tokens, used_tokens }).await
            }
        }
    }

    /// Waits for a turn from outside of the queue.
    pub(super) async fn enter(&self, plan: &Plan, candidate: &Candidate) -> Result<Lease> {
        let Stand { provider, model, tokens } = Stand::of(candidate);
        let options = PutOptions {
            priority: plan.priority,
            tenant: Some(Arc::clone(&plan.tenant)),
            provider,
            model,
            estimated_tokens: tokens,
            ..PutOptions::default()
        };
        self.inner.queue.acquire(plan.payload.clone(), options, None).await
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
