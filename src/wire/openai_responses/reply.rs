//! Reads a reply, whole or as a stream.

use super::events::{Item, at};
use super::stop;
use crate::chat::{Event, Reply, Stop};
use crate::wire::heard::{BodyReader, Out, collect};
use crate::wire::{ToldError, fault, usage};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Fields of a response that have a name here, or say again what was asked.
const READ: [&str; 38] = [
    "background",
    "billing",
    "completed_at",
    "conversation",
    "created_at",
    "error",
    "frequency_penalty",
    "id",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "object",
    "output",
    "output_text",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "status",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tool_usage",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "usage",
    "user",
];

/// Reads a whole reply.
pub(super) fn read(body: Value) -> Result<Reply, ToldError> {
    let malformed = || fault::malformed("a response with output", &body.to_string());
    let has_output = body.get("output").is_some_and(Value::is_array);
    if let Some(error) = fault::told(&body) {
        return Err(error);
    }
    let response = body.as_object().filter(|_| has_output).ok_or_else(malformed)?;
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    reader.start(response, &mut out);
    reader.end(response, &mut out);
    Ok(Reply { raw: body, ..collect(out)? })
}

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    items: BTreeMap<u32, Item>,
    has_started: bool,
    has_calls: bool,
    has_ended: bool,
}

impl BodyReader for Reader {
    fn body(&mut self, name: &str, body: &Value, out: &mut Out) {
        self.event(name, body, out);
    }

    fn has_ended(&self) -> bool {
        self.has_ended
    }
}

impl Reader {
    fn event(&mut self, name: &str, event: &Value, out: &mut Out) {
        let malformed = || Err(fault::malformed("an event of a response", &event.to_string()));
        let Some(fields) = event.as_object() else { return out.push(malformed()) };
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or(name);
        if !kind.starts_with("response.")
            && let Some(error) = fault::told(event)
        {
            return out.push(Err(error));
        }
        let number =
            |name: &str| fields.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let index = number("output_index").unwrap_or(0);
        let place = at(index, number("content_index").unwrap_or(0));
        let inner = |name: &str| fields.get(name).and_then(Value::as_object);
        match kind.strip_prefix("response.").unwrap_or(kind) {
            "created" | "in_progress" | "queued" => match inner("response") {
                Some(response) => self.start(response, out),
                None => out.push(malformed()),
            },
            "output_item.added" => match inner("item") {
                Some(item) => {
                    self.has_calls |= is_call(item);
                    self.item(index).begin(index, item, out);
                }
                None => out.push(malformed()),
            },
            "output_item.done" => match inner("item") {
                Some(item) => self.item_done(index, item, out),
                None => out.push(malformed()),
            },
            "output_text.delta" => self.item(index).text(place, fields, out),
            "output_text.annotation.added" => self.item(index).citation(place, fields, out),
            "refusal.delta" => self.item(index).refusal(place, fields, out),
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => {
                self.item(index).arguments(index, fields, out);
            }
            "reasoning_summary_text.delta" | "reasoning_text.delta" => {
                let text = fields.get("delta").and_then(Value::as_str).unwrap_or_default();
                self.item(index).thought(index, text.to_owned(), out);
            }
            "reasoning_summary_part.added" if self.item(index).has_thoughts() => {
                self.item(index).thought(index, "\n\n".into(), out);
            }
            "completed" | "incomplete" | "failed" | "cancelled" | "done" => match inner("response") {
                Some(response) => {
                    self.start(response, out);
                    self.end(response, out);
                    self.has_ended = true;
                }
                None => out.push(malformed()),
            },
            // What an item of OpenAI's own tools is about, or an event that is newer than this.
            _ => {}
        }
    }

    fn item(&mut self, index: u32) -> &mut Item {
        self.items.entry(index).or_default()
    }

    fn item_done(&mut self, index: u32, item: &Map<String, Value>, out: &mut Out) {
        self.has_calls |= is_call(item);
        self.item(index).end(index, item, out);
    }

    fn start(&mut self, response: &Map<String, Value>, out: &mut Out) {
        let text =
            |name: &str| response.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let (id, model) = (text("id"), text("model"));
        if !self.has_started && (id.is_some() || model.is_some()) {
            self.has_started = true;
            out.push(Ok(Event::Start { id, model }));
        }
    }

    /// Reads how a response ends: what the last event says, and a whole reply too.
    fn end(&mut self, response: &Map<String, Value>, out: &mut Out) {
        let output = response.get("output").and_then(Value::as_array).into_iter().flatten();
        for (index, item) in output.enumerate() {
            if let Some(item) = item.as_object() {
                self.item_done(index as u32, item, out);
            }
        }
        let unread = response.iter().filter(|(name, value)| !READ.contains(&name.as_str()) && !value.is_null());
        out.extend(
            unread.map(|(name, value)| Ok(Event::Extra { choice: None, name: name.clone(), value: value.clone() })),
        );
        if response.get("usage").is_some_and(Value::is_object) {
            out.extend(usage::told(&Value::Object(response.clone())).map(|told| Ok(Event::Usage(told))));
        }
        match stop::read(response, self.has_calls) {
            Some(Stop::Error) => {
                let told = fault::told(&Value::Object(response.clone()));
                let unsaid = || ToldError { message: "the response failed".into(), ..ToldError::default() };
                out.push(Err(told.unwrap_or_else(unsaid)));
            }
            Some(stop) => out.push(Ok(Event::Stop { choice: 0, stop })),
            None => {}
        }
    }
}

fn is_call(item: &Map<String, Value>) -> bool {
    item.get("type").is_some_and(|kind| kind == "function_call" || kind == "custom_tool_call")
}
