//! Writes a request.

use super::{PROTOCOL, input, tools};
use crate::Result;
use crate::chat::Request;
use crate::wire::own::{self, REASONING_SUMMARY, VERBOSITY};
use crate::wire::{Protocol, effort};
use serde_json::{Map, Value};

/// The body that asks for a request. A field of `extra` never stands in for one that has a name.
pub(super) fn request(request: &Request, stream: bool) -> Result<Value> {
    let mut body = own::extra(request, PROTOCOL.name())?;
    body.remove("stream");
    body.remove("stream_options");
    let (instructions, items) = input::write_all(&request.messages);
    let verbosity = body.remove(VERBOSITY);
    let text = with(&mut body, "text", [("format", tools::write_format(&request.output)), ("verbosity", verbosity)]);
    let summary = body.remove(REASONING_SUMMARY);
    let effort = effort::word(request).map(Value::from);
    let reasoning = with(&mut body, "reasoning", [("effort", effort), ("summary", summary)]);
    let sampling = &request.sampling;
    let mut set = |name: &str, value: Option<Value>| value.map(|value| body.insert(name.to_owned(), value));
    set("model", Some(request.model.as_str().into()));
    set("instructions", instructions.map(Value::from));
    set("input", Some(items.into()));
    let tools: Vec<Value> = request.tools.iter().map(tools::write).collect();
    set("tools", (!tools.is_empty()).then_some(tools.into()));
    set("tool_choice", request.tool_choice.as_ref().map(tools::write_choice));
    set("text", text);
    set("reasoning", reasoning);
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("max_output_tokens", request.limits.max_output_tokens.map(Value::from));
    set("metadata", (!request.metadata.is_empty()).then(|| request.metadata.clone().into()));
    set("stream", stream.then_some(true.into()));
    log_probabilities(&mut body);
    Ok(body.into())
}

/// The object of a name with what is set in it; None where nothing is.
fn with<const N: usize>(body: &mut Map<String, Value>, name: &str, set: [(&str, Option<Value>); N]) -> Option<Value> {
    let mut fields = match body.remove(name) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.extend(set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    (!fields.is_empty()).then(|| fields.into())
}

/// What OpenAI's chat asks for by a flag is one of the things to include here.
fn log_probabilities(body: &mut Map<String, Value>) {
    const PROBABILITIES: &str = "message.output_text.logprobs";
    if body.remove("logprobs") != Some(Value::Bool(true)) {
        return;
    }
    let include = body.entry("include").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = include.as_array_mut().filter(|list| !list.iter().any(|name| name == PROBABILITIES)) {
        list.push(PROBABILITIES.into());
    }
}
