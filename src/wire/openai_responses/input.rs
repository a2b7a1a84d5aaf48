//! The conversation, both ways: a list of items, in which calls, results and thoughts stand beside the messages.

use super::{content, items, thought};
use crate::chat::{Message, Part, Role, ToolCall, ToolResult};
use crate::wire::fields::{Fields, expected};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// Reads `instructions` and `input`.
pub(super) fn read_all(fields: &mut Fields) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    if let Some(text) = fields.text("instructions", "a text")? {
        messages.push(Message::text(Role::System, text));
    }
    let what = "a text or a list of items, such as {\"role\": \"user\", \"content\": ...}";
    match fields.any("input") {
        Some(Value::String(text)) => messages.push(Message::text(Role::User, text)),
        Some(Value::Array(items)) => {
            let mut input = Input { messages, is_growing: false };
            for (index, item) in items.into_iter().enumerate() {
                input.read(&format!("input[{index}]"), item)?;
            }
            return Ok(input.messages);
        }
        Some(other) => return Err(expected("input", &other, what)),
        None => return Err(Error::invalid(format!("input is missing: give {what}"))),
    }
    Ok(messages)
}

struct Input {
    messages: Vec<Message>,
    /// Whether the last message is the model's, and may have more items.
    is_growing: bool,
}

impl Input {
    fn read(&mut self, place: &str, item: Value) -> Result<()> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = text("type").or_else(|| text("role").map(|_| "message".into())).unwrap_or_default();
        match kind.as_str() {
            "message" => self.message(place, item)?,
            "function_call" | "custom_tool_call" => self.grow(items::read_call(place, item)?),
            "function_call_output" | "custom_tool_call_output" => {
                let part = read_result(place, item)?;
                self.push(Message { role: Role::Tool, parts: vec![part], name: None, extra: Map::new() });
            }
            "reasoning" => match item.as_object() {
                Some(fields) => self.grow(Part::Reasoning(thought::read(fields))),
                None => return Err(expected(place, &item, "an object")),
            },
            "" => return Err(expected(place, &item, "an item: an object with a role or a type")),
            _ => self.grow(Part::Other { value: item }),
        }
        Ok(())
    }

    fn message(&mut self, place: &str, item: Value) -> Result<()> {
        let mut fields = Fields::at(place, item)?;
        // What OpenAI gives to what it has said; it takes it without.
        for name in ["type", "id", "status"] {
            fields.any(name);
        }
        let words = "system, developer, user or assistant";
        let word = fields.needed_text("role", words)?;
        let role = Role::parse(&word).filter(|role| *role != Role::Tool);
        let role = role.ok_or_else(|| expected(&fields.place("role"), &word.into(), words))?;
        let content_place = fields.place("content");
        let content = fields.any("content");
        let content = content
            .ok_or_else(|| Error::invalid(format!("{content_place} is missing: give a text or a list of parts")))?;
        let parts = content::read_all(&content_place, content)?;
        let extra = fields.rest();
        let has_words = |message: &Message| message.parts.iter().any(items::is_content);
        match self.messages.last_mut() {
            Some(last) if role == Role::Assistant && self.is_growing && !has_words(last) => {
                last.parts.extend(parts);
                last.extra.extend(extra);
            }
            _ => self.push(Message { role, parts, name: None, extra }),
        }
        self.is_growing = role == Role::Assistant;
        Ok(())
    }

    fn push(&mut self, message: Message) {
        self.messages.push(message);
        self.is_growing = false;
    }

    /// Adds what the model did to its message.
    fn grow(&mut self, part: Part) {
        match self.messages.last_mut() {
            Some(last) if self.is_growing => last.parts.push(part),
            _ => self.push(Message { role: Role::Assistant, parts: vec![part], name: None, extra: Map::new() }),
        }
        self.is_growing = true;
    }
}

fn read_result(place: &str, item: Value) -> Result<Part> {
    let mut fields = Fields::at(place, item)?;
    let kind = fields.text("type", "a text")?.unwrap_or_default();
    for name in ["id", "status"] {
        fields.any(name);
    }
    let id = fields.needed_text("call_id", "the id of the call")?;
    let output_place = fields.place("output");
    let output = fields.any("output").filter(|output| output.as_str() != Some(""));
    let parts = output.map(|output| content::read_all(&output_place, output)).transpose()?;
    let mut extra = fields.rest();
    if kind != "function_call_output" {
        extra.insert("type".into(), kind.into());
    }
    Ok(Part::ToolResult(ToolResult { id, parts: parts.unwrap_or_default(), is_error: false, extra }))
}

/// Writes `instructions`, which are the first words of the system, and `input`.
pub(super) fn write_all(messages: &[Message]) -> (Option<&str>, Vec<Value>) {
    let (instructions, rest) = match messages {
        [first, rest @ ..] => match instructions(first) {
            Some(text) => (Some(text), rest),
            None => (None, messages),
        },
        [] => (None, messages),
    };
    let mut out = Vec::with_capacity(rest.len());
    rest.iter().for_each(|message| write(message, &mut out));
    (instructions, out)
}

fn instructions(message: &Message) -> Option<&str> {
    match message.parts.as_slice() {
        [Part::Text { text, citations, extra }]
            if message.role == Role::System && message.extra.is_empty() && citations.is_empty() && extra.is_empty() =>
        {
            Some(text)
        }
        _ => None,
    }
}

fn write(message: &Message, out: &mut Vec<Value>) {
    let mut content: Vec<&Part> = Vec::new();
    let mut has_spoken = false;
    let mut flush = |content: &mut Vec<&Part>, out: &mut Vec<Value>| {
        if !content.is_empty() {
            out.push(spoken(message, content));
            content.clear();
            has_spoken = true;
        }
    };
    for part in &message.parts {
        let item = match part {
            part if items::is_content(part) => {
                content.push(part);
                continue;
            }
            // What another provider thought is nothing to this one.
            Part::Reasoning(thought) if !thought::is_openais(thought) => continue,
            Part::Reasoning(thought) => thought::write(thought.signature.as_deref().unwrap_or_default(), thought),
            Part::ToolCall(call) => items::call(None, call),
            Part::ToolResult(result) => write_result(result),
            Part::Other { value } => value.clone(),
            _ => continue,
        };
        flush(&mut content, out);
        out.push(item);
    }
    flush(&mut content, out);
    if message.parts.is_empty() && !has_spoken {
        out.push(spoken(message, &[]));
    }
}

fn spoken(message: &Message, content: &[&Part]) -> Value {
    let role = if message.role == Role::Tool { Role::User } else { message.role };
    let mut fields = message.extra.clone();
    fields.insert("type".into(), "message".into());
    fields.insert("role".into(), role.as_str().into());
    fields.insert("content".into(), content::write_all(content, role));
    fields.into()
}

fn write_result(result: &ToolResult) -> Value {
    let mut fields = result.extra.clone();
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or("function_call_output").to_owned();
    fields.insert("type".into(), kind.into());
    fields.insert("call_id".into(), result.id.as_str().into());
    let parts: Vec<&Part> = result.parts.iter().collect();
    let output = if parts.is_empty() { json!("") } else { content::write_all(&parts, Role::User) };
    fields.insert("output".into(), output);
    fields.into()
}

/// The type, in a call's fields without a name, of a call whose arguments are free text.
pub(super) fn is_custom(call: &ToolCall) -> bool {
    call.extra.get("type").is_some_and(|kind| kind == "custom")
}
