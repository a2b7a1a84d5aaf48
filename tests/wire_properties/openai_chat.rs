//! OpenAI's chat: any request and reply that it can say.

use super::streams::{again, asked_again, cut, mixed, through};
use super::values::{
    audio, call, call_with_extra, choice, cited, extra, file, function, id, image, message, number, other, said,
    sampling, schema, stop, text, thought, tool_choice, unnamed, usage, value, words,
};
use headrace::chat::{
    Limits, Message, Output, Part, Reasoning, Reply, Request, Role, Sampling, Stop, Tool, ToolCall, ToolResult,
};
use headrace::wire::openai_chat::PROTOCOL;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

// Requests.

fn openai_message() -> impl Strategy<Value = Message> {
    let content = || vec(prop_oneof![text(), image(), audio(), file(), other("video_url")], 1..4);
    let role = prop_oneof![Just(Role::System), Just(Role::Developer), Just(Role::User)];
    let spoken = (role, content()).prop_map(|(role, parts)| message(role, parts));
    let thoughts =
        of(words()).prop_map(|text| text.map(|text| Part::Reasoning(Reasoning { text, ..Reasoning::default() })));
    let refusal = of(words()).prop_map(|text| text.map(|text| Part::Refusal { text }));
    let calls = prop_oneof![
        vec(call_with_extra(), 0..3),
        call().prop_map(|part| match part {
            // The one call of the time before tools.
            Part::ToolCall(call) => vec![Part::ToolCall(ToolCall { id: String::new(), ..call })],
            part => vec![part],
        })
    ];
    let model = (thoughts, vec(text(), 0..3), refusal, calls).prop_map(|(thoughts, said, refusal, calls)| {
        message(Role::Assistant, thoughts.into_iter().chain(said).chain(refusal).chain(calls).collect())
    });
    let result = (id(), vec(text(), 0..3)).prop_map(|(id, parts)| {
        message(Role::Tool, vec![Part::ToolResult(ToolResult { id, parts, is_error: false, extra: Map::new() })])
    });
    (prop_oneof![spoken, model, result], of(words()), extra()).prop_map(|(message, name, extra)| Message {
        name,
        extra,
        ..message
    })
}

pub fn openai_request() -> impl Strategy<Value = Request> {
    let tools = vec(
        prop_oneof![function(), value().prop_map(|value| Tool::Other(json!({"type": "web_search", "x": value})))],
        0..3,
    );
    let output = prop_oneof![
        schema(),
        Just(Output::Json),
        value().prop_map(|value| Output::Other(json!({"type": "grammar", "x": value})))
    ];
    let rest = (number(), number(), of(any::<i64>()), of(1..9_u64), of(1..99_u64), extra(), unnamed());
    (words(), vec(openai_message(), 0..4), tools, tool_choice(), output, sampling(), rest).prop_map(
        |(model, messages, tools, tool_choice, output, sampling, rest)| {
            let (frequency_penalty, presence_penalty, seed, choices, most, metadata, extra) = rest;
            Request {
                model,
                messages,
                tools,
                tool_choice,
                output,
                sampling: Sampling { frequency_penalty, presence_penalty, seed, choices, ..sampling },
                limits: Limits { max_output_tokens: most, max_reasoning_tokens: None },
                metadata,
                extra,
            }
        },
    )
}

// Replies.

fn openai_choice() -> impl Strategy<Value = (Vec<Part>, Option<Stop>, Map<String, Value>)> {
    let citation = json!({"type": "url_citation", "url_citation": {"url": "https://acme.example"}});
    let refusal = of(words()).prop_map(|text| text.map(|text| Part::Refusal { text }));
    let audio =
        of(said()).prop_map(|value| value.map(|value| Part::Other { value: json!({"audio": {"data": value}}) }));
    // Calls of a reply have ids of their own.
    let calls = vec(call_with_extra(), 0..3).prop_map(|mut calls| {
        for (number, call) in calls.iter_mut().enumerate() {
            if let Part::ToolCall(call) = call {
                call.id = format!("{}{number}", call.id);
            }
        }
        calls
    });
    let parts =
        (thought(), of(cited(citation)), refusal, audio, calls).prop_map(|(thought, text, refusal, audio, calls)| {
            thought.into_iter().chain(text).chain(refusal).chain(audio).chain(calls).collect::<Vec<_>>()
        });
    let stop = prop_oneof![stop(), Just(Stop::ContentFilter), Just(Stop::Cancelled)];
    let extra = (of(said()), of(said())).prop_map(|(logprobs, details)| {
        let logprobs = logprobs.map(|value| ("logprobs".to_owned(), json!({"content": [value]})));
        let details = details.map(|value| ("message".to_owned(), json!({"reasoning_details": [value]})));
        logprobs.into_iter().chain(details).collect::<Map<_, _>>()
    });
    (parts, stop, any::<bool>(), extra).prop_map(|(parts, stop, has_stop, extra)| {
        // A choice of which nothing is said is none.
        let stop = Some(stop).filter(|_| has_stop || parts.is_empty());
        (parts, stop, extra)
    })
}

pub fn openai_reply() -> impl Strategy<Value = Reply> {
    let choices = vec(openai_choice(), 1..4).prop_map(|choices| {
        let number = |(index, (parts, stop, extra)): (u32, _)| choice(index, parts, stop, extra);
        (0..).zip(choices).map(number).collect::<Vec<_>>()
    });
    (choices, of(usage()), id(), words(), of(said())).prop_map(|(choices, usage, id, model, print)| Reply {
        choices,
        usage,
        id: Some(id),
        model: Some(model),
        extra: print.into_iter().map(|value| ("system_fingerprint".to_owned(), value)).collect(),
        raw: Value::Null,
    })
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_request_of_openais_is_read_as_it_was_written(request in openai_request(), stream in any::<bool>()) {
        prop_assert_eq!(asked_again(&PROTOCOL, &request, stream), request);
    }

    #[test]
    fn a_reply_of_openais_is_read_as_it_was_written(reply in openai_reply(), cuts in vec(0..9_usize, 1..6), order in vec(0..9_usize, 1..9)) {
        prop_assert_eq!(&again(&PROTOCOL, &reply), &reply);
        prop_assert_eq!(&through(&PROTOCOL, &reply.events()), &reply);
        prop_assert_eq!(&through(&PROTOCOL, &mixed(cut(&reply, &cuts), &order)), &reply);
    }
}
