//! One request of a workload, and what is known about its right answer.

use crate::queue::Priority;
use serde::{Serialize, Serializer};

/// What a request is to the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// The plain wording of a question.
    Plain,
    /// Another wording of a question; the answer is that of the plain one.
    Paraphrase,
    /// A later turn of a session, short, which means nothing without the turns before it.
    FollowUp,
    /// A question about a document that comes with it.
    Document,
}

impl QuestionKind {
    /// The name, as in `paraphrase`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Paraphrase => "paraphrase",
            Self::FollowUp => "follow_up",
            Self::Document => "document",
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryMessage {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// The text.
    pub content: String,
}

/// One request of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadRequest {
    /// Its place in the workload, from 0.
    pub index: u64,
    /// The model to ask, where the workload says one.
    pub model: Option<String>,
    /// The last user message.
    pub prompt: String,
    /// The turns before the prompt, oldest first.
    pub history: Vec<HistoryMessage>,
    /// On whose behalf.
    pub tenant: String,
    /// How urgent.
    #[serde(serialize_with = "by_name")]
    pub priority: Priority,
    /// Two requests with the same key are rightly served by one answer, two with different keys never are.
    pub answer_key: String,
    /// What the request is to the cache.
    pub kind: QuestionKind,
    /// Whether the question differs from a more popular one in exactly one slot.
    pub near_miss: bool,
    /// What is asked about, as in `scope1`.
    pub topic: String,
    /// `en`, `de`, `fr` or `pt`.
    pub language: String,
    /// The session it belongs to.
    pub session: Option<u64>,
    /// Its turn in the session, from 0.
    pub turn: u32,
    /// About how many tokens go in: four bytes a token.
    pub input_tokens: u64,
    /// How many tokens are to come out.
    pub output_tokens: u64,
}

impl LoadRequest {
    /// A request with nothing but a prompt, for targets that need no workload.
    #[must_use]
    pub fn new(prompt: impl Into<String>) -> Self {
        let prompt = prompt.into();
        Self {
            index: 0,
            model: None,
            history: Vec::new(),
            tenant: "default".into(),
            priority: Priority::Normal,
            answer_key: prompt.clone(),
            kind: QuestionKind::Plain,
            near_miss: false,
            topic: String::new(),
            language: "en".into(),
            session: None,
            turn: 0,
            input_tokens: estimate_tokens(&prompt),
            output_tokens: 0,
            prompt,
        }
    }

    /// The whole conversation, the prompt last.
    pub fn messages(&self) -> impl Iterator<Item = (&str, &str)> {
        let history = self.history.iter().map(|message| (message.role, message.content.as_str()));
        history.chain(std::iter::once(("user", self.prompt.as_str())))
    }

    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and integers alone have no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn by_name<S: Serializer>(priority: &Priority, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(priority.name())
}

/// Tokens at four bytes each, rounded up: OpenAI's rule of thumb for English.
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// The BLAKE3 digest, in hexadecimal, of requests as JSON lines.
pub fn digest<'a>(requests: impl IntoIterator<Item = &'a LoadRequest>) -> String {
    let mut hasher = blake3::Hasher::new();
    for request in requests {
        hasher.update(request.to_json().as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}
