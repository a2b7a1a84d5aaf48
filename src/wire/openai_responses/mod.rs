//! OpenAI's Responses.
//!
//! A conversation is a list of items: messages, calls, results and thoughts stand side by side. A reply has one choice, and a
//! part of it has the number of its item, with that of its place in the item's content behind it. There is one reading of a
//! reply: a whole one is read as a stream that tells nothing before its last event.

mod answer;
mod content;
mod events;
mod input;
mod items;
mod reply;
mod request;
mod stop;
mod thought;
mod tools;
mod write;
mod writer;

use super::heard::StreamReader;
use super::{EventReader, EventWriter, Incoming, Protocol, Quirks, ToldError, WriterOptions, fault, openai_chat};
use crate::Result;
use crate::chat::{Reply, Request};
use serde_json::Value;
pub(super) use thought::is_openais;

/// OpenAI's Responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAiResponses;

/// The protocol, as the registry names it.
pub static PROTOCOL: OpenAiResponses = OpenAiResponses;

impl Protocol for OpenAiResponses {
    fn name(&self) -> &'static str {
        "openai_responses"
    }

    fn path(&self, _model: &str, _stream: bool) -> String {
        "/responses".into()
    }

    fn write_request(&self, request: &Request, stream: bool, _quirks: &Quirks) -> Result<Value> {
        write::request(request, stream)
    }

    fn read_reply(&self, body: Value) -> Result<Reply, ToldError> {
        reply::read(body)
    }

    fn event_reader(&self) -> Box<dyn EventReader> {
        Box::new(StreamReader::<reply::Reader>::default())
    }

    fn read_error(&self, body: &Value) -> Option<ToldError> {
        fault::told(body)
    }

    fn read_request(&self, body: Value) -> Result<Incoming> {
        request::read(body)
    }

    fn write_reply(&self, reply: &Reply) -> Value {
        answer::write(reply)
    }

    fn event_writer(&self, options: WriterOptions) -> Box<dyn EventWriter> {
        Box::new(writer::Writer::new(options))
    }

    fn write_error(&self, error: &ToldError) -> Value {
        openai_chat::PROTOCOL.write_error(error)
    }
}
