//! The protocols, both ways: bytes to the types of [`chat`](crate::chat) and back. One file or folder a protocol.
//!
//! A protocol knows its JSON and nothing else: no address, no key, no HTTP. What a provider does differently within a
//! protocol is a [`Quirks`] of its row in the registry.

pub mod anthropic;
pub(crate) mod batch;
mod effort;
pub(crate) mod embeddings;
mod fault;
mod fields;
pub mod gemini;
mod heard;
pub mod json;
mod media;
pub mod openai_chat;
pub mod openai_responses;
mod own;
mod usage;

use crate::chat::{Event, Reply, Request};
use crate::{ProviderError, ProviderErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

/// A protocol of chat completions, from both sides.
///
/// The asking side writes requests and reads replies; the served side reads requests and writes replies.
pub trait Protocol: Send + Sync + std::fmt::Debug {
    /// Its name in the registry, as in `openai_chat`.
    fn name(&self) -> &'static str;

    /// The path of a chat behind the provider's address, as in `/chat/completions`; some protocols name the model in it, or
    /// have another for a stream. A query of its own may follow.
    fn path(&self, model: &str, stream: bool) -> String;

    /// The body that asks for `request`, whole or as a stream.
    ///
    /// # Errors
    /// `InvalidArgument`: the protocol has no form for something that the request cannot do without.
    fn write_request(&self, request: &Request, stream: bool, quirks: &Quirks) -> Result<Value>;

    /// Reads the body of a successful reply; its `raw` is the body.
    ///
    /// # Errors
    /// What the provider says went wrong, or that the body is no reply of this protocol.
    fn read_reply(&self, body: Value) -> Result<Reply, ToldError>;

    /// Reads a stream.
    fn event_reader(&self) -> Box<dyn EventReader>;

    /// What the body of a failed reply says; None where it says nothing that is known.
    fn read_error(&self, body: &Value) -> Option<ToldError>;

    /// Reads a request as a client of this protocol sends it.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the field: what was given, what is expected.
    fn read_request(&self, body: Value) -> Result<Incoming>;

    /// The body of a reply. What the protocol has no form for is left out; `raw` is not used.
    fn write_reply(&self, reply: &Reply) -> Value;

    /// Writes a stream.
    fn event_writer(&self, options: WriterOptions) -> Box<dyn EventWriter>;

    /// The body of an error.
    fn write_error(&self, error: &ToldError) -> Value;
}

/// The protocols that there are.
#[must_use]
pub fn protocols() -> [&'static dyn Protocol; 4] {
    [&openai_chat::PROTOCOL, &openai_responses::PROTOCOL, &anthropic::PROTOCOL, &gemini::PROTOCOL]
}

/// A name as one segment of a path, whatever characters are in it; dots alone would lead out of it.
pub(crate) fn segment(name: &str) -> String {
    if name.chars().all(|letter| letter == '.') {
        return "_".into();
    }
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(escape).collect()
}

/// What a provider does differently within a protocol.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// The name of the limit on output tokens in OpenAI's chat.
    pub max_tokens_name: String,
    /// Whether the provider takes `stream_options`, to tell usage at a stream's end.
    pub stream_options: bool,
    /// Whether the provider takes the reasoning of earlier turns back, as `reasoning_content`.
    pub takes_reasoning: bool,
    /// Whether the provider knows the role `developer`; else it becomes `system`.
    pub developer_role: bool,
    /// What stands before the protocol's path, with `{model}` for the model, as in `/deployments/{model}`.
    pub path_prefix: String,
    /// Output tokens to ask for where the caller named none and the protocol wants a number.
    pub default_max_tokens: u64,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            max_tokens_name: "max_tokens".into(),
            stream_options: true,
            takes_reasoning: true,
            developer_role: true,
            path_prefix: String::new(),
            default_max_tokens: 4096,
        }
    }
}

/// Reads the server-sent events of one stream.
pub trait EventReader: Send {
    /// Reads one server-sent event; `name` is empty where it has none. Events are appended to `out`; an error in the
    /// stream is the last of them.
    fn read(&mut self, name: &str, data: &str, out: &mut Vec<Result<Event, ToldError>>);

    /// Whether the protocol's end of the stream was read, so that nothing may follow.
    fn is_done(&self) -> bool;
}

/// Writes the server-sent events of one stream.
pub trait EventWriter: Send {
    /// What one event becomes: none, one or several server-sent events.
    fn write(&mut self, event: &Event) -> Vec<Frame>;

    /// What ends the stream.
    fn end(&mut self) -> Vec<Frame>;
}

/// How a stream is to be written.
#[derive(Debug, Clone, Default)]
pub struct WriterOptions {
    /// The model, as the client named it.
    pub model: String,
    /// Whether the client asked for usage at the end.
    pub include_usage: bool,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its name, where the protocol gives one.
    pub name: Option<&'static str>,
    /// Its data: JSON, or a marker such as `[DONE]`.
    pub data: String,
}

/// A request that a client of a protocol sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// What is asked.
    pub request: Request,
    /// Whether the reply is to come as a stream.
    pub stream: bool,
    /// Whether the stream is to tell usage.
    pub include_usage: bool,
}

/// An error in a provider's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToldError {
    /// The words.
    pub message: String,
    /// The provider's code, as in `context_length_exceeded`.
    pub code: Option<String>,
    /// The provider's kind, as in `invalid_request_error` or `overloaded_error`.
    pub kind: Option<String>,
    /// The HTTP status that belongs to it, where the body tells one.
    pub status: Option<u16>,
    /// Whether this is no error of the provider's but a reply that cannot be read.
    pub is_malformed: bool,
}

impl ToldError {
    /// A reply that is not what the protocol promises.
    #[must_use]
    pub fn malformed(found: &str) -> Self {
        Self { message: found.to_owned(), is_malformed: true, ..Self::default() }
    }

    /// A provider's error, as the clients of a protocol are told it.
    #[must_use]
    pub fn from_provider(error: &ProviderError) -> Self {
        let kind = match error.kind {
            ProviderErrorKind::RateLimited => "rate_limit_error",
            ProviderErrorKind::Rejected | ProviderErrorKind::ContextLength => "invalid_request_error",
            // The caller's own key and account are not at fault.
            ProviderErrorKind::Authentication | ProviderErrorKind::Billing | ProviderErrorKind::Unavailable => {
                "api_error"
            }
        };
        Self { message: error.to_string(), kind: Some(kind.into()), status: error.status_code, ..Self::default() }
    }
}

/// The time, which replies are stamped with.
fn now() -> std::time::Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
