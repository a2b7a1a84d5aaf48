//! A request, both ways.

use super::{PROTOCOL, config, message, tools};
use crate::Result;
use crate::chat::Request;
use crate::wire::fields::Fields;
use crate::wire::{Incoming, Protocol, own};
use serde_json::{Map, Value};

/// Reads the body of a request. The path names the model, and says whether the reply is to be a stream; whoever hears it
/// fills them in. What has no name here goes to `extra`, unchanged.
pub(super) fn read(body: Value) -> Result<Incoming> {
    let mut fields = Fields::of_body(body)?;
    let model = fields.text("model", "the model's name")?.unwrap_or_default();
    let model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
    let messages = message::read_all(&mut fields)?;
    let tools = fields.list("tools", "a list of tools")?.map(tools::read_all).transpose()?.unwrap_or_default();
    let tool_choice = fields.any("toolConfig").map(tools::read_choice);
    let config = fields.object("generationConfig", "an object")?.unwrap_or_default();
    let config = config::read(config)?;
    let mut extra = fields.rest();
    extra.extend(config.named);
    if !config.rest.is_empty() {
        extra.insert("generationConfig".into(), config.rest.into());
    }
    let (output, sampling, limits) = (config.output, config.sampling, config.limits);
    let request =
        Request { model, messages, tools, tool_choice, output, sampling, limits, metadata: Map::new(), extra };
    Ok(Incoming { request, stream: false, include_usage: true })
}

/// The body that asks for a request. A field of `extra` never stands in for one that has a name.
///
/// # Errors
/// `InvalidArgument`: the protocol has no form for a parameter or a part.
pub(super) fn write(request: &Request) -> Result<Value> {
    let mut body = own::extra(request, PROTOCOL.name())?;
    let config = config::write(request, &mut body)?;
    let (system, contents) = message::write_all(&request.messages)?;
    let tools = tools::write_all(&request.tools);
    let choice = tools::write_choice(request.tool_choice.as_ref(), !tools.is_empty())?;
    let mut set = |name: &str, value: Option<Value>| value.map(|value| body.insert(name.to_owned(), value));
    set("systemInstruction", system);
    set("contents", Some(contents.into()));
    set("tools", (!tools.is_empty()).then(|| tools.into()));
    set("toolConfig", choice);
    set("generationConfig", (!config.is_empty()).then(|| config.into()));
    Ok(body.into())
}
