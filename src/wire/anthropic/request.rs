//! Reads a request, as a client sends it.

use super::{message, output, tools};
use crate::Result;
use crate::chat::{Limits, Request, Sampling};
use crate::wire::Incoming;
use crate::wire::fields::Fields;
use crate::wire::own::PARALLEL;
use serde_json::Value;

/// Reads the body of a request. What has no name here goes to `extra`, unchanged.
pub(super) fn read(body: Value) -> Result<Incoming> {
    let mut fields = Fields::of_body(body)?;
    let model = fields.needed_text("model", "the model's name, such as anthropic/claude-haiku-4-5")?;
    let messages = message::read_all(&mut fields)?;
    let tools = fields.list("tools", "a list of tools")?.map(tools::read_all).transpose()?.unwrap_or_default();
    let choice = fields.any("tool_choice").map(tools::read_choice).transpose()?;
    let (output, reasoning_effort, config) = output::read(&mut fields)?;
    let limits = read_limits(&mut fields)?;
    let sampling = Sampling {
        temperature: fields.number("temperature", "a number from 0 to 1")?,
        top_p: fields.number("top_p", "a number from 0 to 1")?,
        top_k: fields.count("top_k", "a whole number, 0 or more")?,
        stop: fields.texts("stop_sequences", "a list of texts")?.unwrap_or_default(),
        reasoning_effort,
        ..Sampling::default()
    };
    let metadata = fields.object("metadata", "an object with user_id")?.unwrap_or_default();
    let stream = fields.flag("stream")?.unwrap_or(false);
    let mut extra = fields.rest();
    extra.extend(config.map(|config| ("output_config".to_owned(), config)));
    let (tool_choice, parallel) = choice.map_or((None, None), |(choice, parallel)| (Some(choice), parallel));
    extra.extend(parallel.map(|parallel| (PARALLEL.to_owned(), parallel.into())));
    let request = Request { model, messages, tools, tool_choice, output, sampling, limits, metadata, extra };
    // A stream of this protocol always tells its usage.
    Ok(Incoming { request, stream, include_usage: stream })
}

fn read_limits(fields: &mut Fields) -> Result<Limits> {
    let max_output_tokens = fields.count("max_tokens", "a whole number, 1 or more")?;
    let budget = |thinking: &Value| {
        let fields = thinking.as_object().filter(|fields| fields.len() == 2)?;
        fields.get("type").filter(|kind| *kind == "enabled")?;
        fields.get("budget_tokens")?.as_u64()
    };
    let thinking = fields.any("thinking");
    let max_reasoning_tokens = thinking.as_ref().and_then(budget);
    if let (Some(thinking), None) = (thinking, max_reasoning_tokens) {
        fields.leave("thinking", thinking);
    }
    Ok(Limits { max_output_tokens, max_reasoning_tokens })
}
