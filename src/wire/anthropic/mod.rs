//! Anthropic's Messages.
//!
//! A reply has one choice, and a part of it has the number of its block. There is one reading of a reply: a block of a
//! whole one is read as a block of a stream that starts with all it has.

mod answer;
mod block;
mod blocks;
mod message;
mod output;
mod reply;
mod request;
mod stop;
mod tools;
mod write;
mod writer;

use super::heard::StreamReader;
use super::{EventReader, EventWriter, Incoming, Protocol, Quirks, ToldError, WriterOptions, fault};
use crate::Result;
use crate::chat::{Reply, Request};
pub(super) use blocks::input;
use serde_json::{Value, json};

/// Anthropic's Messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anthropic;

/// The protocol, as the registry names it.
pub static PROTOCOL: Anthropic = Anthropic;

impl Protocol for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn path(&self, _model: &str, _stream: bool) -> String {
        "/messages".into()
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
        let kind = match (error.status, error.kind.as_deref()) {
            (Some(402), _) => "billing_error",
            (Some(504), _) => "timeout_error",
            (Some(503 | 529), _) => "overloaded_error",
            (Some(status), _) => fault::kind_of_status(Some(status)),
            (None, Some(kind)) if kind.ends_with("_error") => kind,
            (None, _) => "api_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": error.message}})
    }
}
