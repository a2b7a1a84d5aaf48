//! Writes a whole reply, as a client of Anthropic's Messages reads it.

use super::{blocks, stop};
use crate::chat::{Choice, Part, Reply, Stop};
use crate::wire::{now, usage};
use serde_json::{Map, Value, json};

/// The body of a reply. The protocol has room for one choice, the first.
pub(super) fn write(reply: &Reply) -> Value {
    let mut body = reply.extra.clone();
    let choice = reply.choices.first();
    let content: Vec<Value> = choice.into_iter().flat_map(|choice| &choice.parts).filter_map(block).collect();
    head(&mut body, reply.id.as_deref(), reply.model.as_deref().unwrap_or_default());
    body.insert("content".into(), content.into());
    let (extra, has_refusal) = choice.map_or((Map::new(), false), |choice| (choice.extra.clone(), has_refusal(choice)));
    body.extend(end(choice.and_then(|choice| choice.stop.as_ref()), &extra, has_refusal));
    if let Some(told) = &reply.usage {
        body.insert("usage".into(), usage::anthropic(told).into());
    }
    body.into()
}

/// What every message says of itself.
pub(super) fn head(body: &mut Map<String, Value>, id: Option<&str>, model: &str) {
    let id = id.map_or_else(|| format!("msg_{:x}", now().as_nanos()), str::to_owned);
    body.insert("id".into(), id.into());
    body.insert("type".into(), "message".into());
    body.insert("role".into(), "assistant".into());
    body.insert("model".into(), model.into());
}

/// How a message ends.
pub(super) fn end(stop: Option<&Stop>, extra: &Map<String, Value>, has_refusal: bool) -> Map<String, Value> {
    let sequence = extra.get("stop_sequence").cloned().unwrap_or_default();
    // Where the model declines in words, they stand in the text here.
    let stop = stop.map(|stop| if has_refusal && stop.is_whole() { &Stop::Refusal } else { stop });
    let mut fields = Map::new();
    fields.insert("stop_reason".into(), stop.map(|stop| stop::write(stop, !sequence.is_null())).into());
    fields.insert("stop_sequence".into(), sequence);
    if let Some(details) = extra.get("stop_details") {
        fields.insert("stop_details".into(), details.clone());
    }
    fields
}

/// The block of a part; None where the protocol has no form for it.
pub(super) fn block(part: &Part) -> Option<Value> {
    let mut block = blocks::write(part).ok().flatten()?;
    if let Part::Text { citations, .. } = part
        && citations.is_empty()
        && block["type"] == "text"
    {
        block["citations"] = json!(null);
    }
    Some(block)
}

fn has_refusal(choice: &Choice) -> bool {
    choice.parts.iter().any(|part| matches!(part, Part::Refusal { .. }))
}
