//! Thoughts, which are items of their own here, both ways.
//!
//! OpenAI knows its thoughts by their id, which is their signature here. Another provider's go through a client and come
//! back under an id of ours, with that provider's proof in the place of what is encrypted.

use crate::chat::Reasoning;
use serde_json::{Map, Value, json};

/// What OpenAI's ids of thoughts begin with.
const THEIRS: &str = "rs_";

/// What our ids of another provider's thoughts begin with.
const OURS: &str = "th_";

/// Whether thoughts are OpenAI's, which takes no others back.
pub(in crate::wire) fn is_openais(thought: &Reasoning) -> bool {
    thought.signature.as_deref().is_some_and(|id| id.starts_with(THEIRS))
}

/// The id of thoughts that are OpenAI's; one of ours where they are not.
pub(super) fn id(signature: Option<&str>, number: usize, response: &str) -> String {
    match signature {
        Some(id) if id.starts_with(THEIRS) => id.to_owned(),
        _ => format!("{OURS}{response}_{number}"),
    }
}

/// The words of an item: its summary, or the thoughts themselves where a provider shows them.
pub(super) fn words(item: &Map<String, Value>) -> String {
    let texts = |name: &str| item.get(name).and_then(Value::as_array).into_iter().flatten();
    let parts = texts("summary").chain(texts("content")).filter_map(|part| part.get("text")?.as_str());
    parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The signature of an item where it is known as soon as the item begins.
pub(super) fn signature(item: &Map<String, Value>) -> Option<String> {
    let id = item.get("id")?.as_str()?;
    (!id.is_empty() && !id.starts_with(OURS)).then(|| id.to_owned())
}

/// What an item has beside its words and its signature: the signature of another provider's thoughts, and what is encrypted.
pub(super) fn proof(item: &Map<String, Value>) -> (Option<String>, Option<String>) {
    let encrypted = item.get("encrypted_content").and_then(Value::as_str).filter(|text| !text.is_empty());
    let encrypted = encrypted.map(str::to_owned);
    if signature(item).is_none() && !words(item).is_empty() { (encrypted, None) } else { (None, encrypted) }
}

/// Reads an item.
pub(super) fn read(item: &Map<String, Value>) -> Reasoning {
    let (proof, encrypted) = proof(item);
    Reasoning { text: words(item), signature: signature(item).or(proof), encrypted }
}

/// Writes an item.
pub(super) fn write(id: &str, thought: &Reasoning) -> Value {
    let summary = Some(&thought.text).filter(|text| !text.is_empty());
    let summary: Vec<Value> = summary.into_iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
    let mut item = json!({"type": "reasoning", "id": id, "summary": summary});
    let proof = if is_openais(thought) { None } else { thought.signature.as_deref() };
    if let Some(encrypted) = thought.encrypted.as_deref().or(proof) {
        item["encrypted_content"] = encrypted.into();
    }
    item
}
