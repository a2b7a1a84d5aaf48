//! Why a model stopped, in Gemini's words.

use crate::chat::Stop;

/// Words for what a filter held back (<https://ai.google.dev/api/generate-content#FinishReason>).
const HELD_BACK: [&str; 9] = [
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
];

/// Reads a `finishReason`.
pub(super) fn read(word: &str, has_calls: bool) -> Stop {
    match word {
        "STOP" if has_calls => Stop::ToolCalls,
        "STOP" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        held if HELD_BACK.contains(&held) => Stop::ContentFilter,
        other => Stop::Unknown(other.to_owned()),
    }
}

/// Writes a `finishReason`. Gemini has no word for a refusal but that something was held back.
pub(super) fn write(stop: &Stop) -> &str {
    match stop {
        Stop::End | Stop::ToolCalls => "STOP",
        Stop::Length => "MAX_TOKENS",
        Stop::ContentFilter | Stop::Refusal => "SAFETY",
        Stop::Cancelled | Stop::Error => "OTHER",
        Stop::Unknown(word) => word,
    }
}
