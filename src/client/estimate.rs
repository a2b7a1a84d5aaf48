//! The most that a call may use, before it is made: what a budget sets aside.

use super::ChatCall;
use crate::cost::usage::Usage;
use serde_json::Value;

/// Tokens are seldom shorter than three bytes in any language; the count errs towards too many.
const BYTES_PER_TOKEN: u64 = 3;
/// What a message takes beside its text.
const TOKENS_PER_MESSAGE: u64 = 8;
/// What an answer without `max_tokens` is expected to stay below.
const MOST_OUTPUT_TOKENS: u64 = 4096;

/// Tokens of a text at the most.
pub(super) fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_PER_TOKEN)
}

/// The most that a call may use.
pub(super) fn worst_case(call: &ChatCall) -> Usage {
    let of = |value: Option<&Value>| match value {
        Some(Value::String(text)) => tokens(text),
        Some(Value::Null) | None => 0,
        Some(other) => tokens(&other.to_string()),
    };
    let messages: u64 = call.messages.iter().map(|message| of(message.get("content")) + TOKENS_PER_MESSAGE).sum();
    let schemas = of(call.parameters.get("tools")) + of(call.parameters.get("response_format"));
    let number = |name: &str| call.parameters.get(name).and_then(Value::as_u64);
    let most = number("max_completion_tokens").or_else(|| number("max_tokens")).unwrap_or(MOST_OUTPUT_TOKENS);
    Usage {
        input_tokens: messages + schemas,
        output_tokens: most.saturating_mul(number("n").unwrap_or(1)),
        ..Usage::default()
    }
}
