//! Tools, the choice among them, and the form of the answer, both ways. What OpenAI's chat puts inside stands flat here.

use crate::Result;
use crate::chat::{Output, Tool, ToolChoice};
use crate::wire::fields::{Fields, expected};
use crate::wire::openai_chat;
use serde_json::{Value, json};

/// Reads `tools`.
pub(super) fn read_all(items: Vec<Value>) -> Result<Vec<Tool>> {
    items.into_iter().enumerate().map(|(index, item)| read(&format!("tools[{index}]"), item)).collect()
}

fn read(place: &str, value: Value) -> Result<Tool> {
    let what = "an object with a type, such as {\"type\": \"function\", \"name\": ...}";
    match value.get("type").and_then(Value::as_str) {
        Some("function") => {}
        Some(_) => return Ok(Tool::Other(value)),
        None => return Err(expected(place, &value, what)),
    }
    let mut fields = Fields::at(place, value)?;
    fields.any("type");
    let name = fields.needed_text("name", "the function's name")?;
    let description = fields.text("description", "a text")?;
    let strict = fields.flag("strict")?;
    let parameters = fields.any("parameters");
    Ok(Tool::Function { name, description, parameters, strict, extra: fields.rest() })
}

/// Writes a tool. What is strict without a word would be read otherwise than in the other protocols, so that it is told.
pub(super) fn write(tool: &Tool) -> Value {
    match tool {
        Tool::Other(value) => value.clone(),
        Tool::Function { name, description, parameters, strict, extra } => {
            let mut fields = extra.clone();
            fields.remove("function");
            fields.insert("type".into(), "function".into());
            fields.insert("name".into(), name.as_str().into());
            let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
            set("parameters", parameters.clone().into());
            set("strict", (*strict).into());
            if let Some(description) = description {
                set("description", description.as_str().into());
            }
            fields.into()
        }
    }
}

/// Reads `tool_choice`.
pub(super) fn read_choice(value: Value) -> Result<ToolChoice> {
    let name = || {
        let fields = value.as_object().filter(|fields| fields.len() == 2)?;
        fields.get("type").filter(|kind| *kind == "function")?;
        fields.get("name")?.as_str().map(str::to_owned)
    };
    match &value {
        Value::String(word) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(expected("tool_choice", &value, "auto, none, required or an object with a type")),
        },
        Value::Object(_) => Ok(name().map_or_else(|| ToolChoice::Other(value.clone()), ToolChoice::Function)),
        _ => Err(expected("tool_choice", &value, "auto, none, required or an object with a type")),
    }
}

/// Writes `tool_choice`.
pub(super) fn write_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => json!({"type": "function", "name": name}),
        ToolChoice::Other(value) => value.clone(),
    }
}

/// Reads `text.format`.
pub(super) fn read_format(value: Value) -> Result<Output> {
    openai_chat::tools::read_format("text.format", value, |value| {
        let mut fields = Fields::at("text.format", value.clone()).ok()?;
        fields.any("type");
        Some(fields)
    })
}

/// Writes `text.format`; None is text.
pub(super) fn write_format(output: &Output) -> Option<Value> {
    openai_chat::tools::write_format(output, |mut fields| {
        fields.insert("type".into(), "json_schema".into());
        fields.into()
    })
}
