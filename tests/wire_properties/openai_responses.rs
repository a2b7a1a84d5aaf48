//! OpenAI's Responses: any request and reply that they can say.

use super::streams::{again, asked_again, cut, mixed, through};
use super::values::{
    address, audio, call, choice, cited, extra, file, function, id, message, other, said, sampling, schema, stop, text,
    tool_choice, unnamed, usage, value, words,
};
use headrace::chat::{
    Event, Limits, Media, Message, Output, Part, Reasoning, Reply, Request, Role, Sampling, Source, Stop, Tool,
    ToolCall, ToolResult,
};
use headrace::wire::openai_responses::PROTOCOL;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

// Requests.

fn thoughts() -> impl Strategy<Value = Part> {
    (0..99_u64, of(words()), of(words())).prop_map(|(number, text, encrypted)| {
        let signature = Some(format!("rs_{number}"));
        Part::Reasoning(Reasoning { text: text.unwrap_or_default(), signature, encrypted })
    })
}

/// A call whose arguments are free text.
fn free_call() -> impl Strategy<Value = Part> {
    (id(), words(), words()).prop_map(|(id, name, arguments)| {
        let extra = [("type".to_owned(), "custom".into())].into_iter().collect();
        Part::ToolCall(ToolCall { id, name, arguments, extra })
    })
}

fn detailed() -> impl Strategy<Value = Part> {
    let source = prop_oneof![address(), id().prop_map(Source::Id)];
    (source, of(Just(json!({"detail": "low"})))).prop_map(|(source, detail)| {
        let extra = detail.into_iter().map(|detail| ("image_url".to_owned(), detail)).collect();
        Part::Image(Media { source, name: None, extra })
    })
}

fn user() -> impl Strategy<Value = Message> {
    let parts = vec(prop_oneof![text(), detailed(), file(), audio(), other("input_video")], 1..4);
    let role = prop_oneof![Just(Role::System), Just(Role::Developer), Just(Role::User)];
    (role, parts, extra()).prop_map(|(role, parts, extra)| Message { extra, ..message(role, parts) })
}

/// What the model did until something else happens: its words in one message, and items around them.
fn model() -> impl Strategy<Value = Message> {
    let item = || prop_oneof![thoughts(), call(), free_call(), other("local_shell_call")];
    let citation = Just(json!({"type": "url_citation", "url": "https://acme.example"}));
    let said = (words(), vec(citation, 0..2), extra()).prop_map(|(text, citations, extra)| Part::Text {
        text,
        citations,
        extra,
    });
    let words = vec(prop_oneof![said, words().prop_map(|text| Part::Refusal { text })], 0..3);
    (vec(item(), 0..3), words, vec(item(), 0..3), item()).prop_map(|(before, words, after, last)| {
        message(Role::Assistant, before.into_iter().chain(words).chain(after).chain([last]).collect())
    })
}

fn result() -> impl Strategy<Value = Message> {
    let kind = of(Just(json!("custom_tool_call_output")));
    (id(), vec(prop_oneof![text(), detailed()], 0..3), kind).prop_map(|(id, parts, kind)| {
        let extra = kind.into_iter().map(|kind| ("type".to_owned(), kind)).collect();
        message(Role::Tool, vec![Part::ToolResult(ToolResult { id, parts, is_error: false, extra })])
    })
}

pub fn responses_request() -> impl Strategy<Value = Request> {
    let turn = (model(), vec(result(), 0..3), user()).prop_map(|(model, mut results, user)| {
        results.insert(0, model);
        results.push(user);
        results
    });
    let messages = (vec(user(), 0..3), vec(turn, 0..3))
        .prop_map(|(first, turns)| first.into_iter().chain(turns.into_iter().flatten()).collect());
    let own = value().prop_map(|value| Tool::Other(json!({"type": "web_search", "x": value})));
    let grammar = value().prop_map(|value| Output::Other(json!({"type": "grammar", "x": value})));
    let output = prop_oneof![schema(), Just(Output::Json), grammar];
    let named =
        (of(Just("low".to_owned())), of(Just("auto".to_owned())), of(words())).prop_map(|(length, sum, before)| {
            let named = [("verbosity", length), ("reasoning_summary", sum), ("previous_response_id", before)];
            named.into_iter().filter_map(|(name, word)| Some((name.to_owned(), word?.into()))).collect::<Map<_, _>>()
        });
    let rest = (of(1..99_u64), extra(), unnamed(), named);
    (words(), messages, vec(prop_oneof![function(), own], 0..3), tool_choice(), output, sampling(), rest).prop_map(
        |(model, messages, tools, tool_choice, output, sampling, (most, metadata, mut extra, named))| {
            extra.extend(named);
            Request {
                model,
                messages,
                tools,
                tool_choice,
                output,
                sampling: Sampling { stop: Vec::new(), top_k: None, ..sampling },
                limits: Limits { max_output_tokens: most, max_reasoning_tokens: None },
                metadata,
                extra,
            }
        },
    )
}

// Replies.

pub fn responses_reply() -> impl Strategy<Value = Reply> {
    let citation = json!({"type": "url_citation", "url": "https://acme.example"});
    let hidden = words().prop_map(|data| Reasoning { encrypted: Some(data), ..Reasoning::default() });
    let proven = (words(), of(words())).prop_map(|(text, signature)| Reasoning { text, signature, encrypted: None });
    let part = prop_oneof![
        cited(citation),
        words().prop_map(|text| Part::Refusal { text }),
        prop_oneof![hidden, proven].prop_map(Part::Reasoning),
        thoughts(),
        call(),
        free_call(),
        other("local_shell_call"),
    ];
    let stop = of(prop_oneof![stop(), Just(Stop::ContentFilter), Just(Stop::Cancelled)]);
    (vec(part, 1..5), stop, of(usage()), id(), words(), of(said())).prop_map(|(parts, stop, usage, id, model, tier)| {
        let is_call = |part: &Part| matches!(part, Part::ToolCall(_));
        let stop =
            stop.map(|stop| if stop == Stop::ToolCalls && !parts.iter().any(is_call) { Stop::End } else { stop });
        Reply {
            choices: vec![choice(0, parts, stop, Map::new())],
            usage,
            id: Some(id),
            model: Some(model),
            extra: tier.into_iter().map(|value| ("service_tier".to_owned(), value)).collect(),
            raw: Value::Null,
        }
    })
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_request_is_read_as_it_was_written(request in responses_request(), stream in any::<bool>()) {
        prop_assert_eq!(asked_again(&PROTOCOL, &request, stream), request);
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(reply in responses_reply(), cuts in vec(0..9_usize, 1..6), order in vec(0..9_usize, 1..9)) {
        prop_assert_eq!(&again(&PROTOCOL, &reply), &reply);
        prop_assert_eq!(&through(&PROTOCOL, &reply.events()), &reply);
        // An item begins with the first of its words, so that a piece without any puts it nowhere.
        let is_silent = |event: &Event| match event {
            Event::Text { text, .. } | Event::Reasoning { text, signature: None, .. } => text.is_empty(),
            _ => false,
        };
        let said = cut(&reply, &cuts).into_iter().filter(|event| !is_silent(event)).collect();
        prop_assert_eq!(&through(&PROTOCOL, &mixed(said, &order)), &reply);
    }
}
