//! What all protocols can say, from each to each.

use super::streams::{again, asked_again, cut, through};
use super::values::{
    address, call, choice, function, id, message, sampling, schema, stop, thought, tool_choice, usage, words,
};
use headrace::chat::{Limits, Media, Part, Reply, Request, Role, Sampling, Stop, Tool, ToolResult};
use headrace::wire::protocols;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::Map;

/// Requests that all can say.
pub fn common_request() -> impl Strategy<Value = Request> {
    let plain = || words().prop_map(Part::text);
    let picture = || address().prop_map(|source| Part::Image(Media { source, name: None, extra: Map::new() }));
    let user = || vec(prop_oneof![plain(), picture()], 1..3).prop_map(|parts| message(Role::User, parts));
    let model = (vec(plain(), 0..2), vec(call(), 1..3))
        .prop_map(|(said, calls)| message(Role::Assistant, said.into_iter().chain(calls).collect()));
    let result = (id(), vec(plain(), 0..2)).prop_map(|(id, parts)| {
        message(Role::Tool, vec![Part::ToolResult(ToolResult { id, parts, is_error: false, extra: Map::new() })])
    });
    let turn = (model, vec(result, 1..3), vec(user(), 0..2))
        .prop_map(|(model, results, users)| [model].into_iter().chain(results).chain(users).collect::<Vec<_>>());
    let system = of(vec(plain(), 1..3)).prop_map(|parts| parts.map(|parts| message(Role::System, parts)));
    let messages = (system, user(), vec(turn, 0..3)).prop_map(|(system, first, turns)| {
        system.into_iter().chain([first]).chain(turns.into_iter().flatten()).collect()
    });
    (words(), messages, of((vec(plain_function(), 1..3), tool_choice())), schema(), sampling(), 1..99_u64).prop_map(
        |(model, messages, tools, output, sampling, most)| {
            let (tools, tool_choice) = tools.unwrap_or_default();
            Request {
                model,
                messages,
                tools,
                tool_choice,
                output,
                sampling: Sampling { stop: Vec::new(), top_k: None, ..sampling },
                limits: Limits { max_output_tokens: Some(most), max_reasoning_tokens: None },
                ..Request::default()
            }
        },
    )
}

/// A function with what every protocol has of it.
fn plain_function() -> impl Strategy<Value = Tool> {
    function().prop_map(|tool| match tool {
        Tool::Function { name, description, parameters, .. } => {
            Tool::Function { name, description, parameters, strict: None, extra: Map::new() }
        }
        other @ Tool::Other(_) => other,
    })
}

/// Replies that all can say.
pub fn common_reply() -> impl Strategy<Value = Reply> {
    let said = of(words().prop_map(Part::text));
    let parts = (thought(), said, vec(call(), 0..3))
        .prop_map(|(thought, said, calls)| thought.into_iter().chain(said).chain(calls).collect::<Vec<_>>());
    (parts, stop(), usage(), id(), words()).prop_map(|(parts, stop, usage, id, model)| {
        let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let stop = if stop == Stop::ToolCalls && !has_calls { Stop::End } else { stop };
        Reply {
            choices: vec![choice(0, parts, Some(stop), Map::new())],
            usage: Some(usage),
            id: Some(id),
            model: Some(model),
            ..Reply::default()
        }
    })
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_request_keeps_across_protocols_what_all_can_say(request in common_request()) {
        for one in protocols() {
            let read = asked_again(one, &request, false);
            for next in protocols() {
                prop_assert_eq!(&asked_again(next, &read, true), &request, "{} {}", one.name(), next.name());
            }
        }
    }

    #[test]
    fn a_reply_keeps_across_protocols_what_all_can_say(reply in common_reply(), cuts in vec(0..9_usize, 1..6)) {
        for one in protocols() {
            let (whole, told) = (again(one, &reply), through(one, &cut(&reply, &cuts)));
            for next in protocols() {
                prop_assert_eq!(&again(next, &whole), &reply, "{} {}", one.name(), next.name());
                prop_assert_eq!(&through(next, &told.events()), &reply, "{} {}", one.name(), next.name());
            }
        }
    }
}
