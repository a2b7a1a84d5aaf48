//! A provider that costs nothing: seeded answers to ESG questions, with the latency, limits and failures of a real one.
//!
//! In the process, or as a real HTTP server on the loopback: both run the same [`Engine`].

mod engine;
mod fault;
mod server;
mod text;

pub use engine::{Engine, SimulatedConfig};
pub use fault::{Fault, FaultPlan, FaultWindow};
pub use server::{ServerHandle, serve};

use super::failure::Failures;
use super::gate::Gate;
use super::{Answer, EmbedReply, Provider};
use crate::chat::{Event, Request};
use crate::usage::{Usage, UsageReport};
use crate::wire::openai_chat::PROTOCOL;
use crate::wire::{Protocol, ToldError};
use crate::{ProviderError, ProviderErrorKind, Result};
use async_trait::async_trait;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;

/// The models that it has.
pub const MODELS: [&str; 3] = ["esg", "echo", "embedding"];

/// The simulated provider inside the process.
#[derive(Debug, Clone)]
pub struct Simulated {
    engine: Arc<Engine>,
    failures: Arc<Failures>,
}

impl Simulated {
    /// A provider with its own count of requests.
    #[must_use]
    pub fn new(config: SimulatedConfig) -> Self {
        let failures = Failures::new("simulated", "the simulated provider", Gate::default());
        Self { engine: Arc::new(Engine::new(config)), failures: Arc::new(failures) }
    }

    /// What answers.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The error of a fault, as the HTTP provider would report it.
    async fn fail(&self, fault: Fault) -> Result<()> {
        let failures = &self.failures;
        let status = |kind, code| ProviderError {
            kind,
            status_code: Some(code),
            ..failures.unavailable(&format!("HTTP {code}: simulated fault {}", fault.name()))
        };
        let error = match fault {
            Fault::RateLimit => ProviderError {
                retry_after: Some(self.engine.config().retry_after),
                ..status(ProviderErrorKind::RateLimited, 429)
            },
            Fault::ServerError => status(ProviderErrorKind::Unavailable, 500),
            Fault::Unavailable => status(ProviderErrorKind::Unavailable, 503),
            Fault::Reset => failures.unavailable("broke the connection off (simulated)"),
            Fault::Malformed => failures.malformed("{\"choices\": ["),
            Fault::Stall => {
                tokio::time::sleep(self.engine.config().stall).await;
                return Ok(());
            }
            Fault::Truncate | Fault::StreamError | Fault::NoUsage => return Ok(()),
        };
        Err(error.into())
    }
}

/// What a stream, or a reply with HTTP 200, says of the fault in it.
fn told(fault: Fault) -> ToldError {
    ToldError {
        message: format!("simulated fault {}", fault.name()),
        kind: Some("server_error".into()),
        ..ToldError::default()
    }
}

/// A pause of nothing costs nothing; the timer would make it a millisecond.
async fn pause(length: Duration) {
    if !length.is_zero() {
        tokio::time::sleep(length).await;
    }
}

#[async_trait]
impl Provider for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn models(&self) -> Vec<String> {
        MODELS.map(str::to_owned).to_vec()
    }

    fn protocol(&self) -> &'static dyn Protocol {
        &PROTOCOL
    }

    async fn chat(&self, request: &Request, stream: bool) -> Result<Answer> {
        let draft = self.engine.begin(request)?;
        if let Some(fault) = draft.fault {
            self.fail(fault).await?;
        }
        if !stream {
            pause(self.engine.duration(&draft)).await;
            if let Some(fault @ Fault::StreamError) = draft.fault {
                return Err(self.failures.told(&told(fault), &reqwest::header::HeaderMap::new()).into());
            }
            let mut reply = draft.reply;
            reply.raw = PROTOCOL.write_reply(&reply);
            return Ok(Answer::Whole(Box::new(reply)));
        }
        let error = match draft.fault {
            Some(Fault::Truncate) => Some(self.failures.cut()),
            Some(fault @ Fault::StreamError) => {
                Some(self.failures.told(&told(fault), &reqwest::header::HeaderMap::new()))
            }
            _ => None,
        };
        let error = error.map(|error| Event::Error(Box::new(error)));
        let (first, gap) = self.engine.pace();
        let events = draft.events().into_iter().chain(error).enumerate();
        let events = futures_util::stream::iter(events).then(move |(index, event)| async move {
            pause(if index == 0 { first } else { gap }).await;
            event
        });
        Ok(Answer::Stream(events.boxed()))
    }

    async fn embed(&self, model: &str, texts: &[String]) -> Result<EmbedReply> {
        let (vectors, tokens) = self.engine.embed(model, texts)?;
        pause(self.engine.pace().0).await;
        Ok(EmbedReply { vectors, usage: Some(UsageReport::told(Usage::new(tokens, 0))) })
    }
}
