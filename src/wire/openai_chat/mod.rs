//! OpenAI's chat completions, which most providers speak, each a little differently.
//!
//! There is one reading of a reply: the `message` of a whole one is read as the `delta` of a stream that comes in one piece.
//! Parts are numbered by their field: reasoning 0, content 1, refusal 2, what has no name 8, tool call `i` 16 + `i`.

mod answer;
mod calls;
mod content;
mod delta;
mod finish;
mod message;
mod reply;
mod request;
pub(super) mod tools;
mod write;
mod writer;

use super::heard::StreamReader;
use super::{EventReader, EventWriter, Incoming, Protocol, Quirks, ToldError, WriterOptions, fault};
use crate::Result;
use crate::chat::{Reply, Request};
use serde_json::{Value, json};

/// OpenAI's chat completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAiChat;

/// The protocol, as the registry names it.
pub static PROTOCOL: OpenAiChat = OpenAiChat;

impl Protocol for OpenAiChat {
    fn name(&self) -> &'static str {
        "openai_chat"
    }

    fn path(&self, _model: &str, _stream: bool) -> String {
        "/chat/completions".into()
    }

    fn write_request(&self, request: &Request, stream: bool, quirks: &Quirks) -> Result<Value> {
        write::request(request, stream, quirks)
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
        let kind = error.kind.clone().unwrap_or_else(|| fault::kind_of_status(error.status).to_owned());
        json!({"error": {"message": error.message, "type": kind, "param": null, "code": error.code}})
    }
}
