//! One server-sent event, as far as all protocols read it alike.

use super::{ToldError, fault, json};
use serde_json::Value;

/// What an event says.
#[derive(Debug)]
pub(super) enum Heard {
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
pub(super) fn hear(name: &str, data: &str) -> Heard {
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
