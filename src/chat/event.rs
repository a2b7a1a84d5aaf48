//! The events that a reply comes in.

use super::{Part, Stop};
use crate::ProviderError;
use crate::usage::UsageReport;
use serde_json::Value;

/// Where in a reply something belongs: which choice, and which of its parts. Parts are put in the order of their number,
/// in whatever order their pieces come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The choice, from 0.
    pub choice: u32,
    /// The part; numbers need not follow one another.
    pub part: u32,
}

/// One step of a reply.
#[derive(Debug, Clone)]
pub enum Event {
    /// The provider has begun. Told once, before everything else, where it is told.
    Start {
        /// The provider's id of the reply.
        id: Option<String>,
        /// The model, as the provider names it.
        model: Option<String>,
    },
    /// Words.
    Text {
        /// Where they belong.
        at: Place,
        /// What they add.
        text: String,
    },
    /// Thoughts.
    Reasoning {
        /// Where they belong.
        at: Place,
        /// What they add.
        text: String,
        /// The provider's proof of them, where this event tells it.
        signature: Option<String>,
    },
    /// The model begins to ask for a tool.
    ToolCallStart {
        /// Where the call belongs.
        at: Place,
        /// Its id.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of a call's arguments.
    ToolCallDelta {
        /// Where the call belongs.
        at: Place,
        /// The JSON text that it adds.
        arguments: String,
    },
    /// The model declines.
    Refusal {
        /// Where the words belong.
        at: Place,
        /// What they add.
        text: String,
    },
    /// What the words of a part cite.
    Citation {
        /// The part.
        at: Place,
        /// As the provider tells it.
        citation: Value,
    },
    /// A part that has more than the events above say. Several at one place are pieces of one part, and are joined.
    Part {
        /// Where it belongs.
        at: Place,
        /// The part.
        part: Part,
    },
    /// A field that has no name here, such as a choice's `logprobs` or a reply's `system_fingerprint`. In a choice lists are
    /// joined, and objects field by field; all else is replaced.
    Extra {
        /// The choice; None is the reply itself.
        choice: Option<u32>,
        /// The field's name.
        name: String,
        /// What it adds.
        value: Value,
    },
    /// What the call used so far; the last one counts.
    Usage(UsageReport),
    /// A choice is over.
    Stop {
        /// The choice.
        choice: u32,
        /// Why.
        stop: Stop,
    },
    /// The reply failed.
    Error(Box<ProviderError>),
}

impl Event {
    /// Where it belongs, where it says something of a part.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Text { at, .. }
            | Self::Reasoning { at, .. }
            | Self::ToolCallStart { at, .. }
            | Self::ToolCallDelta { at, .. }
            | Self::Refusal { at, .. }
            | Self::Citation { at, .. }
            | Self::Part { at, .. } => Some(*at),
            Self::Start { .. } | Self::Extra { .. } | Self::Usage(_) | Self::Stop { .. } | Self::Error(_) => None,
        }
    }
}
