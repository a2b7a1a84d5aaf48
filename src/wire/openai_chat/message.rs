//! The messages of a request, both ways.

use super::{content, tools};
use crate::chat::{Message, Part, Reasoning, Role, ToolResult};
use crate::wire::Quirks;
use crate::wire::fields::{Fields, expected};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// Reads a message at a place, as in `messages[2]`.
pub(super) fn read(place: &str, value: Value) -> Result<Message> {
    let mut fields = Fields::at(place, value)?;
    let words = "system, developer, user, assistant or tool";
    let word = fields.needed_text("role", words)?;
    let role = Role::parse(&word).ok_or_else(|| expected(&fields.place("role"), &word.as_str().into(), words))?;
    let name = fields.text("name", "a text")?;
    let content_place = fields.place("content");
    let mut parts = match fields.any("content") {
        Some(value) => content::read(&content_place, value)?,
        None => Vec::new(),
    };
    if role == Role::Tool {
        let what = "the id of the tool call that this is the result of";
        // The result of the functions that were before tools has a name in place of an id.
        let id = match fields.text("tool_call_id", what)? {
            None if word == "tool" => {
                return Err(Error::invalid(format!("{} is missing: give {what}", fields.place("tool_call_id"))));
            }
            id => id.unwrap_or_default(),
        };
        let result = Part::ToolResult(ToolResult { id, parts, is_error: false, extra: Map::new() });
        return Ok(Message { role, parts: vec![result], name, extra: fields.rest() });
    }
    if let Some(text) = fields.text_or_leave("reasoning_content").or_else(|| fields.text_or_leave("reasoning")) {
        parts.insert(0, Part::Reasoning(Reasoning { text, ..Reasoning::default() }));
    }
    if let Some(text) = fields.text_or_leave("refusal") {
        parts.push(Part::Refusal { text });
    }
    let calls_place = fields.place("tool_calls");
    for (index, call) in fields.list("tool_calls", "a list of tool calls")?.into_iter().flatten().enumerate() {
        parts.push(tools::read_call(&format!("{calls_place}[{index}]"), call)?);
    }
    let legacy_place = fields.place("function_call");
    if let Some(call) = fields.any("function_call") {
        parts.push(tools::read_legacy_call(&legacy_place, call)?);
    }
    Ok(Message { role, parts, name, extra: fields.rest() })
}

/// Reads a list of messages.
pub(super) fn read_all(items: Vec<Value>) -> Result<Vec<Message>> {
    let read = |(index, item)| read(&format!("messages[{index}]"), item);
    items.into_iter().enumerate().map(read).collect()
}

/// Reads `messages`, which must be there.
pub(super) fn read_field(fields: &mut Fields) -> Result<Vec<Message>> {
    let what = "a list of messages with role and content";
    let items = fields.list("messages", what)?;
    read_all(items.ok_or_else(|| Error::invalid(format!("messages is missing: give {what}")))?)
}

/// Writes a message: one, but for results of several tools, which are a message each.
pub(super) fn write(message: &Message, quirks: &Quirks, out: &mut Vec<Value>) {
    let (results, rest): (Vec<&Part>, Vec<&Part>) =
        message.parts.iter().partition(|part| matches!(part, Part::ToolResult(_)));
    let has_results = !results.is_empty();
    for part in results {
        if let Part::ToolResult(result) = part {
            out.push(write_result(result, message));
        }
    }
    if !has_results || !rest.is_empty() {
        out.push(write_spoken(message, &rest, quirks));
    }
}

fn write_result(result: &ToolResult, message: &Message) -> Value {
    let mut fields = if message.role == Role::Tool { message.extra.clone() } else { Map::new() };
    let parts: Vec<_> = result.parts.iter().collect();
    fields.insert("content".into(), content::write(&parts).unwrap_or_else(|| json!([])));
    match &message.name {
        // The result of the functions that were before tools has a name in place of an id.
        Some(name) if result.id.is_empty() => {
            fields.insert("role".into(), "function".into());
            fields.insert("name".into(), name.as_str().into());
        }
        name => {
            fields.insert("role".into(), "tool".into());
            fields.insert("tool_call_id".into(), result.id.as_str().into());
            if let Some(name) = name {
                fields.insert("name".into(), name.as_str().into());
            }
        }
    }
    fields.into()
}

fn write_spoken(message: &Message, parts: &[&Part], quirks: &Quirks) -> Value {
    let mut fields = message.extra.clone();
    let is_model = message.role == Role::Assistant;
    let role = match message.role {
        Role::Developer if !quirks.developer_role => Role::System,
        role => role,
    };
    fields.insert("role".into(), role.as_str().into());
    if let Some(name) = &message.name {
        fields.insert("name".into(), name.as_str().into());
    }
    let in_content = |part: &Part| !matches!(part, Part::Reasoning(_) | Part::Refusal { .. } | Part::ToolCall(_));
    let said: Vec<&Part> = parts.iter().copied().filter(|part| in_content(part)).collect();
    let nothing = || if is_model { Value::Null } else { json!([]) };
    fields.insert("content".into(), content::write(&said).unwrap_or_else(nothing));
    let mut reasoning: Option<String> = None;
    let mut refusal: Option<String> = None;
    let mut calls = Vec::new();
    for part in parts {
        match part {
            Part::Reasoning(Reasoning { text, .. }) if quirks.takes_reasoning => {
                reasoning.get_or_insert_default().push_str(text);
            }
            Part::Refusal { text } => refusal.get_or_insert_default().push_str(text),
            Part::ToolCall(call) => calls.push(call),
            _ => {}
        }
    }
    let mut set = |name: &str, text: Option<String>| text.map(|text| fields.insert(name.to_owned(), text.into()));
    set("reasoning_content", reasoning.filter(|text| !text.is_empty()));
    set("refusal", refusal);
    tools::write_calls(&calls, &mut fields);
    fields.into()
}
