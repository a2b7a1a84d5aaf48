//! Why a model stopped, in Anthropic's words.

use crate::chat::Stop;

/// Reads a `stop_reason`.
pub(super) fn read(word: &str, has_calls: bool) -> Stop {
    match word {
        "end_turn" | "stop_sequence" if has_calls => Stop::ToolCalls,
        "end_turn" | "stop_sequence" => Stop::End,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::ToolCalls,
        "refusal" => Stop::Refusal,
        other => Stop::Unknown(other.to_owned()),
    }
}

/// Writes a `stop_reason`. What a filter held back is a refusal here.
pub(super) fn write(stop: &Stop, at_sequence: bool) -> &str {
    match stop {
        Stop::End if at_sequence => "stop_sequence",
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::ToolCalls => "tool_use",
        Stop::ContentFilter | Stop::Refusal => "refusal",
        Stop::Cancelled => "cancelled",
        Stop::Error => "error",
        Stop::Unknown(word) => word,
    }
}
