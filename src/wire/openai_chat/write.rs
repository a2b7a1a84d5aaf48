//! Writes a request.

use super::{PROTOCOL, message, tools};
use crate::Result;
use crate::chat::Request;
use crate::wire::{Protocol, Quirks, effort, own};
use serde_json::{Map, Value, json};

/// The body that asks for a request. A field of `extra` never stands in for one that has a name.
///
/// # Errors
/// `InvalidArgument`: the protocol has no form for a parameter.
pub(super) fn request(request: &Request, stream: bool, quirks: &Quirks) -> Result<Value> {
    let mut body = own::extra(request, PROTOCOL.name())?;
    stream_fields(&mut body, stream, quirks);
    let mut messages = Vec::with_capacity(request.messages.len());
    request.messages.iter().for_each(|one| message::write(one, quirks, &mut messages));
    body.insert("model".into(), request.model.as_str().into());
    body.insert("messages".into(), messages.into());
    let sampling = &request.sampling;
    let mut set = |name: &str, value: Option<Value>| value.map(|value| body.insert(name.to_owned(), value));
    let tools: Vec<Value> = request.tools.iter().map(tools::write).collect();
    set("tools", (!tools.is_empty()).then_some(tools.into()));
    set("tool_choice", request.tool_choice.as_ref().map(tools::write_choice));
    set("response_format", tools::write_output(&request.output));
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("top_k", sampling.top_k.map(Value::from));
    set("frequency_penalty", sampling.frequency_penalty.map(Value::from));
    set("presence_penalty", sampling.presence_penalty.map(Value::from));
    set("seed", sampling.seed.map(Value::from));
    set("stop", (!sampling.stop.is_empty()).then(|| sampling.stop.clone().into()));
    set("n", sampling.choices.map(Value::from));
    set("reasoning_effort", effort::word(request).map(Value::from));
    set(&quirks.max_tokens_name, request.limits.max_output_tokens.map(Value::from));
    set("metadata", (!request.metadata.is_empty()).then(|| request.metadata.clone().into()));
    Ok(body.into())
}

/// A stream is asked to tell its usage at the end, where the caller says nothing else; never where the provider does not
/// know how, which is an error to some.
fn stream_fields(body: &mut Map<String, Value>, stream: bool, quirks: &Quirks) {
    let given = body.remove("stream_options");
    body.remove("stream");
    if !stream {
        return;
    }
    body.insert("stream".into(), true.into());
    let options = given.unwrap_or_else(|| json!({"include_usage": true}));
    if quirks.stream_options && !options.is_null() {
        body.insert("stream_options".into(), options);
    }
}
