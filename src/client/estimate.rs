//! The most that a call may use, before it is made: what a budget sets aside.

use super::ChatCall;
use crate::cost::price::PriceTable;
use crate::cost::tokens::{self, TokenCount};
use crate::usage::Usage;
use serde_json::Value;

/// What an answer without `max_tokens` is taken to have where only the order of size matters, as for a limit on tokens a
/// minute: a model's longest answer would let hardly any call through.
const USUAL_OUTPUT_TOKENS: u64 = 4096;

/// The most that a call may use: its text by the model's splitter or a bound on it, and as much output as it asks for, or as
/// the model gives at most.
pub(super) fn worst_case(call: &ChatCall, model: &str, prices: &PriceTable) -> Usage {
    let most = asked_output(call).unwrap_or_else(|| tokens::most_output(prices, model));
    Usage::new(input(call, model).most, most.saturating_mul(answers(call)))
}

/// About how many tokens a call will have, for limits on tokens a minute.
pub(super) fn rough_tokens(call: &ChatCall) -> u64 {
    let output = asked_output(call).unwrap_or(USUAL_OUTPUT_TOKENS).saturating_mul(answers(call));
    input(call, &call.model).tokens.saturating_add(output)
}

/// What a provider that says nothing is taken to have used for an answer.
pub(super) fn likely(call: &ChatCall, model: &str, answer: &str) -> Usage {
    Usage::new(input(call, model).tokens, tokens::of_text(model, answer).tokens)
}

/// The messages, and the schemas that go with them.
fn input(call: &ChatCall, model: &str) -> TokenCount {
    let mut sum = tokens::of_list(model, &call.messages);
    for name in ["tools", "response_format"] {
        if let Some(schema) = call.parameters.get(name).filter(|schema| !schema.is_null()) {
            let found = tokens::of_text(model, &schema.to_string());
            sum.tokens = sum.tokens.saturating_add(found.tokens);
            sum.most = sum.most.saturating_add(found.most);
        }
    }
    sum
}

fn asked_output(call: &ChatCall) -> Option<u64> {
    let number = |name: &str| call.parameters.get(name).and_then(Value::as_u64);
    number("max_completion_tokens").or_else(|| number("max_tokens"))
}

fn answers(call: &ChatCall) -> u64 {
    call.parameters.get("n").and_then(Value::as_u64).unwrap_or(1)
}
