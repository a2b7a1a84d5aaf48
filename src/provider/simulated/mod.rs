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

use super::failure::{malformed, unavailable};
use super::{ChatRequest, ChatResponse, ChunkStream, EmbedResponse, Provider};
use crate::usage::Usage;
use crate::{Error, ProviderError, ProviderErrorKind, Result};
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
}

impl Simulated {
    /// A provider with its own count of requests.
    #[must_use]
    pub fn new(config: SimulatedConfig) -> Self {
        Self { engine: Arc::new(Engine::new(config)) }
    }

    /// What answers.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The error of a fault, as the HTTP provider would report it.
    async fn fail(&self, fault: Fault) -> Result<()> {
        let name = self.name();
        let status = |kind, code, wait: Option<Duration>| -> Error {
            ProviderError {
                kind,
                provider: name.to_owned(),
                message: format!("HTTP {code}: simulated fault {}", fault.name()),
                status_code: Some(code),
                retry_after: wait,
                request_id: None,
                is_retryable: true,
            }
            .into()
        };
        match fault {
            Fault::RateLimit => {
                Err(status(ProviderErrorKind::RateLimited, 429, Some(self.engine.config().retry_after)))
            }
            Fault::ServerError => Err(status(ProviderErrorKind::Unavailable, 500, None)),
            Fault::Unavailable => Err(status(ProviderErrorKind::Unavailable, 503, None)),
            Fault::Reset => Err(unavailable(name, "broke the connection off (simulated)").into()),
            Fault::Malformed => Err(malformed(name, "{\"choices\": [")),
            Fault::Stall => {
                tokio::time::sleep(self.engine.config().stall).await;
                Ok(())
            }
            Fault::Truncate => Ok(()),
        }
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

    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse> {
        let turn = self.engine.begin(request)?;
        if let Some(fault) = turn.fault {
            self.fail(fault).await?;
        }
        pause(self.engine.duration(&turn)).await;
        let raw = self.engine.completion(&turn);
        ChatResponse::from_openai(raw).ok_or_else(|| malformed(self.name(), "no choice"))
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChunkStream> {
        let turn = self.engine.begin(request)?;
        if let Some(fault) = turn.fault {
            self.fail(fault).await?;
        }
        let (first, gap) = self.engine.pace();
        let cut = (turn.fault == Some(Fault::Truncate))
            .then(|| Err(unavailable(self.name(), "ended the stream before it was whole: try again").into()));
        let mut chunks = self.engine.chunks(&turn);
        if cut.is_some() {
            chunks.truncate(chunks.len() / 2);
        }
        let stream = futures_util::stream::iter(chunks.into_iter().map(Ok).chain(cut).enumerate());
        Ok(stream
            .then(move |(index, chunk)| async move {
                pause(if index == 0 { first } else { gap }).await;
                chunk
            })
            .boxed())
    }

    async fn embed(&self, model: &str, texts: &[String]) -> Result<EmbedResponse> {
        let (vectors, tokens) = self.engine.embed(model, texts)?;
        pause(self.engine.pace().0).await;
        Ok(EmbedResponse { vectors, usage: Some(Usage { input_tokens: tokens, ..Usage::default() }) })
    }
}
