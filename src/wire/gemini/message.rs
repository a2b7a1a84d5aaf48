//! The conversation, both ways: here instructions stand beside it, and the results of tools are the user's.

use super::{parts, result};
use crate::chat::{Message, Part, Role};
use crate::wire::fields::{Fields, expected};
use crate::{Error, Result};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Reads `systemInstruction` and `contents`.
pub(super) fn read_all(fields: &mut Fields) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    if let Some(system) = fields.any("systemInstruction") {
        let mut system = Fields::at("systemInstruction", system)?;
        let parts = read_parts(&mut system)?;
        messages.push(Message { role: Role::System, parts, name: None, extra: Map::new() });
    }
    let what = "a list of contents with role and parts";
    let items = fields.list("contents", what)?;
    let items = items.ok_or_else(|| Error::invalid(format!("contents is missing: give {what}")))?;
    for (index, item) in items.into_iter().enumerate() {
        read(&format!("contents[{index}]"), item, &mut messages)?;
    }
    Ok(messages)
}

fn read(place: &str, value: Value, out: &mut Vec<Message>) -> Result<()> {
    let mut fields = Fields::at(place, value)?;
    let words = "user or model";
    let role = match fields.text("role", words)?.as_deref() {
        None | Some("user" | "function") => Role::User,
        Some("model") => Role::Assistant,
        Some(other) => return Err(expected(&fields.place("role"), &other.into(), words)),
    };
    let mut spoken = Vec::new();
    for part in read_parts(&mut fields)? {
        if matches!(part, Part::ToolResult(_)) {
            out.push(Message { role: Role::Tool, parts: vec![part], name: None, extra: Map::new() });
        } else {
            spoken.push(part);
        }
    }
    if !spoken.is_empty() {
        out.push(Message { role, parts: spoken, name: None, extra: Map::new() });
    }
    Ok(())
}

fn read_parts(fields: &mut Fields) -> Result<Vec<Part>> {
    let place = fields.place("parts");
    let items = fields.list("parts", "a list of parts")?.unwrap_or_default();
    items.into_iter().enumerate().map(|(index, item)| parts::read(&format!("{place}[{index}]"), item)).collect()
}

/// Writes `systemInstruction` (None where there are no instructions) and `contents`.
///
/// # Errors
/// `InvalidArgument`: instructions in the middle, or a part that the protocol has no form for.
pub(super) fn write_all(messages: &[Message]) -> Result<(Option<Value>, Vec<Value>)> {
    let is_instruction = |message: &Message| matches!(message.role, Role::System | Role::Developer);
    let first = messages.iter().position(|message| !is_instruction(message)).unwrap_or(messages.len());
    let (before, rest) = messages.split_at(first);
    if let Some(late) = rest.iter().position(is_instruction) {
        return Err(Error::invalid(format!(
            "messages[{}] has role {} in the middle, for which Gemini has no form: put instructions first, or give them as \
             the user's",
            first + late,
            rest[late].role.as_str()
        )));
    }
    let mut names = HashMap::new();
    let instructions: Vec<&Part> = before.iter().flat_map(|message| &message.parts).collect();
    let instructions = write_parts(&instructions, &names)?;
    let system = (!instructions.is_empty()).then(|| json!({"parts": instructions}));
    let mut contents = Vec::with_capacity(rest.len());
    let is_result = |message: &Message| message.role == Role::Tool;
    for run in rest.chunk_by(|one, next| is_result(one) && is_result(next)) {
        let all: Vec<&Part> = run.iter().flat_map(|message| &message.parts).collect();
        for part in &all {
            if let Part::ToolCall(call) = part {
                names.insert(call.id.as_str(), call.name.as_str());
            }
        }
        let role = if run[0].role == Role::Assistant { "model" } else { "user" };
        let written = write_parts(&all, &names)?;
        // Content without a part is refused; a model's thoughts that are not Gemini's leave none.
        if !written.is_empty() {
            contents.push(json!({"role": role, "parts": written}));
        }
    }
    Ok((system, contents))
}

/// Writes parts; a result names the function that its call named.
fn write_parts(parts: &[&Part], names: &HashMap<&str, &str>) -> Result<Vec<Value>> {
    let write = |part: &&Part| match part {
        Part::ToolResult(given) => {
            result::write(given, names.get(given.id.as_str()).copied().unwrap_or(&given.id)).map(Some)
        }
        other => parts::write(other),
    };
    parts.iter().map(write).filter_map(Result::transpose).collect()
}
