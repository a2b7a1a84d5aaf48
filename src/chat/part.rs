//! What messages and replies are made of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One part of a message or of a reply.
///
/// `extra` holds the fields of a part that have no name here, such as `cache_control`; they pass through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
        /// What the words cite, as the provider tells it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Value>,
        /// Fields without a name here.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        extra: Map<String, Value>,
    },
    /// A picture.
    Image(Media),
    /// A recording.
    Audio(Media),
    /// A document, such as a PDF.
    File(Media),
    /// The model asks for a tool to be run.
    ToolCall(ToolCall),
    /// What a tool gave.
    ToolResult(ToolResult),
    /// The model's own thoughts.
    Reasoning(Reasoning),
    /// The model declines, in its words.
    Refusal {
        /// The words.
        text: String,
    },
    /// A part of a kind that has no name here, in the JSON of the protocol that it came in.
    Other {
        /// The whole part.
        value: Value,
    },
}

impl Part {
    /// Words alone.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), citations: Vec::new(), extra: Map::new() }
    }

    /// The words of a text part.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// A picture, a recording or a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Where its bytes are.
    pub source: Source,
    /// Its name, as in `report.pdf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields without a name here, such as `detail`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Where the bytes of a [`Media`] are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// At an address.
    Url(String),
    /// Here, in base64.
    Inline {
        /// Such as `image/png`; for a recording in OpenAI's chat its format, such as `audio/wav`.
        media_type: String,
        /// Base64, as it came.
        data: String,
    },
    /// At the provider, under an id that the provider gave.
    Id(String),
}

/// The model asks for a tool to be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What its result is told under.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as JSON text, as the model wrote it.
    pub arguments: String,
    /// Fields without a name here.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The id of the call.
    pub id: String,
    /// What it gave: text, pictures.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    #[serde(default)]
    pub is_error: bool,
    /// Fields without a name here.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// The model's own thoughts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reasoning {
    /// The words; empty where the provider keeps them to itself.
    pub text: String,
    /// What the provider wants back with them, to know them for its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The thoughts where the provider gives them encrypted only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
}
