//! The protocols hold for any request and reply: what is written is read again as it was, in one piece and as a stream,
//! and nothing that a server or a client sends is a panic.

#![allow(clippy::unwrap_used)]

mod anthropic;
mod common;
mod gemini;
mod openai_chat;
mod openai_responses;
mod streams;
mod values;

use anthropic::{anthropic_reply, anthropic_request};
use gemini::{gemini_reply, gemini_request};
use headrace::chat::Accumulator;
use headrace::wire::{Protocol, Quirks, WriterOptions, protocols};
use openai_chat::{openai_reply, openai_request};
use openai_responses::{responses_reply, responses_request};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::Value;
use streams::{cut, mixed};
use values::value;

/// A body with a field somewhere in it replaced or taken away.
fn spoilt(body: Value, path: &[usize], with: Option<Value>) -> Value {
    let Some((step, rest)) = path.split_first() else { return with.unwrap_or_default() };
    match body {
        Value::Object(mut fields) if !fields.is_empty() => {
            let name = fields.keys().nth(step % fields.len()).unwrap().clone();
            let inner = fields.remove(&name).unwrap_or_default();
            if !rest.is_empty() || with.is_some() {
                fields.insert(name, spoilt(inner, rest, with));
            }
            fields.into()
        }
        Value::Array(mut items) if !items.is_empty() => {
            let at = step % items.len();
            items[at] = spoilt(items[at].take(), rest, with);
            items.into()
        }
        _ => with.unwrap_or_default(),
    }
}

/// No reader panics, whatever it is given.
fn read_everywhere(body: &Value) {
    for protocol in protocols() {
        let _ = protocol.read_request(body.clone()).map(|incoming| {
            for other in protocols() {
                let _ = other.write_request(&incoming.request, incoming.stream, &Quirks::default());
            }
        });
        let _ = protocol.read_error(body);
        let _ = protocol.read_reply(body.clone()).map(|reply| {
            for other in protocols() {
                let _ = other.write_reply(&reply);
                let mut writer = other.event_writer(WriterOptions::default());
                reply.events().iter().for_each(|event| drop(writer.write(event)));
                writer.end();
            }
        });
        for name in ["", "error", "content_block_delta", "response.output_item.done"] {
            let mut out = Vec::new();
            let mut reader = protocol.event_reader();
            reader.read(name, &body.to_string(), &mut out);
            reader.read(name, &body.to_string(), &mut out);
            let mut writer = protocol.event_writer(WriterOptions::default());
            let mut reply = Accumulator::default();
            for event in out.into_iter().flatten() {
                writer.write(&event);
                let _ = reply.push(&event);
            }
        }
    }
}

fn written(protocol: &dyn Protocol, request: &headrace::chat::Request) -> Value {
    protocol.write_request(request, true, &Quirks::default()).unwrap()
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 96, max_shrink_iters: 2000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_accumulator_makes_of_a_replys_events_the_reply(one in openai_reply(), next in anthropic_reply(), last in responses_reply(), cuts in vec(0..9_usize, 1..6), order in vec(0..9_usize, 1..9)) {
        for reply in [one, next, last] {
            let mut grown = Accumulator::default();
            mixed(cut(&reply, &cuts), &order).iter().for_each(|event| grown.push(event).unwrap());
            prop_assert_eq!(grown.finish(), reply);
        }
    }

    #[test]
    fn nothing_that_is_sent_is_a_panic(body in value()) {
        read_everywhere(&body);
    }

    #[test]
    fn no_field_that_is_not_as_it_should_be_is_a_panic(
        asked in prop_oneof![
            openai_request().prop_map(|request| written(&headrace::wire::openai_chat::PROTOCOL, &request)).boxed(),
            responses_request().prop_map(|request| written(&headrace::wire::openai_responses::PROTOCOL, &request)).boxed(),
            gemini_request().prop_map(|request| written(&headrace::wire::gemini::PROTOCOL, &request)).boxed(),
            anthropic_request().prop_map(|request| written(&headrace::wire::anthropic::PROTOCOL, &request)).boxed(),
        ],
        reply in prop_oneof![
            openai_reply().boxed(), responses_reply().boxed(), anthropic_reply().boxed(), gemini_reply().boxed(),
        ],
        path in vec(0..9_usize, 1..7), with in of(value()),
    ) {
        for body in [asked].into_iter().chain(protocols().map(|protocol| protocol.write_reply(&reply))) {
            read_everywhere(&spoilt(body, &path, with.clone()));
        }
    }
}
