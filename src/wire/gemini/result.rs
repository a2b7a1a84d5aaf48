//! What a tool gave, both ways: an object here, text elsewhere.

use super::parts;
use crate::Result;
use crate::chat::{Part, ToolResult};
use crate::wire::fields::Fields;
use serde_json::{Map, Value, json};

/// Reads a `functionResponse`.
pub(super) fn read(place: &str, value: Value) -> Result<Part> {
    let mut fields = Fields::at(place, value)?;
    let name = fields.needed_text("name", "the function's name")?;
    let id = fields.text("id", "a text")?.unwrap_or(name);
    let response = fields.object("response", "an object")?.unwrap_or_default();
    let (text, is_error) = match sole_text(&response) {
        Some(("error", text)) => (text.to_owned(), true),
        Some((_, text)) => (text.to_owned(), false),
        None => (Value::Object(response).to_string(), false),
    };
    let mut read = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
    let place = fields.place("parts");
    for (index, part) in fields.list("parts", "a list of parts")?.into_iter().flatten().enumerate() {
        read.push(parts::read(&format!("{place}[{index}]"), part)?);
    }
    Ok(Part::ToolResult(ToolResult { id, parts: read, is_error, extra: Map::new() }))
}

/// Writes a `functionResponse`, which names the function.
pub(super) fn write(result: &ToolResult, name: &str) -> Result<Value> {
    let text: String = result.parts.iter().filter_map(Part::as_text).collect();
    let response = match serde_json::from_str::<Value>(&text) {
        _ if result.is_error => json!({"error": text}),
        Ok(Value::Object(fields)) if sole_text(&fields).is_none() => fields.into(),
        _ => json!({"output": text}),
    };
    let media = result.parts.iter().filter(|part| part.as_text().is_none()).map(parts::write);
    let media: Vec<Value> = media.filter_map(Result::transpose).collect::<Result<_>>()?;
    let mut given = json!({"id": result.id, "name": name, "response": response});
    if !media.is_empty() {
        given["parts"] = media.into();
    }
    Ok(json!({"functionResponse": given}))
}

/// The text of an object that has nothing else than what Gemini's own words for a result and a failure hold.
fn sole_text(fields: &Map<String, Value>) -> Option<(&str, &str)> {
    let (name, value) = fields.iter().next().filter(|_| fields.len() == 1)?;
    let text = value.as_str()?;
    matches!(name.as_str(), "output" | "error").then_some((name, text))
}
