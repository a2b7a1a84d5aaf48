//! The conversation, both ways: here instructions stand beside it, and the results of tools are the user's.

use super::blocks;
use crate::chat::{Message, Part, Reasoning, Role};
use crate::wire::fields::{Fields, expected};
use crate::wire::openai_responses::is_openais;
use crate::{Error, Result};
use serde_json::{Map, Value};

/// Reads `system` and `messages`.
pub(super) fn read_all(fields: &mut Fields) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    if let Some(system) = fields.any("system") {
        let parts = blocks::read_all("system", system)?;
        if !parts.is_empty() {
            messages.push(Message { role: Role::System, parts, name: None, extra: Map::new() });
        }
    }
    let what = "a list of messages with role and content";
    let items = fields.list("messages", what)?;
    let items = items.ok_or_else(|| Error::invalid(format!("messages is missing: give {what}")))?;
    for (index, item) in items.into_iter().enumerate() {
        read(&format!("messages[{index}]"), item, &mut messages)?;
    }
    Ok(messages)
}

/// Reads a message: one, or several where it holds results of tools, which are a message each.
fn read(place: &str, value: Value, out: &mut Vec<Message>) -> Result<()> {
    let mut fields = Fields::at(place, value)?;
    let words = "user or assistant";
    let word = fields.needed_text("role", words)?;
    let role = match word.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(expected(&fields.place("role"), &word.into(), words)),
    };
    let content_place = fields.place("content");
    let content = fields
        .any("content")
        .ok_or_else(|| Error::invalid(format!("{content_place} is missing: give a text or a list of blocks")))?;
    let parts = blocks::read_all(&content_place, content)?;
    let extra = fields.rest();
    let (first, mut rest) = (out.len(), Vec::new());
    for part in parts {
        if matches!(part, Part::ToolResult(_)) {
            push_spoken(role, &mut rest, out);
            out.push(Message { role: Role::Tool, parts: vec![part], name: None, extra: Map::new() });
        } else {
            rest.push(part);
        }
    }
    if out.len() == first {
        out.push(Message { role, parts: rest, name: None, extra });
    } else {
        push_spoken(role, &mut rest, out);
        if let Some(spoken) = out[first..].iter_mut().find(|message| message.role == role) {
            spoken.extra = extra;
        }
    }
    Ok(())
}

fn push_spoken(role: Role, parts: &mut Vec<Part>, out: &mut Vec<Message>) {
    if !parts.is_empty() {
        out.push(Message { role, parts: std::mem::take(parts), name: None, extra: Map::new() });
    }
}

/// Writes `system` (None where there are no instructions) and `messages`.
pub(super) fn write_all(messages: &[Message]) -> Result<(Option<Value>, Vec<Value>)> {
    let first = messages.iter().position(|message| !is_instruction(message)).unwrap_or(messages.len());
    let (before, rest) = messages.split_at(first);
    let instructions: Vec<&Part> = before.iter().flat_map(|message| &message.parts).collect();
    let system = if instructions.is_empty() { None } else { Some(blocks::write_all(&instructions)?) };
    let rest: Vec<&Message> = rest.iter().collect();
    let mut out = Vec::with_capacity(rest.len());
    // Instructions in the middle stay where they stand: some models take them there, the others refuse them in words.
    let is_users = |message: &Message| message.role != Role::Assistant && !is_instruction(message);
    for run in rest.chunk_by(|one, next| is_users(one) && is_users(next)) {
        write_run(run, &mut out)?;
    }
    Ok((system, out))
}

fn is_instruction(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Writes what stands between two turns of the model: results come first, in the first message.
fn write_run(run: &[&Message], out: &mut Vec<Value>) -> Result<()> {
    let is_result = |part: &&Part| matches!(part, Part::ToolResult(_));
    let mut results: Vec<&Part> = run.iter().flat_map(|message| &message.parts).filter(is_result).collect();
    for message in run {
        let spoken = message.parts.iter().filter(|part| !is_result(part)).filter(|part| is_ours(part));
        let parts: Vec<&Part> = results.drain(..).chain(spoken).collect();
        // A tool's message beside others has given its result to the first.
        if message.role == Role::Tool && parts.is_empty() {
            continue;
        }
        if message.role == Role::Tool && run.iter().any(|other| other.role != Role::Tool) {
            results = parts;
            continue;
        }
        out.push(write(message, &parts)?);
    }
    Ok(())
}

/// Thoughts without Anthropic's proof are another provider's, and refused; so are those that OpenAI knows by their id.
fn is_ours(part: &Part) -> bool {
    match part {
        Part::Reasoning(Reasoning { signature: None, encrypted: None, .. }) => false,
        Part::Reasoning(thought) => !is_openais(thought),
        _ => true,
    }
}

fn write(message: &Message, parts: &[&Part]) -> Result<Value> {
    let mut fields = if message.role == Role::Tool { Map::new() } else { message.extra.clone() };
    let role = match message.role {
        Role::Assistant => Role::Assistant,
        Role::System | Role::Developer => Role::System,
        Role::User | Role::Tool => Role::User,
    };
    fields.insert("role".into(), role.as_str().into());
    fields.insert("content".into(), blocks::write_all(parts)?);
    Ok(fields.into())
}
