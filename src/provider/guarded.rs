//! A provider behind its breakers.

use super::breaker::{BreakerConfig, BreakerState, Breakers, Permit};
use super::extra_budget::ExtraBudget;
use super::failure::Failures;
use super::gate::Gate;
use super::{Answer, EmbedReply, EventStream, Provider};
use crate::chat::{Event, Request};
use crate::{Error, ProviderError, ProviderErrorKind, Result};
use futures_util::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A provider behind its breakers, one a model. Each call is one attempt; whether there is another is the caller's to say.
#[derive(Debug)]
pub struct Guarded {
    provider: Arc<dyn Provider>,
    breakers: Breakers,
    failures: Failures,
    retries: ExtraBudget,
    hedges: ExtraBudget,
}

impl Guarded {
    /// Puts breakers before a provider.
    #[must_use]
    pub fn new(provider: Arc<dyn Provider>, breaker: BreakerConfig) -> Self {
        let failures = Failures::new(provider.name(), "", Gate::default());
        Self {
            provider,
            breakers: Breakers::new(breaker),
            failures,
            retries: ExtraBudget::default(),
            hedges: ExtraBudget::default(),
        }
    }

    /// The provider itself.
    #[must_use]
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// What bounds the retries of its calls.
    pub(crate) fn retries(&self) -> &ExtraBudget {
        &self.retries
    }

    /// What bounds the second requests of its calls.
    pub(crate) fn hedges(&self) -> &ExtraBudget {
        &self.hedges
    }

    /// Counts a call that goes to it.
    pub(crate) fn count_call(&self) {
        self.retries.count_call();
        self.hedges.count_call();
    }

    /// Whether calls go through: the worst of its models.
    #[must_use]
    pub fn breaker_state(&self) -> BreakerState {
        self.breakers.worst()
    }

    /// Whether calls of a model go through.
    #[must_use]
    pub fn breaker_state_of(&self, model: &str) -> BreakerState {
        self.breakers.state(model)
    }

    /// Whether a call of a model would go through now, without making one.
    ///
    /// # Errors
    /// `Provider` while the breaker is open.
    pub fn check(&self, model: &str) -> Result<()> {
        self.enter(model).map(drop)
    }

    /// Asks for a reply, once.
    ///
    /// A call that is dropped before it ends, and a stream that is left before it ends, say nothing about the provider.
    ///
    /// # Errors
    /// Those of the provider; `Provider` at once while the breaker is open.
    pub async fn chat(&self, request: &Request, stream: bool) -> Result<Answer> {
        let permit = self.enter(&request.model)?;
        match self.provider.chat(request, stream).await {
            Ok(Answer::Stream(events)) => Ok(Answer::Stream(Watched { events, permit: Some(permit) }.boxed())),
            result => {
                settle(permit, &result);
                result
            }
        }
    }

    /// Asks for vectors, once.
    ///
    /// # Errors
    /// As [`Guarded::chat`].
    pub async fn embed(&self, model: &str, texts: &[String]) -> Result<EmbedReply> {
        let permit = self.enter(model)?;
        let result = self.provider.embed(model, texts).await;
        settle(permit, &result);
        result
    }

    fn enter(&self, model: &str) -> Result<Permit> {
        self.breakers.enter(model).map_err(|wait| {
            let message = format!(
                "{model} failed too often and is left alone for {:.1} s: wait, or name fallbacks=",
                wait.as_secs_f64()
            );
            ProviderError { retry_after: Some(wait), ..self.failures.unavailable(&message) }.into()
        })
    }
}

fn settle<T>(permit: Permit, result: &Result<T>) {
    match result {
        Err(Error::Provider(error)) if is_outage(error) => permit.fail(),
        // The request itself is at fault, and was not sent.
        Err(Error::InvalidArgument(_) | Error::Config(_)) => drop(permit),
        _ => permit.succeed(),
    }
}

/// Whether the provider is down, rather than busy or right to refuse.
fn is_outage(error: &ProviderError) -> bool {
    error.kind == ProviderErrorKind::Unavailable
}

/// A stream that tells the breaker how it went.
struct Watched {
    events: EventStream,
    permit: Option<Permit>,
}

impl Stream for Watched {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = ready!(self.events.poll_next_unpin(context));
        let permit = match &event {
            Some(Event::Error(_) | Event::Stop { .. }) | None => self.permit.take(),
            Some(_) => None,
        };
        if let Some(permit) = permit {
            match &event {
                Some(Event::Error(error)) if is_outage(error) => permit.fail(),
                _ => permit.succeed(),
            }
        }
        Poll::Ready(event)
    }
}
