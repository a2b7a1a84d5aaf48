//! A streamed reply as one: later figures replace earlier ones.

use super::place;
use serde_json::{Map, Value, json};

/// The chunks of a stream's text: server-sent events, or a line each. `None` where a line is neither.
pub(super) fn chunks(text: &str) -> Option<Vec<Value>> {
    let is_field = |line: &str| ["event:", "id:", "retry:", ":"].iter().any(|field| line.starts_with(field));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_field(line));
    let data = lines.map(|line| line.strip_prefix("data:").unwrap_or(line).trim()).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).ok()).collect()
}

/// The usage of all chunks. Anthropic tells its input in `message_start` and its output in `message_delta`; the others
/// tell all at the end.
pub(super) fn merge(chunks: &[Value]) -> Value {
    let mut usage = Map::new();
    let mut tier = Value::Null;
    for chunk in chunks {
        let places = [Some(chunk), chunk.get("response"), chunk.get("message")];
        if let Some(found) = places.into_iter().flatten().find_map(place::told_tier) {
            tier = found.into();
        }
        let fields = place::block(chunk).and_then(Value::as_object);
        for (key, value) in fields.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            usage.insert(key.clone(), value.clone());
        }
    }
    json!({"usage": usage, "service_tier": tier})
}
