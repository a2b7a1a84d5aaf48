//! Writes a whole reply, as a client of OpenAI's Responses reads it.

use super::{items, stop};
use crate::chat::{Choice, Reply, Stop};
use crate::usage::UsageReport;
use crate::wire::{now, usage};
use serde_json::{Map, Value, json};

/// The body of a reply. The protocol has room for one choice, the first.
pub(super) fn write(reply: &Reply) -> Value {
    let id = id(reply.id.as_deref());
    let choice = reply.choices.first();
    let mut output = choice.map(|choice| items::write_all(&choice.parts, &id)).unwrap_or_default();
    if let Some(choice) = choice {
        beside(&choice.extra, &mut output);
    }
    let head = Head { id: &id, model: reply.model.as_deref().unwrap_or_default(), created: now().as_secs() };
    head.write(&reply.extra, output, choice.and_then(stop_of), reply.usage.as_ref()).into()
}

fn stop_of(choice: &Choice) -> Option<&Stop> {
    choice.stop.as_ref()
}

/// The id of a reply; a client wants one where the provider gave none.
pub(super) fn id(told: Option<&str>) -> String {
    told.map_or_else(|| format!("resp_{:x}", now().as_nanos()), str::to_owned)
}

/// What a choice tells beside its parts stands in its first message: its own fields, and the probabilities of its words.
pub(super) fn beside(extra: &Map<String, Value>, output: &mut [Value]) {
    let Some(message) = output.iter_mut().find(|item| item["type"] == "message").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(Value::Object(fields)) = extra.get("message") {
        for (name, value) in fields {
            message.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let first = message.get_mut("content").and_then(|content| content.get_mut(0));
    if let (Some(words), Some(told)) = (first, extra.get("logprobs").and_then(|told| told.get("content")))
        && words["type"] == "output_text"
    {
        words["logprobs"] = told.clone();
    }
}

/// What every response says of itself.
pub(super) struct Head<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    pub(super) created: u64,
}

impl Head<'_> {
    /// The response as far as it came.
    pub(super) fn write(
        &self,
        extra: &Map<String, Value>,
        output: Vec<Value>,
        stop: Option<&Stop>,
        told: Option<&UsageReport>,
    ) -> Map<String, Value> {
        let mut body = extra.clone();
        // Clients take these to be there.
        for (name, usual) in
            [("parallel_tool_calls", json!(true)), ("tool_choice", json!("auto")), ("tools", json!([]))]
        {
            body.entry(name).or_insert(usual);
        }
        body.insert("id".into(), self.id.into());
        body.insert("object".into(), "response".into());
        body.insert("created_at".into(), self.created.into());
        body.insert("model".into(), self.model.into());
        body.insert("error".into(), Value::Null);
        body.insert("output".into(), output.into());
        stop::write(stop, &mut body);
        body.insert("usage".into(), told.map(usage::openai_responses).into());
        body
    }
}
