//! Server-sent events, as far as all protocols read them alike.

use super::{EventReader, ToldError, fault, json};
use crate::chat::{Accumulator, Event, Reply};
use serde_json::Value;

/// Events as they were read; an error is the last of them.
pub(super) type Out = Vec<Result<Event, ToldError>>;

/// What a protocol makes of the bodies of its events.
pub(super) trait BodyReader: Send {
    /// Reads the body of one event; `name` is empty where the event has none.
    fn body(&mut self, name: &str, body: &Value, out: &mut Out);

    /// Whether the protocol said in a body that nothing follows.
    fn has_ended(&self) -> bool {
        false
    }
}

/// Reads a stream to its end, or to the first error in it.
#[derive(Debug, Default)]
pub(super) struct StreamReader<R> {
    bodies: R,
    is_done: bool,
}

impl<R: BodyReader> EventReader for StreamReader<R> {
    fn read(&mut self, name: &str, data: &str, out: &mut Out) {
        if self.is_done {
            return;
        }
        match hear(name, data) {
            Heard::Nothing => {}
            Heard::End => self.is_done = true,
            Heard::Body(body) => self.bodies.body(name, &body, out),
            Heard::Fault(error) => out.push(Err(error)),
        }
        self.is_done |= self.bodies.has_ended() || out.last().is_some_and(Result::is_err);
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

/// The reply that events make, without the body that they were read from.
pub(super) fn collect(events: Out) -> Result<Reply, ToldError> {
    let mut reply = Accumulator::default();
    for event in events {
        reply.push(&event?).map_err(|error| ToldError::malformed(&error.to_string()))?;
    }
    Ok(reply.finish())
}

/// What an event says.
#[derive(Debug)]
enum Heard {
    /// Nothing.
    Nothing,
    /// That nothing follows.
    End,
    /// An event of the protocol's.
    Body(Value),
    /// An error, or what is no JSON.
    Fault(ToldError),
}

/// Reads an event; `name` is empty where it has none.
fn hear(name: &str, data: &str) -> Heard {
    if name == "error" {
        return Heard::Fault(fault::of_event(data));
    }
    match data.trim() {
        "" => Heard::Nothing,
        "[DONE]" => Heard::End,
        _ => match json::parse(data.as_bytes()) {
            Ok(body) => Heard::Body(body),
            Err(error) => Heard::Fault(fault::malformed(&format!("JSON ({error})"), data)),
        },
    }
}
