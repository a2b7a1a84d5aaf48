//! Reads a reply, whole or as a stream.

use super::block::Open;
use super::stop;
use crate::chat::{Event, Place, Reply};
use crate::wire::heard::{BodyReader, Out, collect};
use crate::wire::{ToldError, fault, usage};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Fields of a message that have a name here.
const READ: [&str; 9] =
    ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"];

/// Reads a whole reply.
pub(super) fn read(body: Value) -> Result<Reply, ToldError> {
    if let Some(error) = fault::told(&body) {
        return Err(error);
    }
    let malformed = || fault::malformed("a message with content", &body.to_string());
    let fields = body.as_object().ok_or_else(malformed)?;
    let blocks = fields.get("content").and_then(Value::as_array).ok_or_else(malformed)?;
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    reader.start(fields, &mut out);
    for (index, block) in blocks.iter().enumerate() {
        reader.block(index as u32, block, &mut out);
        reader.block_stop(index as u32, &mut out);
    }
    reader.end(fields, &mut out);
    Ok(Reply { raw: body, ..collect(out)? })
}

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    open: BTreeMap<u32, Open>,
    has_calls: bool,
    /// The counts so far: input comes first, output last.
    usage: Map<String, Value>,
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
        let malformed = || Err(fault::malformed("an event of a message", &event.to_string()));
        if let Some(error) = fault::told(event) {
            return out.push(Err(error));
        }
        let Some(fields) = event.as_object() else { return out.push(malformed()) };
        let index = || fields.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
        let inner = |name: &str| fields.get(name).filter(|inner| inner.is_object());
        match fields.get("type").and_then(Value::as_str).unwrap_or(name) {
            "message_start" => match inner("message").and_then(Value::as_object) {
                Some(message) => self.start(message, out),
                None => out.push(malformed()),
            },
            "content_block_start" => match (index(), inner("content_block")) {
                (Some(index), Some(block)) => self.block(index, block, out),
                _ => out.push(malformed()),
            },
            "content_block_delta" => match (index(), inner("delta").and_then(Value::as_object)) {
                (Some(index), Some(delta)) => self.delta(index, delta, out),
                _ => out.push(malformed()),
            },
            "content_block_stop" => match index() {
                Some(index) => self.block_stop(index, out),
                None => out.push(malformed()),
            },
            "message_delta" => {
                let mut end = inner("delta").and_then(Value::as_object).cloned().unwrap_or_default();
                let around = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "delta"));
                around.for_each(|(name, value)| drop(end.insert(name.clone(), value.clone())));
                self.end(&end, out);
            }
            "message_stop" => self.has_ended = true,
            // A ping, or an event that is newer than this.
            _ => {}
        }
    }

    fn start(&mut self, message: &Map<String, Value>, out: &mut Out) {
        let text =
            |name: &str| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let (id, model) = (text("id"), text("model"));
        if id.is_some() || model.is_some() {
            out.push(Ok(Event::Start { id, model }));
        }
        let unread = message.iter().filter(|(name, value)| !READ.contains(&name.as_str()) && !value.is_null());
        out.extend(
            unread.map(|(name, value)| Ok(Event::Extra { choice: None, name: name.clone(), value: value.clone() })),
        );
        self.count(message, out);
    }

    fn block(&mut self, index: u32, block: &Value, out: &mut Out) {
        let Some(fields) = block.as_object() else {
            return out.push(Err(fault::malformed("a block", &block.to_string())));
        };
        self.block_stop(index, out);
        let open = Open::start(at(index), fields, out);
        self.has_calls |= matches!(open, Open::Call { .. });
        self.open.insert(index, open);
    }

    /// A piece of a block that never began begins it: what it is says the piece.
    fn delta(&mut self, index: u32, delta: &Map<String, Value>, out: &mut Out) {
        self.open.entry(index).or_insert(Open::Text).delta(at(index), delta, out);
    }

    fn block_stop(&mut self, index: u32, out: &mut Out) {
        if let Some(open) = self.open.remove(&index) {
            open.stop(at(index), out);
        }
    }

    /// Reads how a message ends: what `message_delta` says, and a whole message too.
    fn end(&mut self, fields: &Map<String, Value>, out: &mut Out) {
        self.count(fields, out);
        for name in ["stop_sequence", "stop_details"] {
            if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
                out.push(Ok(Event::Extra { choice: Some(0), name: name.to_owned(), value: value.clone() }));
            }
        }
        if let Some(word) = fields.get("stop_reason").and_then(Value::as_str).filter(|word| !word.is_empty()) {
            // A block that nobody ended is as whole as the message.
            while let Some((index, open)) = self.open.pop_first() {
                open.stop(at(index), out);
            }
            out.push(Ok(Event::Stop { choice: 0, stop: stop::read(word, self.has_calls) }));
        }
    }

    fn count(&mut self, fields: &Map<String, Value>, out: &mut Out) {
        let Some(Value::Object(usage)) = fields.get("usage") else { return };
        let before = self.usage.len();
        for (name, value) in usage.iter().filter(|(_, value)| !value.is_null()) {
            self.usage.insert(name.clone(), value.clone());
        }
        if before == 0 || !usage.is_empty() {
            out.extend(usage::told(&json!({"usage": self.usage})).map(|told| Ok(Event::Usage(told))));
        }
    }
}

fn at(index: u32) -> Place {
    Place { choice: 0, part: index }
}
