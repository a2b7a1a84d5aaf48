//! Tools and the choice among them, both ways.

use crate::chat::{Tool, ToolChoice};
use crate::wire::fields::Fields;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// Reads `tools`: lists of functions, and tools of Google's own.
pub(super) fn read_all(items: Vec<Value>) -> Result<Vec<Tool>> {
    let mut tools = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let place = format!("tools[{index}].functionDeclarations");
        match item.get("functionDeclarations").and_then(Value::as_array) {
            Some(functions) => {
                for (number, function) in functions.iter().enumerate() {
                    tools.push(read(&format!("{place}[{number}]"), function.clone())?);
                }
            }
            None => tools.push(Tool::Other(item)),
        }
    }
    Ok(tools)
}

fn read(place: &str, value: Value) -> Result<Tool> {
    let mut fields = Fields::at(place, value)?;
    let name = fields.needed_text("name", "the function's name")?;
    let description = fields.text("description", "a text")?;
    let parameters = fields.any("parametersJsonSchema").or_else(|| fields.any("parameters"));
    Ok(Tool::Function { name, description, parameters, strict: None, extra: fields.rest() })
}

/// Writes `tools`: the functions in one list.
pub(super) fn write_all(tools: &[Tool]) -> Vec<Value> {
    let functions: Vec<Value> = tools.iter().filter_map(write).collect();
    let list = (!functions.is_empty()).then(|| json!({"functionDeclarations": functions}));
    let own = tools.iter().filter_map(|tool| match tool {
        Tool::Other(value) => Some(value.clone()),
        Tool::Function { .. } => None,
    });
    list.into_iter().chain(own).collect()
}

/// Writes a function. That its arguments follow the schema cannot be demanded here.
fn write(tool: &Tool) -> Option<Value> {
    let Tool::Function { name, description, parameters, .. } = tool else { return None };
    let mut fields = Map::new();
    fields.insert("name".into(), name.as_str().into());
    fields.extend(description.as_deref().map(|text| ("description".to_owned(), text.into())));
    fields.extend(parameters.clone().map(|schema| ("parametersJsonSchema".to_owned(), schema)));
    Some(fields.into())
}

/// Reads `toolConfig`.
pub(super) fn read_choice(value: Value) -> ToolChoice {
    let known = || {
        let outer = value.as_object().filter(|fields| fields.len() == 1)?;
        let config = outer.get("functionCallingConfig")?.as_object()?;
        let names = config.get("allowedFunctionNames").and_then(Value::as_array);
        match (config.get("mode")?.as_str()?, names.map(Vec::as_slice), config.len()) {
            ("AUTO", None, 1) => Some(ToolChoice::Auto),
            ("NONE", None, 1) => Some(ToolChoice::None),
            ("ANY", None, 1) => Some(ToolChoice::Required),
            ("ANY", Some([name]), 2) => name.as_str().map(|name| ToolChoice::Function(name.to_owned())),
            _ => None,
        }
    };
    known().unwrap_or(ToolChoice::Other(value))
}

/// Writes `toolConfig`; None leaves it to the provider.
///
/// # Errors
/// `InvalidArgument`: a choice in the words of another protocol.
pub(super) fn write_choice(choice: Option<&ToolChoice>, has_tools: bool) -> Result<Option<Value>> {
    let config = match choice {
        None => return Ok(None),
        // Without functions there is nothing to choose.
        Some(ToolChoice::Auto | ToolChoice::None) if !has_tools => return Ok(None),
        Some(ToolChoice::Auto) => json!({"mode": "AUTO"}),
        Some(ToolChoice::None) => json!({"mode": "NONE"}),
        Some(ToolChoice::Required) => json!({"mode": "ANY"}),
        Some(ToolChoice::Function(name)) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        Some(ToolChoice::Other(value)) if value.get("functionCallingConfig").is_some() => {
            return Ok(Some(value.clone()));
        }
        Some(ToolChoice::Other(value)) => {
            return Err(Error::invalid(format!(
                "tool_choice is {value}, for which Gemini has no form: give auto, none, required or one function"
            )));
        }
    };
    Ok(Some(json!({"functionCallingConfig": config})))
}
