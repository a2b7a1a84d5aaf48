//! Tools and the choice among them, both ways.

use super::blocks::typed;
use crate::Result;
use crate::chat::{Tool, ToolChoice};
use crate::wire::fields::{Fields, expected};
use serde_json::{Map, Value, json};

/// Reads `tools`.
pub(super) fn read_all(items: Vec<Value>) -> Result<Vec<Tool>> {
    items.into_iter().enumerate().map(|(index, item)| read(&format!("tools[{index}]"), item)).collect()
}

fn read(place: &str, value: Value) -> Result<Tool> {
    if value.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Other(value));
    }
    let mut fields = Fields::at(place, value)?;
    fields.any("type");
    let name = fields.needed_text("name", "the tool's name")?;
    let description = fields.text("description", "a text")?;
    let parameters = fields.any("input_schema");
    let strict = fields.flag("strict")?;
    Ok(Tool::Function { name, description, parameters, strict, extra: fields.rest() })
}

/// Writes a tool.
pub(super) fn write(tool: &Tool) -> Value {
    match tool {
        Tool::Other(value) => value.clone(),
        Tool::Function { name, description, parameters, strict, extra } => {
            let mut fields = typed("custom", extra);
            fields.remove("type");
            fields.insert("name".into(), name.as_str().into());
            let schema = parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
            fields.insert("input_schema".into(), schema);
            if let Some(description) = description {
                fields.insert("description".into(), description.as_str().into());
            }
            if let Some(strict) = strict {
                fields.insert("strict".into(), (*strict).into());
            }
            fields.into()
        }
    }
}

/// Reads `tool_choice`, and whether several tools may be asked for at once where it says so.
pub(super) fn read_choice(value: Value) -> Result<(ToolChoice, Option<bool>)> {
    let Value::Object(fields) = &value else {
        return Err(expected("tool_choice", &value, "an object with a type: auto, any, tool or none"));
    };
    let (mut known, one) = (fields.clone(), "disable_parallel_tool_use");
    let is_one = known.remove(one).and_then(|flag| flag.as_bool());
    let kind = known.remove("type");
    let name = known.remove("name");
    let choice = match (kind.as_ref().and_then(Value::as_str), name.as_ref().and_then(Value::as_str)) {
        _ if !known.is_empty() => return Ok((ToolChoice::Other(value), None)),
        (Some("auto"), None) => ToolChoice::Auto,
        (Some("any"), None) => ToolChoice::Required,
        (Some("none"), None) => ToolChoice::None,
        (Some("tool"), Some(name)) => ToolChoice::Function(name.to_owned()),
        _ => return Ok((ToolChoice::Other(value), None)),
    };
    Ok((choice, is_one.map(|one| !one)))
}

/// Writes `tool_choice`; None leaves it to the provider.
pub(super) fn write_choice(choice: Option<&ToolChoice>, parallel: Option<bool>, has_tools: bool) -> Option<Value> {
    let mut fields = match choice {
        None if parallel.is_none() || !has_tools => return None,
        None | Some(ToolChoice::Auto) => kind("auto"),
        Some(ToolChoice::Required) => kind("any"),
        // There is nothing to ask for at once.
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        Some(ToolChoice::Function(name)) => {
            let mut fields = kind("tool");
            fields.insert("name".into(), name.as_str().into());
            fields
        }
        Some(ToolChoice::Other(value)) => return Some(value.clone()),
    };
    if let Some(parallel) = parallel {
        fields.insert("disable_parallel_tool_use".into(), (!parallel).into());
    }
    Some(fields.into())
}

fn kind(word: &str) -> Map<String, Value> {
    [("type".to_owned(), word.into())].into_iter().collect()
}
