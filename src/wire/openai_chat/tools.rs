//! Tools, the choice among them, calls of them, and the form of the answer, both ways.

use crate::chat::{Output, Part, Tool, ToolCall, ToolChoice};
use crate::wire::fields::{Fields, expected};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// Reads `tools`.
pub(super) fn read_all(items: Vec<Value>) -> Result<Vec<Tool>> {
    items.into_iter().enumerate().map(|(index, item)| read(&format!("tools[{index}]"), item)).collect()
}

fn read(place: &str, value: Value) -> Result<Tool> {
    let what = "an object with a type, such as {\"type\": \"function\", \"function\": {\"name\": ...}}";
    match value.get("type") {
        Some(Value::String(kind)) if kind == "function" => {}
        Some(Value::String(_)) => return Ok(Tool::Other(value)),
        None if value.get("function").is_some() => {}
        _ => return Err(expected(place, &value, what)),
    }
    let mut fields = Fields::at(place, value)?;
    fields.any("type");
    let what = "an object with name, description and parameters";
    let inner =
        fields.any("function").ok_or_else(|| Error::invalid(format!("{place}.function is missing: give {what}")))?;
    let mut inner = Fields::at(&fields.place("function"), inner)?;
    let name = inner.needed_text("name", "the function's name")?;
    let description = inner.text("description", "a text")?;
    let strict = inner.flag("strict")?;
    let parameters = inner.any("parameters");
    let mut extra = fields.rest();
    keep_inner(&mut extra, "function", inner.rest());
    Ok(Tool::Function { name, description, parameters, strict, extra })
}

/// Writes a tool.
pub(super) fn write(tool: &Tool) -> Value {
    let Tool::Function { name, description, parameters, strict, extra } = tool else {
        let Tool::Other(value) = tool else { return Value::Null };
        return value.clone();
    };
    let mut fields = extra.clone();
    let mut inner = take_inner(&mut fields, "function");
    inner.insert("name".into(), name.as_str().into());
    let mut set = |name: &str, value: Option<Value>| value.map(|value| inner.insert(name.to_owned(), value));
    set("description", description.as_deref().map(Value::from));
    set("parameters", parameters.clone());
    set("strict", strict.map(Value::from));
    fields.insert("type".into(), "function".into());
    fields.insert("function".into(), inner.into());
    fields.into()
}

/// Reads `tool_choice`.
pub(super) fn read_choice(value: Value) -> Result<ToolChoice> {
    let what = "auto, none, required, or an object such as {\"type\": \"function\", \"function\": {\"name\": ...}}";
    let wrong = |value: &Value| Err(expected("tool_choice", value, what));
    match &value {
        Value::String(word) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => wrong(&value),
        },
        Value::Object(fields) => {
            let inner = fields.get("function").and_then(Value::as_object);
            let name = inner.and_then(|inner| inner.get("name")?.as_str());
            match (fields.get("type").and_then(Value::as_str), name) {
                (Some("function"), Some(name)) if fields.len() == 2 && inner.is_some_and(|inner| inner.len() == 1) => {
                    Ok(ToolChoice::Function(name.to_owned()))
                }
                (None, _) | (Some("function"), None) => wrong(&value),
                _ => Ok(ToolChoice::Other(value)),
            }
        }
        _ => wrong(&value),
    }
}

/// Writes `tool_choice`.
pub(super) fn write_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => json!({"type": "function", "function": {"name": name}}),
        ToolChoice::Other(value) => value.clone(),
    }
}

/// Reads `response_format`.
pub(super) fn read_output(value: Value) -> Result<Output> {
    read_format("response_format", value, |value| {
        let outer = value.as_object().filter(|fields| fields.len() == 2)?;
        Fields::at("response_format.json_schema", outer.get("json_schema")?.clone()).ok()
    })
}

/// Reads the form of an answer at `place`; `inner` gives the fields of a schema where it has nothing beside them.
pub(in crate::wire) fn read_format(
    place: &str,
    value: Value,
    inner: impl FnOnce(&Value) -> Option<Fields>,
) -> Result<Output> {
    let Some(kind) = value.get("type").and_then(Value::as_str) else {
        return Err(expected(place, &value, "an object with a type: text, json_object or json_schema"));
    };
    let is_bare = value.as_object().is_some_and(|fields| fields.len() == 1);
    Ok(match kind {
        "text" if is_bare => Output::Text,
        "json_object" if is_bare => Output::Json,
        "json_schema" => inner(&value).and_then(read_schema).unwrap_or(Output::Other(value)),
        _ => Output::Other(value),
    })
}

