//! Reads a request, as a client sends it.

use super::{input, tools};
use crate::Result;
use crate::chat::{Limits, Output, Request, Sampling};
use crate::wire::Incoming;
use crate::wire::fields::Fields;
use crate::wire::own::{REASONING_SUMMARY, VERBOSITY};
use serde_json::Value;

/// Reads the body of a request. What has no name here goes to `extra`, unchanged.
pub(super) fn read(body: Value) -> Result<Incoming> {
    let mut fields = Fields::of_body(body)?;
    let model = fields.needed_text("model", "the model's name, such as openai/gpt-5-mini")?;
    let messages = input::read_all(&mut fields)?;
    let tools = fields.list("tools", "a list of tools")?.map(tools::read_all).transpose()?.unwrap_or_default();
    let tool_choice = fields.any("tool_choice").map(tools::read_choice).transpose()?;
    let mut hoisted = Vec::new();
    let output = read_text(&mut fields, &mut hoisted)?;
    let reasoning_effort = read_reasoning(&mut fields, &mut hoisted)?;
    let sampling = Sampling {
        temperature: fields.number("temperature", "a number from 0 to 2")?,
        top_p: fields.number("top_p", "a number from 0 to 1")?,
        reasoning_effort,
        ..Sampling::default()
    };
    let max_output_tokens = fields.count("max_output_tokens", "a whole number, 1 or more")?;
    let limits = Limits { max_output_tokens, max_reasoning_tokens: None };
    let metadata = fields.object("metadata", "an object of texts")?.unwrap_or_default();
    let stream = fields.flag("stream")?.unwrap_or(false);
    // How a stream is padded against who listens; it changes no answer.
    fields.any("stream_options");
    let mut extra = fields.rest();
    extra.extend(hoisted);
    let request = Request { model, messages, tools, tool_choice, output, sampling, limits, metadata, extra };
    // A stream of this protocol always tells its usage.
    Ok(Incoming { request, stream, include_usage: stream })
}

type Hoisted = Vec<(String, Value)>;

fn read_text(fields: &mut Fields, hoisted: &mut Hoisted) -> Result<Output> {
    let Some(text) = fields.object("text", "an object with format or verbosity")? else { return Ok(Output::Text) };
    let mut text = Fields::at("text", text.into())?;
    let output = text.any("format").map(tools::read_format).transpose()?.unwrap_or(Output::Text);
    hoisted.extend(text.any("verbosity").map(|verbosity| (VERBOSITY.to_owned(), verbosity)));
    let rest = text.rest();
    if !rest.is_empty() {
        fields.leave("text", rest.into());
    }
    Ok(output)
}

fn read_reasoning(fields: &mut Fields, hoisted: &mut Hoisted) -> Result<Option<String>> {
    let Some(given) = fields.object("reasoning", "an object with effort or summary")? else { return Ok(None) };
    let mut given = Fields::at("reasoning", given.into())?;
    let effort = given.text("effort", "a text such as low, medium or high")?;
    hoisted.extend(given.any("summary").map(|summary| (REASONING_SUMMARY.to_owned(), summary)));
    let rest = given.rest();
    if !rest.is_empty() {
        fields.leave("reasoning", rest.into());
    }
    Ok(effort)
}
