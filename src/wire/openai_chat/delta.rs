//! What a choice says: its `message`, or a piece of it, as events.

use super::calls::{Calls, FIRST, Piece};
use super::{content, tools};
use crate::chat::{Event, Part, Place, ToolCall};
use crate::wire::heard::Out;
use serde_json::{Map, Value, json};

const REASONING: u32 = 0;
const CONTENT: u32 = 1;
const REFUSAL: u32 = 2;
const OTHER: u32 = 8;

/// Fields of a message that say nothing of their own: who speaks, and the same words again in a provider's own form.
const DATA: [&str; 10] = [
    "reasoning_details",
    "provider_specific_fields",
    "thinking_blocks",
    "id",
    "type",
    "name",
    "object",
    "token_ids",
    "prompt_token_ids",
    "context",
];

/// One `message` or `delta`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta {
    pub(super) choice: u32,
    /// Whether it is a message, so that every tool call in it is one of its own.
    pub(super) is_whole: bool,
}

impl Delta {
    pub(super) fn read(self, said: &Value, calls: &mut Calls, out: &mut Out) {
        let Some(fields) = said.as_object() else { return };
        self.reasoning(fields, out);
        for (name, value) in fields.iter().filter(|(_, value)| says(value)) {
            match (name.as_str(), value) {
                ("role" | "reasoning_content" | "reasoning", Value::String(_)) => {}
                ("content", value) => self.content(value, out),
                ("refusal", Value::String(text)) => {
                    out.push(Ok(Event::Refusal { at: self.at(REFUSAL), text: text.clone() }));
                }
                ("annotations" | "citations", Value::Array(items)) => {
                    let cite =
                        |citation: &Value| Ok(Event::Citation { at: self.at(CONTENT), citation: citation.clone() });
                    out.extend(items.iter().map(cite));
                }
                ("tool_calls", Value::Array(items)) => self.calls(items, calls, out),
                ("function_call", Value::Object(call)) => {
                    calls.legacy();
                    self.legacy_call(call, out);
                }
                (name, value) => self.unknown(name, value, out),
            }
        }
    }

    fn at(self, part: u32) -> Place {
        Place { choice: self.choice, part }
    }

    /// Some servers tell the same thoughts under both names.
    fn reasoning(self, fields: &Map<String, Value>, out: &mut Out) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(text) = text("reasoning_content").or_else(|| text("reasoning")) {
            out.push(Ok(Event::Reasoning { at: self.at(REASONING), text: text.to_owned(), signature: None }));
        }
    }

    fn content(self, value: &Value, out: &mut Out) {
        match value {
            Value::String(text) => out.push(Ok(Event::Text { at: self.at(CONTENT), text: text.clone() })),
            Value::Array(items) => items.iter().for_each(|item| self.content_part(item, out)),
            Value::Object(_) => self.content_part(value, out),
            other => self.other("content", other, out),
        }
    }

    fn content_part(self, part: &Value, out: &mut Out) {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let text = |name: &str| part.get(name).and_then(Value::as_str).map(str::to_owned);
        let words = || if part.is_string() { part.as_str().map(str::to_owned) } else { text("text") };
        let event = match kind {
            "" | "text" | "output_text" => words().map(|text| Event::Text { at: self.at(CONTENT), text }),
            "reasoning" => words().map(|text| Event::Reasoning { at: self.at(REASONING), text, signature: None }),
            "refusal" => text("refusal").map(|text| Event::Refusal { at: self.at(REFUSAL), text }),
            "reference" => Some(Event::Citation { at: self.at(CONTENT), citation: part.clone() }),
            "thinking" => content::thinking(part).map(|part| Event::Part { at: self.at(REASONING), part }),
            _ => None,
        };
        match event {
            Some(event) => out.push(Ok(event)),
            None => self.other("content", &json!([part]), out),
        }
    }

    fn calls(self, items: &[Value], calls: &mut Calls, out: &mut Out) {
        for (position, item) in items.iter().enumerate() {
            let Some(fields) = item.as_object() else {
                self.other("tool_calls", &json!([item]), out);
                continue;
            };
            let is_custom = fields.get("custom").is_some_and(Value::is_object);
            let key = if is_custom { "custom" } else { "function" };
            let inner = fields.get(key).and_then(Value::as_object);
            let text = |fields: &Map<String, Value>, name: &str| {
                fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (id, name) = (text(fields, "id"), inner.map(|inner| text(inner, "name")).unwrap_or_default());
            let index = fields.get("index").and_then(Value::as_u64);
            let found = if self.is_whole {
                calls.whole(&id, &name)
            } else {
                calls.find(Piece { index, position, is_alone: items.len() == 1, id: &id, name: &name })
            };
            let at = self.at(found.part);
            let body = inner.and_then(|inner| inner.get(if is_custom { "input" } else { "arguments" }));
            let arguments = body.cloned().map(tools::arguments).unwrap_or_default();
            let extra = call_extra(fields, inner, key);
            if !extra.is_empty() {
                let (id, name) = if found.begins { (id, name) } else { Default::default() };
                let part = Part::ToolCall(ToolCall { id, name, arguments: String::new(), extra });
                out.push(Ok(Event::Part { at, part }));
            } else if found.begins {
                out.push(Ok(Event::ToolCallStart { at, id, name }));
            }
            if !arguments.is_empty() {
                out.push(Ok(Event::ToolCallDelta { at, arguments }));
            }
        }
    }

    /// The one call of the time before tools; it has no id.
    fn legacy_call(self, call: &Map<String, Value>, out: &mut Out) {
        let at = self.at(FIRST);
        if let Some(name) = call.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
            out.push(Ok(Event::ToolCallStart { at, id: String::new(), name: name.to_owned() }));
        }
        let arguments = call.get("arguments").cloned().map(tools::arguments).unwrap_or_default();
        if !arguments.is_empty() {
            out.push(Ok(Event::ToolCallDelta { at, arguments }));
        }
    }

    /// A field that says something is a part of the reply; one that is data about it is kept with the choice.
    fn unknown(self, name: &str, value: &Value, out: &mut Out) {
        if DATA.contains(&name) || value.is_boolean() || value.is_number() {
            let value = json!({ name: value });
            out.push(Ok(Event::Extra { choice: Some(self.choice), name: "message".into(), value }));
        } else {
            self.other(name, value, out);
        }
    }

    fn other(self, name: &str, value: &Value, out: &mut Out) {
        out.push(Ok(Event::Part { at: self.at(OTHER), part: Part::Other { value: json!({ name: value }) } }));
    }
}

/// Whether a field says anything.
fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn call_extra(fields: &Map<String, Value>, inner: Option<&Map<String, Value>>, key: &str) -> Map<String, Value> {
    let unread = |fields: &Map<String, Value>, read: &[&str]| -> Map<String, Value> {
        let unread = fields.iter().filter(|(name, value)| !read.contains(&name.as_str()) && !value.is_null());
        unread.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let mut extra = unread(fields, &["index", "id", "type", "function", "custom"]);
    if key == "custom" {
        extra.insert("type".into(), "custom".into());
    }
    let inner = inner.map(|inner| unread(inner, &["name", "arguments", "input"])).unwrap_or_default();
    tools::keep_inner(&mut extra, key, inner);
    extra
}
