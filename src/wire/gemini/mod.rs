//! Gemini's generateContent.
//!
//! The path names the model, and a stream has no mark at its end. A reply's parts have no number: texts that follow one
//! another are pieces of one, and a call always comes whole. There is one reading of a reply: a whole one is a stream of one
//! piece.

mod answer;
mod config;
mod message;
mod parts;
mod reply;
mod request;
mod result;
mod stop;
mod tools;
mod writer;

use super::heard::StreamReader;
use super::{EventReader, EventWriter, Incoming, Protocol, Quirks, ToldError, WriterOptions, fault, segment};
use crate::Result;
use crate::chat::{Reply, Request};
use serde_json::{Value, json};

/// Gemini's generateContent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gemini;

/// The protocol, as the registry names it.
pub static PROTOCOL: Gemini = Gemini;

impl Protocol for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn path(&self, model: &str, stream: bool) -> String {
        let (folder, name) = match model.split_once('/') {
            Some(("tunedModels", name)) => ("tunedModels", name),
            Some(("models", name)) => ("models", name),
            _ => ("models", model),
        };
        let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        format!("/{folder}/{}:{method}", segment(name))
    }

    fn write_request(&self, request: &Request, _stream: bool, _quirks: &Quirks) -> Result<Value> {
        request::write(request)
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
        let status = error.status.unwrap_or(500);
        let word = match status {
            400 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            _ => "INTERNAL",
        };
        json!({"error": {"code": status, "message": error.message, "status": word}})
    }
}
