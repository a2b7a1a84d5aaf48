//! Anthropic's Messages: any request and reply that they can say.

use super::streams::{again, asked_again, cut, mixed, through};
use super::values::{
    call_with_extra, choice, cited, extra, file, function, id, image, message, other, said, sampling, schema, stop,
    text, tool_choice, usage, value, words,
};
use headrace::chat::{
    Limits, Message, Part, Reasoning, Reply, Request, Role, Stop, Tool, ToolCall, ToolChoice, ToolResult,
};
use headrace::wire::anthropic::PROTOCOL;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

// Requests: the turns of the model, and what stands between them.

fn signed() -> impl Strategy<Value = Part> {
    let signed =
        (words(), words()).prop_map(|(text, proof)| Reasoning { text, signature: Some(proof), encrypted: None });
    let hidden = words().prop_map(|data| Reasoning { encrypted: Some(data), ..Reasoning::default() });
    prop_oneof![signed, hidden].prop_map(Part::Reasoning)
}

fn result() -> impl Strategy<Value = Message> {
    (id(), vec(prop_oneof![text(), image()], 0..3), any::<bool>(), extra()).prop_map(|(id, parts, is_error, extra)| {
        message(Role::Tool, vec![Part::ToolResult(ToolResult { id, parts, is_error, extra })])
    })
}

fn anthropic_turn() -> impl Strategy<Value = Vec<Message>> {
    let said = vec(prop_oneof![text(), call_with_extra(), signed(), other("server_tool_use")], 1..4);
    let model = (said, extra()).prop_map(|(parts, extra)| Message { extra, ..message(Role::Assistant, parts) });
    (model, vec(result(), 0..3), vec(anthropic_user(), 0..3))
        .prop_map(|(model, results, users)| [model].into_iter().chain(results).chain(users).collect())
}

fn anthropic_user() -> impl Strategy<Value = Message> {
    let parts = vec(prop_oneof![text(), image(), file(), other("container_upload")], 1..4);
    (parts, extra()).prop_map(|(parts, extra)| Message { extra, ..message(Role::User, parts) })
}

pub fn anthropic_request() -> impl Strategy<Value = Request> {
    let system = of(vec(text(), 1..3)).prop_map(|parts| parts.map(|parts| message(Role::System, parts)));
    let messages = (system, anthropic_user(), vec(anthropic_turn(), 0..3)).prop_map(|(system, first, turns)| {
        system.into_iter().chain([first]).chain(turns.into_iter().flatten()).collect()
    });
    let tools = vec(
        prop_oneof![
            function(),
            value().prop_map(|value| Tool::Other(json!({"type": "web_search_20250305", "x": value})))
        ],
        0..3,
    );
    let limits = (1..99_u64, of(1..99_u64))
        .prop_map(|(most, thoughts)| Limits { max_output_tokens: Some(most), max_reasoning_tokens: thoughts });
    let rest = (of(any::<bool>()), of(words()), extra());
    (words(), messages, tools, tool_choice(), schema(), sampling(), limits, rest).prop_map(
        |(model, messages, tools, tool_choice, output, sampling, limits, (parallel, user, mut extra))| {
            // Without tools there is nothing to ask for at once.
            let parallel = parallel.filter(|_| !matches!(tool_choice, None | Some(ToolChoice::None)));
            extra.extend(parallel.map(|parallel| ("parallel_tool_calls".to_owned(), parallel.into())));
            let metadata = user.into_iter().map(|user| ("user_id".to_owned(), user.into())).collect();
            Request { model, messages, tools, tool_choice, output, sampling, limits, metadata, extra }
        },
    )
}

// Replies.

pub fn anthropic_reply() -> impl Strategy<Value = Reply> {
    let citation = json!({"type": "char_location", "cited_text": "4.2 t"});
    let thought = (words(), of(words())).prop_map(|(text, signature)| Reasoning { text, signature, encrypted: None });
    let hidden = words().prop_map(|data| Reasoning { encrypted: Some(data), ..Reasoning::default() });
    let with_field = (words(), said()).prop_map(|(text, value)| Part::Text {
        text,
        citations: Vec::new(),
        extra: [("x_new".to_owned(), value)].into_iter().collect(),
    });
    let part = prop_oneof![
        cited(citation),
        with_field,
        prop_oneof![thought, hidden].prop_map(Part::Reasoning),
        call_with_extra(),
        other("web_search_tool_result")
    ];
    let stop = of(prop_oneof![stop(), Just(Stop::Refusal)]);
    (vec(part, 1..5), stop, usage(), id(), words(), of(said()), of(said())).prop_map(
        |(parts, stop, usage, id, model, container, sequence)| {
            let extra = sequence.into_iter().map(|value| ("stop_sequence".to_owned(), value)).collect();
            Reply {
                choices: vec![choice(0, parts, stop, extra)],
                usage: Some(usage),
                id: Some(id),
                model: Some(model),
                extra: container.into_iter().map(|value| ("container".to_owned(), value)).collect(),
                raw: Value::Null,
            }
        },
    )
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_request_of_anthropics_is_read_as_it_was_written(request in anthropic_request(), stream in any::<bool>()) {
        prop_assert_eq!(asked_again(&PROTOCOL, &request, stream), request);
    }

    #[test]
    fn a_reply_of_anthropics_is_read_as_it_was_written(reply in anthropic_reply(), cuts in vec(0..9_usize, 1..6)) {
        prop_assert_eq!(&again(&PROTOCOL, &reply), &reply);
        prop_assert_eq!(&through(&PROTOCOL, &reply.events()), &reply);
        prop_assert_eq!(&through(&PROTOCOL, &cut(&reply, &cuts)), &reply);
    }

    #[test]
    fn calls_that_come_mixed_reach_a_client_of_anthropics(reply in super::common::common_reply(), cuts in vec(0..9_usize, 1..6), order in vec(0..9_usize, 1..9)) {
        let told = through(&PROTOCOL, &mixed(cut(&reply, &cuts), &order));
        let calls = |reply: &Reply| {
            let mut calls: Vec<ToolCall> = reply.choices[0].tool_calls().cloned().collect();
            calls.sort_by(|one, next| (&one.id, &one.name, &one.arguments).cmp(&(&next.id, &next.name, &next.arguments)));
            calls
        };
        prop_assert_eq!(calls(&told), calls(&reply));
        prop_assert_eq!((told.text(), told.choices[0].reasoning()), (reply.text(), reply.choices[0].reasoning()));
    }
}
