//! The items of a reply, and the calls that stand in the conversation as well.

use super::{content, input, thought};
use crate::Result;
use crate::chat::{Part, Reasoning, Role, ToolCall};
use crate::wire::fields::Fields;
use crate::wire::openai_chat;
use serde_json::{Map, Value, json};

/// What kind of item a part stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A message, which holds several.
    Message,
    Thought,
    Call,
    /// An item that has no name here, as it came.
    Whole,
}

/// The item that a part stands in; None where the protocol has no form for it.
pub(super) fn form(part: &Part) -> Option<Form> {
    match part {
        Part::Text { .. } | Part::Refusal { .. } => Some(Form::Message),
        Part::Reasoning(_) => Some(Form::Thought),
        Part::ToolCall(_) => Some(Form::Call),
        Part::Other { value } if value.get("type").is_some_and(Value::is_string) => {
            Some(if is_content(part) { Form::Message } else { Form::Whole })
        }
        _ => None,
    }
}

/// Whether a part stands in the content of a message: one without a name here says so by its type.
pub(super) fn is_content(part: &Part) -> bool {
    match part {
        Part::Text { .. } | Part::Refusal { .. } | Part::Image(_) | Part::Audio(_) | Part::File(_) => true,
        Part::Other { value } => {
            let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
            kind.starts_with("input_") || kind.starts_with("output_")
        }
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => false,
    }
}

/// Writes the items of a reply; `response` is its id.
pub(super) fn write_all(parts: &[Part], response: &str) -> Vec<Value> {
    let known: Vec<(Form, &Part)> = parts.iter().filter_map(|part| Some((form(part)?, part))).collect();
    let runs = known.chunk_by(|one, next| one.0 == Form::Message && next.0 == Form::Message);
    let write = |(number, run): (usize, &[(Form, &Part)])| {
        let parts: Vec<&Part> = run.iter().map(|(_, part)| *part).collect();
        let first = run.first().map_or(Form::Whole, |(form, _)| *form);
        write(first, &id(first, parts.first().copied(), number, response), &parts)
    };
    runs.enumerate().map(write).collect()
}

/// The id of an item, which a client wants where the provider gave none.
pub(super) fn id(form: Form, first: Option<&Part>, number: usize, response: &str) -> String {
    match (form, first) {
        (Form::Thought, Some(Part::Reasoning(thought))) => thought::id(thought.signature.as_deref(), number, response),
        (Form::Thought, _) => thought::id(None, number, response),
        (Form::Message, _) => format!("msg_{response}_{number}"),
        (Form::Call, _) => format!("fc_{response}_{number}"),
        (Form::Whole, _) => format!("item_{response}_{number}"),
    }
}

/// Writes an item as far as its parts are known.
pub(super) fn write(form: Form, id: &str, parts: &[&Part]) -> Value {
    match (form, parts.first()) {
        (Form::Message, _) => json!({
            "type": "message", "id": id, "status": "completed", "role": "assistant",
            "content": content::write_all(parts, Role::Assistant),
        }),
        (Form::Thought, Some(Part::Reasoning(thought))) => thought::write(id, thought),
        (Form::Thought, _) => thought::write(id, &Reasoning::default()),
        (Form::Call, Some(Part::ToolCall(given))) => call(Some(id), given),
        (_, Some(Part::Other { value })) => value.clone(),
        _ => Value::Null,
    }
}

/// Reads a call.
pub(super) fn read_call(place: &str, item: Value) -> Result<Part> {
    let mut fields = Fields::at(place, item)?;
    let is_custom = fields.text("type", "a text")?.is_some_and(|kind| kind == "custom_tool_call");
    for name in ["id", "status"] {
        fields.any(name);
    }
    let id = fields.needed_text("call_id", "the id of the call")?;
    let name = fields.needed_text("name", "the tool's name")?;
    let arguments = fields.any(if is_custom { "input" } else { "arguments" });
    let arguments = arguments.map(openai_chat::tools::arguments).unwrap_or_default();
    let mut extra = fields.rest();
    if is_custom {
        extra.insert("type".into(), "custom".into());
    }
    Ok(Part::ToolCall(ToolCall { id, name, arguments, extra }))
}

/// The fields of a call that have no name here.
pub(super) fn call_extra(item: &Map<String, Value>) -> Map<String, Value> {
    const READ: [&str; 7] = ["type", "id", "call_id", "name", "arguments", "input", "status"];
    let unread = item.iter().filter(|(name, value)| !READ.contains(&name.as_str()) && !value.is_null());
    let mut extra: Map<_, _> = unread.map(|(name, value)| (name.clone(), value.clone())).collect();
    if item.get("type").is_some_and(|kind| kind == "custom_tool_call") {
        extra.insert("type".into(), "custom".into());
    }
    extra
}

/// Writes a call; its own id stands beside that which its result is told under, where it has one.
pub(super) fn call(id: Option<&str>, call: &ToolCall) -> Value {
    let is_custom = input::is_custom(call);
    let (kind, body) = if is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
    // What stands inside in OpenAI's chat has no place here.
    let kept = call.extra.iter().filter(|(name, _)| !matches!(name.as_str(), "function" | "custom"));
    let mut fields: Map<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    fields.insert("type".into(), kind.into());
    if let Some(id) = id {
        fields.insert("id".into(), id.into());
        fields.insert("status".into(), "completed".into());
    }
    fields.insert("call_id".into(), call.id.as_str().into());
    fields.insert("name".into(), call.name.as_str().into());
    fields.insert(body.into(), call.arguments.as_str().into());
    fields.into()
}
