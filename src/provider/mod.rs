//! The providers: one trait, the registry of those that are known, and what stands before each of them (a breaker).

mod batch;
mod breaker;
mod extra_budget;
mod failure;
mod gate;
mod gradient;
mod guarded;
mod http;
mod registry;
mod retry;
mod secret;
pub mod simulated;
mod sse;

pub use batch::{BatchLine, BatchLines, BatchProvider};
pub use breaker::{BreakerConfig, BreakerState};
pub(crate) use gradient::Gradient;
pub use gradient::GradientConfig;
pub use guarded::Guarded;
pub use http::{HttpProvider, HttpProviderConfig};
pub use registry::{Authentication, ProviderRow, protocol, registry};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub(crate) use sse::SseDecoder;
#[cfg(any(test, fuzzing))]
pub(crate) use {failure::waits_of, http::events_of, sse::TooLarge};

use crate::Result;
use crate::chat::{Event, Reply, Request};
use crate::usage::UsageReport;
use crate::wire::Protocol;
pub use crate::wire::batch::{BatchLimits, BatchState};
use async_trait::async_trait;
use futures_util::stream::BoxStream;

/// The events of one reply. An error in it is its last event.
pub type EventStream = BoxStream<'static, Event>;

/// What a provider gives to a request.
pub enum Answer {
    /// The reply, whole.
    Whole(Box<Reply>),
    /// The reply as it comes.
    Stream(EventStream),
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(reply) => f.debug_tuple("Whole").field(reply).finish(),
            Self::Stream(_) => f.write_str("Stream(..)"),
        }
    }
}

/// Vectors for texts.
#[derive(Debug, Clone)]
pub struct EmbedReply {
    /// A vector a text, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// What it used, where the provider told it.
    pub usage: Option<UsageReport>,
}

/// A provider of models.
#[async_trait]
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// The name before the slash of its models, as in `openai`.
    fn name(&self) -> &str;

    /// The models that it is known to have; empty where it takes any.
    fn models(&self) -> Vec<String> {
        Vec::new()
    }

    /// Asks for the models that it lists; None where it has no list.
    ///
    /// # Errors
    /// `Provider`.
    async fn list_models(&self) -> Result<Option<Vec<String>>> {
        Ok(Some(self.models()).filter(|models| !models.is_empty()))
    }

    /// The protocol that it speaks: a streamed reply's `raw` is written in it.
    fn protocol(&self) -> &'static dyn Protocol;

    /// Asks for a reply, once. `request.model` is the provider's own name of the model.
    ///
    /// # Errors
    /// `Provider`, `InvalidArgument`.
    async fn chat(&self, request: &Request, stream: bool) -> Result<Answer>;

    /// Asks for vectors, once.
    ///
    /// # Errors
    /// `Provider`, `InvalidArgument`.
    async fn embed(&self, model: &str, texts: &[String]) -> Result<EmbedReply>;

    /// How it takes many requests as one batch, at a lower price; None where it does not.
    fn batches(&self) -> Option<&dyn BatchProvider> {
        None
    }
}
