//! Reads a reply, whole or as a stream.

use super::calls::Calls;
use super::delta::Delta;
use super::finish;
use crate::chat::{Event, Reply, Stop};
use crate::wire::heard::{BodyReader, Out, collect};
use crate::wire::{ToldError, fault, usage};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Reads a whole reply.
pub(super) fn read(body: Value) -> Result<Reply, ToldError> {
    let mut events = Vec::new();
    let mut reader = Reader::default();
    match body.get("choices").and_then(Value::as_array) {
        Some(choices) if !choices.is_empty() => reader.chunk(&body, Form::Whole, &mut events),
        _ => {
            return Err(
                fault::told(&body).unwrap_or_else(|| fault::malformed("a reply with choices", &body.to_string()))
            );
        }
    }
    Ok(Reply { raw: body, ..collect(events)? })
}

/// Whether a choice is one piece of a stream or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Piece,
    Whole,
}

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    choices: BTreeMap<u32, Grown>,
    has_id: bool,
    has_model: bool,
}

/// What is known of a choice.
#[derive(Debug, Default)]
struct Grown {
    calls: Calls,
    stop: Option<Stop>,
}

impl BodyReader for Reader {
    fn body(&mut self, _name: &str, body: &Value, out: &mut Out) {
        self.chunk(body, Form::Piece, out);
    }
}

impl Reader {
    fn chunk(&mut self, chunk: &Value, form: Form, out: &mut Out) {
        let Some(fields) = chunk.as_object() else {
            return out
                .push(Err(fault::told(chunk).unwrap_or_else(|| fault::malformed("an object", &chunk.to_string()))));
        };
        self.start(fields, out);
        let mut failed = fault::told(chunk);
        match fields.get("choices") {
            Some(Value::Array(choices)) => {
                for (position, choice) in choices.iter().enumerate() {
                    let read = self.choice(choice, position, form, out);
                    failed = failed.or(read.err());
                }
                extra(fields, out);
            }
            None | Some(Value::Null) => {}
            Some(other) => failed = failed.or_else(|| Some(fault::malformed("a list of choices", &other.to_string()))),
        }
        if tells_usage(fields)
            && let Some(told) = usage::told(chunk)
        {
            out.push(Ok(Event::Usage(told)));
        }
        out.extend(failed.map(Err));
    }

    /// Every chunk names the reply and its model; some servers leave them empty in the first.
    fn start(&mut self, fields: &Map<String, Value>, out: &mut Out) {
        let text =
            |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let id = if self.has_id { None } else { text("id") };
        let model = if self.has_model { None } else { text("model") };
        self.has_id |= id.is_some();
        self.has_model |= model.is_some();
        if id.is_some() || model.is_some() {
            out.push(Ok(Event::Start { id, model }));
        }
    }

    fn choice(&mut self, value: &Value, position: usize, form: Form, out: &mut Out) -> Result<(), ToldError> {
        let malformed = || fault::malformed("a choice with a message", &value.to_string());
        let fields = value.as_object().ok_or_else(malformed)?;
        let told = fields.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
        let mut index = told.unwrap_or(position as u32);
        if form == Form::Whole && self.choices.contains_key(&index) {
            // Two answers under one number are two answers.
            index = self.choices.keys().next_back().map_or(0, |last| last.saturating_add(1));
        }
        let names = if form == Form::Whole { ["message", "delta"] } else { ["delta", "message"] };
        let said = names
            .into_iter()
            .find_map(|name| fields.get(name).filter(|said| said.is_object()).map(|said| (name, said)));
        let grown = self.choices.entry(index).or_default();
        match said {
            Some((name, said)) => {
                Delta { choice: index, is_whole: name == "message" }.read(said, &mut grown.calls, out);
            }
            None if form == Form::Whole => return Err(malformed()),
            None => {}
        }
        for (name, value) in fields {
            let is_read = matches!(name.as_str(), "index" | "message" | "delta" | "finish_reason" | "error" | "usage");
            if !is_read && !value.is_null() {
                out.push(Ok(Event::Extra { choice: Some(index), name: name.clone(), value: value.clone() }));
            }
        }
        // Some servers tell usage in the choice.
        if fields.get("usage").is_some_and(Value::is_object) {
            out.extend(usage::told(value).map(|told| Ok(Event::Usage(told))));
        }
        if let Some(error) = fault::of_choice(fields) {
            return Err(error);
        }
        match fields.get("finish_reason") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(word)) if word.is_empty() => Ok(()),
            Some(reason) => grown.finish(index, reason.as_str().unwrap_or(&reason.to_string()), out),
        }
    }
}

impl Grown {
    fn finish(&mut self, choice: u32, word: &str, out: &mut Out) -> Result<(), ToldError> {
        let stop = finish::read(word, !self.calls.is_empty())?;
        if self.stop.as_ref() == Some(&stop) {
            return Ok(());
        }
        if self.stop.is_none() {
            out.extend(self.calls.name(choice).map(Ok));
        }
        self.stop = Some(stop.clone());
        out.push(Ok(Event::Stop { choice, stop }));
        Ok(())
    }
}

/// Fields of the reply that have no name here.
fn extra(fields: &Map<String, Value>, out: &mut Out) {
    const READ: [&str; 10] =
        ["id", "object", "created", "model", "choices", "usage", "error", "errors", "x_groq", "obfuscation"];
    let unread = fields.iter().filter(|(name, value)| !READ.contains(&name.as_str()) && !value.is_null());
    out.extend(unread.map(|(name, value)| Ok(Event::Extra { choice: None, name: name.clone(), value: value.clone() })));
}

fn tells_usage(fields: &Map<String, Value>) -> bool {
    ["usage", "x_groq"].iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_null()))
}
