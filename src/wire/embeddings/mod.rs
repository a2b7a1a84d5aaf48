//! Vectors for texts, as the protocols ask for them and tell them.

mod gemini;
mod openai;

use super::{Protocol, ToldError, json};
use crate::usage::UsageReport;
use serde_json::Value;

/// The vectors of a reply, in the order of the texts, and what they used where it was told.
pub(crate) type Vectors = (Vec<Vec<f32>>, Option<UsageReport>);

/// How a protocol asks for vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EmbedForm {
    /// OpenAI's, which goes with both of its protocols.
    OpenAi,
    /// Gemini's.
    Gemini,
}

impl EmbedForm {
    /// The form that goes with a protocol; None where it has no vectors.
    pub(crate) fn of(protocol: &dyn Protocol) -> Option<Self> {
        match protocol.name() {
            "openai_chat" | "openai_responses" => Some(Self::OpenAi),
            "gemini" => Some(Self::Gemini),
            _ => None,
        }
    }

    /// The path behind the provider's address.
    pub(crate) fn path(self, model: &str) -> String {
        match self {
            Self::OpenAi => "/embeddings".into(),
            Self::Gemini => gemini::path(model),
        }
    }

    /// The body that asks for vectors.
    pub(crate) fn write_request(self, model: &str, texts: &[String]) -> Value {
        match self {
            Self::OpenAi => openai::write_request(model, texts),
            Self::Gemini => gemini::write_request(model, texts),
        }
    }

    /// Reads the body of a reply to `count` texts: a vector for each of them.
    ///
    /// # Errors
    /// What the provider says went wrong, or why the body is no vectors for these texts.
    pub(crate) fn read_reply(self, body: &[u8], count: usize, protocol: &dyn Protocol) -> Result<Vectors, ToldError> {
        match self {
            Self::OpenAi => openai::read_reply(body, count, protocol),
            Self::Gemini => gemini::read_reply(body, count, protocol),
        }
    }
}

/// What a body says that cannot be read as vectors.
fn unread(body: &[u8], protocol: &dyn Protocol) -> ToldError {
    let told = json::parse(body).ok().and_then(|body| protocol.read_error(&body));
    told.unwrap_or_else(|| ToldError::malformed(&String::from_utf8_lossy(body)))
}
