//! Writes a whole reply, as a client of OpenAI's chat reads it.

use super::{finish, tools};
use crate::chat::{Choice, Part, Reply};
use crate::wire::{now, usage};
use serde_json::{Map, Value, json};

/// The body of a reply.
pub(super) fn write(reply: &Reply) -> Value {
    let mut body = reply.extra.clone();
    body.insert("id".into(), id(reply.id.as_deref()).into());
    body.insert("object".into(), "chat.completion".into());
    body.insert("created".into(), now().as_secs().into());
    body.insert("model".into(), reply.model.as_deref().unwrap_or_default().into());
    body.insert("choices".into(), reply.choices.iter().map(choice).collect());
    if let Some(told) = &reply.usage {
        body.insert("usage".into(), usage::openai_chat(told));
    }
    body.into()
}

/// The id of a reply; a client wants one where the provider gave none.
pub(super) fn id(told: Option<&str>) -> String {
    told.map_or_else(|| format!("chatcmpl-{:x}", now().as_nanos()), str::to_owned)
}

fn choice(choice: &Choice) -> Value {
    let mut fields = choice.extra.clone();
    let mut said = match fields.remove("message") {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    message(choice, &mut said);
    fields.insert("index".into(), choice.index.into());
    fields.insert("message".into(), said.into());
    fields.entry("logprobs").or_insert(Value::Null);
    fields.insert("finish_reason".into(), choice.stop.as_ref().map(finish::write).into());
    fields.into()
}

fn message(choice: &Choice, said: &mut Map<String, Value>) {
    let mut words: Option<String> = None;
    let mut refusal: Option<String> = None;
    let mut annotations = Vec::new();
    let mut calls = Vec::new();
    for part in &choice.parts {
        match part {
            Part::Text { text, citations, .. } => {
                words.get_or_insert_default().push_str(text);
                annotations.extend(citations.iter().map(annotation));
            }
            Part::Refusal { text } => refusal.get_or_insert_default().push_str(text),
            Part::ToolCall(call) => calls.push(call),
            Part::Other { value } => said.extend(other(value)),
            // A picture has no place in a reply of this protocol.
            _ => {}
        }
    }
    let is_silent = calls.is_empty() && refusal.is_none();
    let words = words.or_else(|| is_silent.then(String::new)).map_or(Value::Null, Value::from);
    let content = match said.remove("content") {
        Some(Value::Array(more)) => with_words(&words, more),
        _ => words,
    };
    said.insert("role".into(), "assistant".into());
    said.insert("content".into(), content);
    said.insert("refusal".into(), refusal.into());
    let reasoning = choice.reasoning();
    if !reasoning.is_empty() {
        said.insert("reasoning_content".into(), reasoning.into());
    }
    if !annotations.is_empty() {
        said.insert("annotations".into(), annotations.into());
    }
    tools::write_calls(&calls, said);
}

/// Parts of content that have no name here stand in a list, behind the words.
fn with_words(words: &Value, more: Vec<Value>) -> Value {
    let words = words.as_str().filter(|text| !text.is_empty());
    words.map(|text| json!({"type": "text", "text": text})).into_iter().chain(more).collect()
}

/// The fields of a message that a part without a name is made of; a block of another protocol is none.
pub(super) fn other(value: &Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) if !fields.contains_key("type") => fields.clone(),
        _ => Map::new(),
    }
}

/// What Anthropic's search cites is a page, as OpenAI's annotations know one.
pub(super) fn annotation(citation: &Value) -> Value {
    if citation.get("type").is_none_or(|kind| kind != "web_search_result_location") {
        return citation.clone();
    }
    let text = |name: &str| citation.get(name).cloned().unwrap_or_default();
    json!({"type": "url_citation", "url_citation": {"url": text("url"), "title": text("title"), "start_index": 0, "end_index": 0}})
}
