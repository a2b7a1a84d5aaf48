//! Writes a request.

use super::{PROTOCOL, message, output, tools};
use crate::Result;
use crate::chat::Request;
use crate::wire::own::{self, PARALLEL};
use crate::wire::{Protocol, Quirks};
use serde_json::{Map, Value, json};

/// The body that asks for a request. A field of `extra` never stands in for one that has a name.
///
/// # Errors
/// `InvalidArgument`: the protocol has no form for a parameter.
pub(super) fn request(request: &Request, stream: bool, quirks: &Quirks) -> Result<Value> {
    let mut body = own::extra(request, PROTOCOL.name())?;
    body.remove("stream");
    let parallel = body.remove(PARALLEL).and_then(|flag| flag.as_bool());
    let user = body.remove("user");
    output::write(request, &mut body)?;
    let (system, messages) = message::write_all(&request.messages)?;
    let sampling = &request.sampling;
    let budget = request.limits.max_reasoning_tokens;
    // The limit counts thoughts as well, and must leave room for an answer.
    let most = request.limits.max_output_tokens.unwrap_or(quirks.default_max_tokens + budget.unwrap_or(0));
    let mut set = |name: &str, value: Option<Value>| value.map(|value| body.insert(name.to_owned(), value));
    set("model", Some(request.model.as_str().into()));
    set("system", system);
    set("messages", Some(messages.into()));
    set("max_tokens", Some(most.into()));
    set("thinking", budget.map(|budget| json!({"type": "enabled", "budget_tokens": budget})));
    let tools: Vec<Value> = request.tools.iter().map(tools::write).collect();
    set("tool_choice", tools::write_choice(request.tool_choice.as_ref(), parallel, !tools.is_empty()));
    set("tools", (!tools.is_empty()).then_some(tools.into()));
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("top_k", sampling.top_k.map(Value::from));
    set("stop_sequences", (!sampling.stop.is_empty()).then(|| sampling.stop.clone().into()));
    set("metadata", metadata(&request.metadata, user));
    set("stream", stream.then_some(true.into()));
    Ok(body.into())
}

/// This protocol keeps the user's id and nothing else.
fn metadata(given: &Map<String, Value>, user: Option<Value>) -> Option<Value> {
    let user = given.get("user_id").cloned().or(user).filter(|user| !user.is_null())?;
    Some(json!({"user_id": user}))
}
