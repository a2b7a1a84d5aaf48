//! Why a model stopped: the `status` of a response and what it says beside it.

use crate::chat::Stop;
use serde_json::{Map, Value, json};

/// Reads how a response ends; None where it does not say.
pub(super) fn read(response: &Map<String, Value>, has_calls: bool) -> Option<Stop> {
    let word = |name: &str| response.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
    let reason = || response.get("incomplete_details")?.get("reason")?.as_str();
    Some(match word("status")? {
        "completed" if has_calls => Stop::ToolCalls,
        "completed" => Stop::End,
        "cancelled" => Stop::Cancelled,
        "failed" => Stop::Error,
        "queued" | "in_progress" => return None,
        "incomplete" => match reason() {
            Some("max_output_tokens" | "max_tokens") => Stop::Length,
            Some("content_filter") => Stop::ContentFilter,
            Some(other) => Stop::Unknown(other.to_owned()),
            None => Stop::Unknown("incomplete".into()),
        },
        other => Stop::Unknown(other.to_owned()),
    })
}

/// Writes how a response ends. OpenAI has no word for a refusal but that something was held back.
pub(super) fn write(stop: Option<&Stop>, response: &mut Map<String, Value>) {
    let (status, reason) = match stop {
        None => ("in_progress", None),
        Some(Stop::End | Stop::ToolCalls) => ("completed", None),
        Some(Stop::Length) => ("incomplete", Some("max_output_tokens")),
        Some(Stop::ContentFilter | Stop::Refusal) => ("incomplete", Some("content_filter")),
        Some(Stop::Cancelled) => ("cancelled", None),
        Some(Stop::Error) => ("failed", None),
        Some(Stop::Unknown(word)) => ("incomplete", Some(word.as_str())),
    };
    response.insert("status".into(), status.into());
    response.insert("incomplete_details".into(), reason.map(|reason| json!({"reason": reason})).into());
}
