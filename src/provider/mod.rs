//! The providers: one trait, and what stands before each of them (retries, a breaker).

mod breaker;
mod failure;
mod openai;
mod resilient;
mod retry;
mod secret;
pub mod simulated;
mod sse;

pub use breaker::{BreakerConfig, BreakerState};
pub use openai::{OpenAiCompatible, OpenAiConfig};
pub use resilient::Resilient;
pub use retry::RetryPolicy;
pub use secret::Secret;

use crate::usage::Usage;
use crate::{Error, Result};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value};

/// A chat completion to be asked for. `model` is the provider's own name for it.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model, without the provider before it.
    pub model: String,
    /// Messages with `role` and `content`, as in OpenAI's API.
    pub messages: Vec<Value>,
    /// Everything else of the request body: temperature, tools, `response_format`, ...
    pub parameters: Map<String, Value>,
}

impl ChatRequest {
    /// Refuses what every provider refuses, before anything is sent or paid.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the message or the parameter.
    pub fn validate(&self) -> Result<()> {
        if self.messages.is_empty() {
            return Err(Error::invalid("messages is empty: give at least one message with role and content"));
        }
        for (index, message) in self.messages.iter().enumerate() {
            let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
            if role.is_empty() {
                return Err(Error::invalid(format!(
                    "message {index} has no role: give {{\"role\": \"user\", \"content\": ...}}"
                )));
            }
            let blank = match message.get("content") {
                Some(Value::String(text)) => text.trim().is_empty(),
                Some(Value::Array(parts)) => parts.is_empty(),
                _ => true,
            };
            if blank && role == "user" {
                return Err(Error::invalid(format!("message {index} of the user is empty: give a question")));
            }
        }
        let within = |name: &str, least: f64, most: f64| match self.parameters.get(name) {
            None | Some(Value::Null) => Ok(()),
            Some(value) => match value.as_f64() {
                Some(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(Error::invalid(format!("{name} is {value}: give a number from {least} to {most}"))),
            },
        };
        within("temperature", 0.0, 2.0)?;
        within("top_p", 0.0, 1.0)?;
        within("presence_penalty", -2.0, 2.0)?;
        within("frequency_penalty", -2.0, 2.0)?;
        for name in ["max_tokens", "max_completion_tokens"] {
            match self.parameters.get(name) {
                None | Some(Value::Null) => {}
                Some(value) if value.as_u64().is_some_and(|tokens| tokens > 0) => {}
                Some(value) => {
                    return Err(Error::invalid(format!("{name} is {value}: give a whole number, 1 or more")));
                }
            }
        }
        Ok(())
    }

    /// The body of the HTTP request.
    #[must_use]
    pub fn body(&self, stream: bool) -> Value {
        let mut body = self.parameters.clone();
        body.insert("model".into(), self.model.clone().into());
        body.insert("messages".into(), Value::Array(self.messages.clone()));
        if stream {
            body.insert("stream".into(), true.into());
            body.entry("stream_options").or_insert_with(|| serde_json::json!({"include_usage": true}));
        }
        Value::Object(body)
    }
}

/// A chat completion.
#[derive(Debug, Clone)]
pub struct ChatResponse {
    /// The text of the first choice.
    pub text: String,
    /// Why the model stopped: `stop`, `length`, `tool_calls`, ...
    pub finish_reason: Option<String>,
    /// Whether the answer asks for a tool.
    pub has_tool_calls: bool,
    /// What it used, as the provider says.
    pub usage: Option<Usage>,
    /// The whole reply.
    pub raw: Value,
}

impl ChatResponse {
    /// Reads a reply in the shape of OpenAI's chat completions.
    #[must_use]
    pub fn from_openai(raw: Value) -> Option<Self> {
        let choice = raw.get("choices")?.get(0)?;
        let message = choice.get("message")?;
        let text = message.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
        let has_tool_calls = message.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty());
        let finish_reason = choice.get("finish_reason").and_then(Value::as_str).map(str::to_owned);
        let usage = Usage::from_response(&raw).ok();
        Some(Self { text, finish_reason, has_tool_calls, usage, raw })
    }

    /// Whether the answer is whole and can answer again: no tool call, not cut off.
    #[must_use]
    pub fn is_cacheable(&self) -> bool {
        !self.has_tool_calls
            && !self.text.is_empty()
            && matches!(self.finish_reason.as_deref(), None | Some("stop" | "end_turn"))
    }
}

/// Vectors for texts.
#[derive(Debug, Clone)]
pub struct EmbedResponse {
    /// A vector a text, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// What it used, as the provider says.
    pub usage: Option<Usage>,
}

/// Chunks of a streamed chat completion, in the shape of OpenAI's `chat.completion.chunk`.
pub type ChunkStream = BoxStream<'static, Result<Value>>;

/// Something that answers.
#[async_trait]
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// The name before the slash of its models, as in `openai`.
    fn name(&self) -> &str;

    /// The models that it is known to have; empty where it takes any.
    fn models(&self) -> Vec<String> {
        Vec::new()
    }

    /// Asks for a completion.
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse>;

    /// Asks for a completion in chunks.
    async fn stream(&self, request: &ChatRequest) -> Result<ChunkStream>;

    /// Asks for vectors.
    async fn embed(&self, model: &str, texts: &[String]) -> Result<EmbedResponse>;
}