fn read_schema(mut fields: Fields) -> Option<Output> {
    let name = fields.text("name", "").ok()??;
    let schema = fields.any("schema")?;
    let description = fields.text("description", "").ok()?;
    let strict = fields.flag("strict").ok()?;
    fields.rest().is_empty().then_some(Output::Schema { name, schema, description, strict })
}

/// Writes `response_format`; None is text.
pub(super) fn write_output(output: &Output) -> Option<Value> {
    write_format(output, |inner| json!({"type": "json_schema", "json_schema": inner}))
}

/// Writes the form of an answer, with the fields of a schema where `place` puts them; None is text.
pub(in crate::wire) fn write_format(output: &Output, place: impl FnOnce(Map<String, Value>) -> Value) -> Option<Value> {
    match output {
        Output::Text => None,
        Output::Json => Some(json!({"type": "json_object"})),
        Output::Schema { name, schema, description, strict } => {
            let mut fields = Map::new();
            fields.insert("name".into(), name.as_str().into());
            fields.insert("schema".into(), schema.clone());
            let mut set = |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.to_owned(), value));
            set("description", description.as_deref().map(Value::from));
            set("strict", strict.map(Value::from));
            Some(place(fields))
        }
        Output::Other(value) => Some(value.clone()),
    }
}

/// Reads a tool call of a message.
pub(super) fn read_call(place: &str, value: Value) -> Result<Part> {
    let mut fields = Fields::at(place, value)?;
    let id = fields.text("id", "a text")?.unwrap_or_default();
    let kind = fields.text("type", "function or custom")?.unwrap_or_else(|| "function".into());
    let (key, body) = if kind == "custom" { ("custom", "input") } else { ("function", "arguments") };
    let what = "an object with name and arguments";
    let inner = fields.any(key).ok_or_else(|| Error::invalid(format!("{place}.{key} is missing: give {what}")))?;
    let mut inner = Fields::at(&fields.place(key), inner)?;
    let name = inner.needed_text("name", "the tool's name")?;
    let arguments = inner.any(body).map(arguments).unwrap_or_default();
    let mut extra = fields.rest();
    if kind != "function" {
        extra.insert("type".into(), kind.into());
    }
    keep_inner(&mut extra, key, inner.rest());
    Ok(Part::ToolCall(ToolCall { id, name, arguments, extra }))
}

/// Reads the call of a function as it was before there were tools: it has no id.
pub(super) fn read_legacy_call(place: &str, value: Value) -> Result<Part> {
    let mut fields = Fields::at(place, value)?;
    let name = fields.needed_text("name", "the function's name")?;
    let arguments = fields.any("arguments").map(arguments).unwrap_or_default();
    Ok(Part::ToolCall(ToolCall { id: String::new(), name, arguments, extra: Map::new() }))
}

/// Arguments are JSON text; some servers give the JSON itself.
pub(in crate::wire) fn arguments(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Writes the calls of a message, which may be the one call of the time before tools.
pub(super) fn write_calls(calls: &[&ToolCall], fields: &mut Map<String, Value>) {
    match calls {
        [] => {}
        [only] if only.id.is_empty() && only.extra.is_empty() => {
            fields.insert("function_call".into(), json!({"name": only.name, "arguments": only.arguments}));
        }
        several => {
            fields.insert("tool_calls".into(), several.iter().map(|call| write_call(call)).collect());
        }
    }
}

/// Writes a tool call.
pub(super) fn write_call(call: &ToolCall) -> Value {
    let mut fields = call.extra.clone();
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or("function").to_owned();
    let (key, body) = if kind == "custom" { ("custom", "input") } else { ("function", "arguments") };
    let mut inner = take_inner(&mut fields, key);
    inner.insert("name".into(), call.name.as_str().into());
    inner.insert(body.into(), call.arguments.as_str().into());
    fields.insert("id".into(), call.id.as_str().into());
    fields.insert("type".into(), kind.into());
    fields.insert(key.into(), inner.into());
    fields.into()
}

/// Writes what a piece of a tool call adds to one that began.
pub(super) fn write_piece(call: &ToolCall) -> Value {
    let mut fields = call.extra.clone();
    if !call.id.is_empty() {
        fields.insert("id".into(), call.id.as_str().into());
    }
    let mut inner = take_inner(&mut fields, "function");
    inner.insert("arguments".into(), call.arguments.as_str().into());
    fields.insert("function".into(), inner.into());
    fields.into()
}

/// Fields without a name that stand inside are kept under the name of what they stand in.
pub(super) fn keep_inner(extra: &mut Map<String, Value>, name: &str, inner: Map<String, Value>) {
    if !inner.is_empty() {
        extra.insert(name.to_owned(), inner.into());
    }
}

fn take_inner(extra: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match extra.remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    }
}
