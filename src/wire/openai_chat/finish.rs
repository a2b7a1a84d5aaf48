//! Why a model stopped, in the words of OpenAI's chat and of those who follow it.

use crate::chat::Stop;
use crate::wire::ToldError;

/// Reads a `finish_reason`.
///
/// # Errors
/// The word says that the provider failed.
pub(super) fn read(word: &str, has_calls: bool) -> Result<Stop, ToldError> {
    Ok(match word {
        // A model that asks for tools waits for them, whatever the server calls it.
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" if has_calls => Stop::ToolCalls,
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" => Stop::End,
        "length" | "max_tokens" | "model_length" => Stop::Length,
        "tool_calls" | "function_call" => Stop::ToolCalls,
        "content_filter" => Stop::ContentFilter,
        "refusal" => Stop::Refusal,
        "cancelled" | "abort" => Stop::Cancelled,
        "error" | "insufficient_system_resource" => {
            let message = format!("the provider broke the answer off (finish_reason {word:?})");
            return Err(ToldError { message, code: Some(word.to_owned()), ..ToldError::default() });
        }
        other => Stop::Unknown(other.to_owned()),
    })
}

/// Writes a `finish_reason`. OpenAI has no word for a refusal but that something was held back.
pub(super) fn write(stop: &Stop) -> &str {
    match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::ToolCalls => "tool_calls",
        Stop::ContentFilter | Stop::Refusal => "content_filter",
        Stop::Cancelled => "cancelled",
        Stop::Error => "error",
        Stop::Unknown(word) => word,
    }
}
