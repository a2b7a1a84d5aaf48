//! Reads a request, as a client sends it.

use super::{message, tools};
use crate::chat::{Limits, Output, Request, Sampling};
use crate::wire::Incoming;
use crate::wire::fields::{Fields, expected};
use crate::{Error, Result};
use serde_json::Value;

/// Reads the body of a request. What has no name here goes to `extra`, unchanged.
pub(super) fn read(body: Value) -> Result<Incoming> {
    let mut fields = Fields::of_body(body)?;
    let model = fields.needed_text("model", "the model's name, such as openai/gpt-5-mini")?;
    let messages = message::read_field(&mut fields)?;
    let tools = fields.list("tools", "a list of tools")?.map(tools::read_all).transpose()?.unwrap_or_default();
    let tool_choice = fields.any("tool_choice").map(tools::read_choice).transpose()?;
    let output = fields.any("response_format").map(tools::read_output).transpose()?.unwrap_or(Output::Text);
    let sampling = read_sampling(&mut fields)?;
    let limits = read_limits(&mut fields)?;
    let metadata = fields.object("metadata", "an object of texts")?.unwrap_or_default();
    let stream = fields.flag("stream")?.unwrap_or(false);
    let extra = fields.rest();
    let include_usage = includes_usage(extra.get("stream_options"))? && stream;
    let request = Request { model, messages, tools, tool_choice, output, sampling, limits, metadata, extra };
    Ok(Incoming { request, stream, include_usage })
}

fn read_sampling(fields: &mut Fields) -> Result<Sampling> {
    Ok(Sampling {
        temperature: fields.number("temperature", "a number from 0 to 2")?,
        top_p: fields.number("top_p", "a number from 0 to 1")?,
        top_k: fields.count("top_k", "a whole number, 0 or more")?,
        frequency_penalty: fields.number("frequency_penalty", "a number from -2 to 2")?,
        presence_penalty: fields.number("presence_penalty", "a number from -2 to 2")?,
        seed: fields.integer("seed", "a whole number")?,
        stop: read_stop(fields)?,
        choices: fields.count("n", "a whole number, 1 or more")?,
        reasoning_effort: fields.text("reasoning_effort", "a text such as low, medium or high")?,
    })
}

fn read_stop(fields: &mut Fields) -> Result<Vec<String>> {
    if let Some(text) = fields.text_or_leave("stop") {
        return Ok(vec![text]);
    }
    Ok(fields.texts("stop", "a text or a list of texts")?.unwrap_or_default())
}

/// The newer name counts where both are given.
fn read_limits(fields: &mut Fields) -> Result<Limits> {
    let what = "a whole number, 1 or more";
    let older = fields.count("max_tokens", what)?;
    let newer = fields.count("max_completion_tokens", what)?;
    Ok(Limits { max_output_tokens: newer.or(older), max_reasoning_tokens: None })
}

/// The options stay in `extra`: a null there says that none are to be sent.
fn includes_usage(options: Option<&Value>) -> Result<bool> {
    let what = "an object such as {\"include_usage\": true}, or null";
    match options {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Object(options)) => match options.get("include_usage") {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(included)) => Ok(*included),
            Some(other) => Err(expected("stream_options.include_usage", other, "true or false")),
        },
        Some(other) => Err(Error::invalid(format!("stream_options is {other}: give {what}"))),
    }
}
