//! Writes a whole reply, as a client of Gemini reads it.

use super::{parts, stop};
use crate::chat::{Choice, Part, Reply, Stop};
use crate::wire::{now, usage};
use serde_json::{Map, Value, json};

/// The body of a reply.
pub(super) fn write(reply: &Reply) -> Value {
    let mut body = reply.extra.clone();
    body.insert("candidates".into(), reply.choices.iter().map(choice).collect());
    if let Some(told) = &reply.usage {
        body.insert("usageMetadata".into(), usage::gemini(told));
    }
    head(&mut body, &id(reply.id.as_deref()), reply.model.as_deref().unwrap_or_default());
    body.into()
}

/// The id of a reply, which results of tools may be told under where the provider gave none.
pub(super) fn id(told: Option<&str>) -> String {
    told.map_or_else(|| format!("{:x}", now().as_nanos()), str::to_owned)
}

/// What every reply, and every piece of a stream, says of itself.
pub(super) fn head(body: &mut Map<String, Value>, id: &str, model: &str) {
    body.insert("responseId".into(), id.into());
    body.insert("modelVersion".into(), model.into());
}

fn choice(choice: &Choice) -> Value {
    let parts = choice.parts.iter().filter_map(part).collect();
    let has_refusal = choice.parts.iter().any(|part| matches!(part, Part::Refusal { .. }));
    candidate(choice.index, parts, stop_of(choice.stop.as_ref(), has_refusal), choice.extra.clone())
}

/// Where the model declines in words, they stand in the text here.
pub(super) fn stop_of(stop: Option<&Stop>, has_refusal: bool) -> Option<&Stop> {
    stop.map(|stop| if has_refusal && stop.is_whole() { &Stop::Refusal } else { stop })
}

/// A candidate, or a piece of one.
pub(super) fn candidate(index: u32, parts: Vec<Value>, stop: Option<&Stop>, mut fields: Map<String, Value>) -> Value {
    fields.insert("index".into(), index.into());
    fields.insert("content".into(), json!({"role": "model", "parts": parts}));
    if let Some(stop) = stop {
        fields.insert("finishReason".into(), stop::write(stop).into());
    }
    fields.into()
}

/// A part of a reply; None where the protocol has no form for it. Thoughts are shown whoever thought them.
pub(super) fn part(part: &Part) -> Option<Value> {
    match part {
        Part::Reasoning(thought) if thought.signature.is_none() && thought.encrypted.is_none() => {
            Some(json!({"thought": true, "text": thought.text}))
        }
        other => parts::write(other).ok().flatten(),
    }
}
