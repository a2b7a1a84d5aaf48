//! The form of the answer and the effort for it, which share `output_config`, both ways.

use crate::chat::{Output, Request};
use crate::wire::fields::Fields;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The name of a schema, which has none in this protocol.
const NAME: &str = "response";

/// Reads `output_config`, and the older `output_format`.
pub(super) fn read(fields: &mut Fields) -> Result<(Output, Option<String>, Option<Value>)> {
    let older = fields.any("output_format");
    let mut config = match fields.object("output_config", "an object with format or effort")? {
        Some(config) => Fields::at("output_config", config.into())?,
        None => return Ok((older.map_or(Output::Text, read_format), None, None)),
    };
    let effort = config.text("effort", "a text such as low, medium or high")?;
    let format = config.any("format").or(older);
    let rest = config.rest();
    Ok((format.map_or(Output::Text, read_format), effort, (!rest.is_empty()).then(|| rest.into())))
}

fn read_format(value: Value) -> Output {
    let schema = || {
        let fields = value.as_object().filter(|fields| fields.len() == 2)?;
        fields.get("type").filter(|kind| *kind == "json_schema")?;
        fields.get("schema").cloned()
    };
    match schema() {
        Some(schema) => Output::Schema { name: NAME.into(), schema, description: None, strict: None },
        None => Output::Other(value),
    }
}

/// Writes `output_config` into a body.
///
/// # Errors
/// `InvalidArgument`: the protocol has no form for JSON without a schema.
pub(super) fn write(request: &Request, body: &mut Map<String, Value>) -> Result<()> {
    let mut config = match body.remove("output_config") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    let format = match &request.output {
        Output::Text => None,
        Output::Json => {
            return Err(Error::invalid(
                "response_format is json_object, for which Anthropic's messages have no form: give a json_schema",
            ));
        }
        Output::Schema { schema, .. } => Some(json!({"type": "json_schema", "schema": schema})),
        Output::Other(value) => Some(value.clone()),
    };
    if let Some(format) = format {
        config.insert("format".into(), format);
    }
    let effort = match request.sampling.reasoning_effort.as_deref() {
        // OpenAI's word for none at all; here that is thinking left off.
        Some("none") | None => None,
        Some("minimal") => Some("low"),
        effort => effort,
    };
    if let Some(effort) = effort {
        config.insert("effort".into(), effort.into());
    }
    if !config.is_empty() {
        body.insert("output_config".into(), config.into());
    }
    Ok(())
}
