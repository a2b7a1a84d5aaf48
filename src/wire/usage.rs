//! What a reply tells of its usage, and usage as the protocols write it.

use crate::usage::UsageReport;
use serde_json::{Map, Number, Value, json};

/// What a reply, or one piece of a stream, tells of its usage.
pub(super) fn told(reply: &Value) -> Option<UsageReport> {
    UsageReport::from_response(reply).ok()
}

/// The usage of OpenAI's chat.
pub(super) fn openai_chat(told: &UsageReport) -> Value {
    let usage = &told.usage;
    let mut fields = json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens(),
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens, "audio_tokens": usage.input_audio_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": usage.output_audio_tokens},
    });
    if usage.cache_write_tokens > 0 {
        fields["prompt_tokens_details"]["cache_write_tokens"] = usage.cache_write_tokens.into();
    }
    if let Some(cost) = told.cost_usd.as_deref().and_then(number) {
        fields["cost"] = cost;
    }
    fields
}

/// The usage of OpenAI's Responses.
pub(super) fn openai_responses(told: &UsageReport) -> Value {
    let usage = &told.usage;
    let mut fields = json!({
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens(),
    });
    for (side, name, count) in [
        ("input_tokens_details", "audio_tokens", usage.input_audio_tokens),
        ("output_tokens_details", "audio_tokens", usage.output_audio_tokens),
    ] {
        if count > 0 {
            fields[side][name] = count.into();
        }
    }
    if let Some(cost) = told.cost_usd.as_deref().and_then(number) {
        fields["cost"] = cost;
    }
    fields
}

/// The usage of Anthropic's messages: its input leaves out what was read from and written to the cache.
pub(super) fn anthropic(told: &UsageReport) -> Map<String, Value> {
    let usage = &told.usage;
    let cached = usage.cached_input_tokens.saturating_add(usage.cache_write_tokens);
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("input_tokens", usage.input_tokens.saturating_sub(cached).into());
    set("cache_creation_input_tokens", usage.cache_write_tokens.into());
    set("cache_read_input_tokens", usage.cached_input_tokens.into());
    set("output_tokens", usage.output_tokens.into());
    if usage.reasoning_tokens > 0 {
        set("output_tokens_details", json!({"reasoning_tokens": usage.reasoning_tokens}));
    }
    if let Some(cost) = told.cost_usd.as_deref().and_then(number) {
        set("cost", cost);
    }
    fields
}

/// The usage of Gemini: thoughts are counted beside the answer.
pub(super) fn gemini(told: &UsageReport) -> Value {
    let usage = &told.usage;
    let mut fields = json!({
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens.saturating_sub(usage.reasoning_tokens),
        "totalTokenCount": usage.total_tokens(),
    });
    for (name, count) in
        [("cachedContentTokenCount", usage.cached_input_tokens), ("thoughtsTokenCount", usage.reasoning_tokens)]
    {
        if count > 0 {
            fields[name] = count.into();
        }
    }
    if let Some(cost) = told.cost_usd.as_deref().and_then(number) {
        fields["cost"] = cost;
    }
    fields
}

fn number(text: &str) -> Option<Value> {
    serde_json::from_str::<Number>(text).ok().map(Value::Number)
}
