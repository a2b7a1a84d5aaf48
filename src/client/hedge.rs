//! A second request where the first is slow to begin: the one that begins first answers, the other is cancelled and booked.
//!
//! Dean and Barroso, The Tail at Scale, 2013: sent after the time within which nineteen of twenty answers begin, it costs
//! about a twentieth more and cuts the tail off.

use super::Client;
use super::attempt::{Answered, Ask};
use super::plan::{Candidate, Plan};
use crate::queue::Lease;
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// When a second request is sent.
#[derive(Debug, Clone, Copy)]
pub struct HedgePolicy {
    /// The most of a provider's calls in a minute that may have a second request, as a share.
    pub most_share: f64,
}

impl Default for HedgePolicy {
    fn default() -> Self {
        Self { most_share: 0.05 }
    }
}

/// How a race ended.
pub(super) enum Race<G> {
    /// The first request's answer, or its failure where no second one answered; whether a second was sent.
    First(Result<Answered<G>>, bool),
    /// The second request's answer, with its own turn.
    Second(Answered<G>, Lease),
}

impl Client {
    /// Waits for the first request, and sends a second where that is slow, if hedging is asked for and affordable.
    pub(super) async fn race<A: Ask>(
        &self,
        plan: &Plan,
        candidate: &Candidate,
        attempts: u32,
        way: &A,
        first: impl Future<Output = Result<Answered<A::Given>>> + Send,
    ) -> Race<A::Given> {
        let usual = self.inner.hedge.and_then(|_| self.inner.latencies.usually_within(&candidate.model, plan.stream));
        let Some(usual) = usual else { return Race::First(first.await, false) };
        let is_sent = AtomicBool::new(false);
        let second = self.second(plan, candidate, attempts + 1, way, usual, &is_sent);
        tokio::pin!(first, second);
        tokio::select! {
            biased;
            answered = &mut first => match answered {
                Err(error) if is_sent.load(Ordering::Relaxed) => match second.await {
                    Some((Ok(answered), lease)) => Race::Second(answered, lease),
                    _ => Race::First(Err(error), true),
                },
                answered => Race::First(answered, is_sent.load(Ordering::Relaxed)),
            },
            answered = &mut second => match answered {
                Some((Ok(answered), lease)) => Race::Second(answered, lease),
                _ => Race::First(first.await, is_sent.load(Ordering::Relaxed)),
            },
        }
    }

    /// The second request; None where it is not to be, or there is no room for it now.
    async fn second<A: Ask>(
        &self,
        plan: &Plan,
        candidate: &Candidate,
        attempts: u32,
        way: &A,
        usual: Duration,
        is_sent: &AtomicBool,
    ) -> Option<(Result<Answered<A::Given>, Error>, Lease)> {
        tokio::time::sleep(usual).await;
        if !candidate.provider.hedges().take(self.inner.hedge?.most_share, 0) {
            return None;
        }
        let lease = self.enter(plan, candidate).await.ok()?;
        let hold = self.inner.costs.hold(candidate.worst_case(plan), &plan.who, Duration::ZERO).await.ok()?;
        is_sent.store(true, Ordering::Relaxed);
        tracing::debug!(model = candidate.model, "the answer is slow to begin: asking twice");
        Some((self.send(candidate, hold, attempts, way).await, lease))
    }
}
