//! The protocols hold for any request and reply: what is written is read again as it was, in one piece and as a stream,
//! and nothing that a server or a client sends is a panic.

#![allow(clippy::unwrap_used)]

use headrace::chat::{
    Accumulator, Choice, Event, Limits, Media, Message, Output, Part, Place, Reasoning, Reply, Request, Role, Sampling,
    Source, Stop, Tool, ToolCall, ToolChoice, ToolResult,
};
use headrace::usage::{Usage, UsageReport};
use headrace::wire::{Frame, Protocol, Quirks, WriterOptions, anthropic, openai_chat};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const OPENAI: &openai_chat::OpenAiChat = &openai_chat::PROTOCOL;
const ANTHROPIC: &anthropic::Anthropic = &anthropic::PROTOCOL;

fn both() -> [&'static dyn Protocol; 2] {
    [OPENAI, ANTHROPIC]
}

// What requests and replies are made of.

fn words() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n😀 ]{1,8}"
}

fn id() -> impl Strategy<Value = String> {
    "[a-z]{1,3}_[0-9]{1,3}"
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words().prop_map(Value::from)
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let fields = proptest::collection::btree_map("[a-z]{1,3}", inner.clone(), 0..3);
        prop_oneof![
            vec(inner, 0..3).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect()))
        ]
    })
}

/// Fields that no protocol has a name for.
fn extra() -> impl Strategy<Value = Map<String, Value>> {
    let cache = Just(json!({"type": "ephemeral"}));
    let field =
        prop_oneof![cache.prop_map(|value| ("cache_control", value)), value().prop_map(|value| ("x_new", value))];
    vec(field, 0..2).prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Fields that say something, since a reply's null is a field that is not there.
fn said() -> impl Strategy<Value = Value> {
    words().prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Option<f64>> {
    of((0..17_i32).prop_map(|eighths| f64::from(eighths) / 8.0))
}

fn text() -> impl Strategy<Value = Part> {
    (words(), extra()).prop_map(|(text, extra)| Part::Text { text, citations: Vec::new(), extra })
}

fn address() -> impl Strategy<Value = Source> {
    let inline = "[A-Za-z0-9+/]{4,8}".prop_map(|data| Source::Inline { media_type: "image/png".into(), data });
    prop_oneof![words().prop_map(|path| Source::Url(format!("https://acme.example/{path}"))), inline]
}

fn image() -> impl Strategy<Value = Part> {
    (address(), extra()).prop_map(|(source, extra)| Part::Image(Media { source, name: None, extra }))
}

fn file() -> impl Strategy<Value = Part> {
    let source = prop_oneof![address(), id().prop_map(Source::Id)];
    (source, of(words()), extra()).prop_map(|(source, name, extra)| Part::File(Media { source, name, extra }))
}

fn audio() -> impl Strategy<Value = Part> {
    let source = "[A-Za-z0-9+/]{4,8}".prop_map(|data| Source::Inline { media_type: "audio/wav".into(), data });
    (source, extra()).prop_map(|(source, extra)| Part::Audio(Media { source, name: None, extra }))
}

fn other(kind: &'static str) -> impl Strategy<Value = Part> {
    value().prop_map(move |value| Part::Other { value: json!({"type": kind, "body": value}) })
}

/// Arguments in the one form that JSON text has when it is written from JSON.
fn arguments() -> impl Strategy<Value = String> {
    proptest::collection::btree_map("[a-z]{1,3}", value(), 0..3)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()).to_string())
}

fn call() -> impl Strategy<Value = Part> {
    (id(), words(), arguments(), Just(Map::new()))
        .prop_map(|(id, name, arguments, extra)| Part::ToolCall(ToolCall { id, name, arguments, extra }))
}

fn call_with_extra() -> impl Strategy<Value = Part> {
    (call(), of(said())).prop_map(|(part, field)| match part {
        Part::ToolCall(call) => {
            let extra = field.into_iter().map(|value| ("extra_content".to_owned(), value)).collect();
            Part::ToolCall(ToolCall { extra, ..call })
        }
        part => part,
    })
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts, name: None, extra: Map::new() }
}

fn sampling() -> impl Strategy<Value = Sampling> {
    (number(), number(), of(0..90_u64), vec(words(), 0..3), of(Just("high".to_owned()))).prop_map(
        |(temperature, top_p, top_k, stop, reasoning_effort)| Sampling {
            temperature,
            top_p,
            top_k,
            stop,
            reasoning_effort,
            ..Sampling::default()
        },
    )
}

fn function() -> impl Strategy<Value = Tool> {
    (words(), of(words()), extra(), of(any::<bool>())).prop_map(|(name, description, extra, strict)| Tool::Function {
        name,
        description,
        parameters: Some(json!({"type": "object"})),
        strict,
        extra,
    })
}

fn tool_choice() -> impl Strategy<Value = Option<ToolChoice>> {
    of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        words().prop_map(ToolChoice::Function)
    ])
}

fn schema() -> impl Strategy<Value = Output> {
    let schema = || Output::Schema {
        name: "response".into(),
        schema: json!({"type": "object"}),
        description: None,
        strict: None,
    };
    any::<bool>().prop_map(move |given| if given { schema() } else { Output::Text })
}

// Requests that OpenAI's chat can say.

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

fn openai_request() -> impl Strategy<Value = Request> {
    let tools = vec(
        prop_oneof![function(), value().prop_map(|value| Tool::Other(json!({"type": "web_search", "x": value})))],
        0..3,
    );
    let output = prop_oneof![
        schema(),
        Just(Output::Json),
        value().prop_map(|value| Output::Other(json!({"type": "grammar", "x": value})))
    ];
    let rest = (number(), number(), of(any::<i64>()), of(1..9_u64), of(1..99_u64), extra(), extra());
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

// Requests that Anthropic's Messages can say: the turns of the model, and what stands between them.

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

fn anthropic_request() -> impl Strategy<Value = Request> {
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

/// Requests that both can say.
fn common_request() -> impl Strategy<Value = Request> {
    let plain = || words().prop_map(Part::text);
    let picture = || address().prop_map(|source| Part::Image(Media { source, name: None, extra: Map::new() }));
    let user = || vec(prop_oneof![plain(), picture()], 1..3).prop_map(|parts| message(Role::User, parts));
    let model = (vec(plain(), 0..2), vec(call(), 1..3))
        .prop_map(|(said, calls)| message(Role::Assistant, said.into_iter().chain(calls).collect()));
    let result = (id(), vec(plain(), 0..3)).prop_map(|(id, parts)| {
        message(Role::Tool, vec![Part::ToolResult(ToolResult { id, parts, is_error: false, extra: Map::new() })])
    });
    let turn = (model, vec(result, 0..3), vec(user(), 0..2))
        .prop_map(|(model, results, users)| [model].into_iter().chain(results).chain(users).collect::<Vec<_>>());
    let system = of(vec(plain(), 1..3)).prop_map(|parts| parts.map(|parts| message(Role::System, parts)));
    let messages = (system, user(), vec(turn, 0..3)).prop_map(|(system, first, turns)| {
        system.into_iter().chain([first]).chain(turns.into_iter().flatten()).collect()
    });
    (words(), messages, vec(function(), 0..3), tool_choice(), schema(), sampling(), 1..99_u64).prop_map(
        |(model, messages, tools, tool_choice, output, sampling, most)| Request {
            model,
            messages,
            tools,
            tool_choice,
            output,
            sampling,
            limits: Limits { max_output_tokens: Some(most), max_reasoning_tokens: None },
            ..Request::default()
        },
    )
}

// Replies.

fn usage() -> impl Strategy<Value = UsageReport> {
    (0..99_u64, 0..99_u64, 1..99_u64, 1..99_u64, any::<bool>()).prop_map(
        |(cached, reasoning, input, output, has_cost)| {
            let usage = Usage {
                cached_input_tokens: cached,
                reasoning_tokens: reasoning,
                ..Usage::new(cached + input, reasoning + output)
            };
            UsageReport { cost_usd: has_cost.then(|| "0.00014000000000000001".into()), ..UsageReport::told(usage) }
        },
    )
}

fn stop() -> impl Strategy<Value = Stop> {
    prop_oneof![Just(Stop::End), Just(Stop::Length), Just(Stop::ToolCalls), Just(Stop::Unknown("pause_turn".into()))]
}

/// A choice as it comes from a server: a model that asked for tools waits for them.
fn choice(index: u32, parts: Vec<Part>, stop: Option<Stop>, extra: Map<String, Value>) -> Choice {
    let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let stop = stop.map(|stop| if has_calls && stop == Stop::End { Stop::ToolCalls } else { stop });
    Choice { index, parts, stop, extra }
}

fn thought() -> impl Strategy<Value = Option<Part>> {
    of(words()).prop_map(|text| text.map(|text| Part::Reasoning(Reasoning { text, ..Reasoning::default() })))
}

fn cited(citation: Value) -> impl Strategy<Value = Part> {
    let citations = (0..3_usize).prop_map(move |count| vec![citation.clone(); count]);
    (words(), citations).prop_map(|(text, citations)| Part::Text { text, citations, extra: Map::new() })
}

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

fn openai_reply() -> impl Strategy<Value = Reply> {
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

fn anthropic_reply() -> impl Strategy<Value = Reply> {
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

/// Replies that both can say.
fn common_reply() -> impl Strategy<Value = Reply> {
    let said = of(words().prop_map(Part::text));
    let parts = (thought(), said, vec(call(), 0..3))
        .prop_map(|(thought, said, calls)| thought.into_iter().chain(said).chain(calls).collect::<Vec<_>>());
    (parts, stop(), usage(), id(), words()).prop_map(|(parts, stop, usage, id, model)| Reply {
        choices: vec![choice(0, parts, Some(stop), Map::new())],
        usage: Some(usage),
        id: Some(id),
        model: Some(model),
        ..Reply::default()
    })
}

// Streams.

/// The events of a reply with its texts cut at the places given.
fn cut(reply: &Reply, cuts: &[usize]) -> Vec<Event> {
    let mut cuts = cuts.iter().copied().cycle();
    let mut pieces = |text: &str| -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        let (first, rest) = chars.split_at(cuts.next().unwrap_or(0).min(chars.len()));
        [first, rest].iter().map(|piece| piece.iter().collect()).collect()
    };
    let mut out = Vec::new();
    for event in reply.events() {
        match event {
            Event::Text { at, text } => out.extend(pieces(&text).into_iter().map(|text| Event::Text { at, text })),
            Event::Reasoning { at, text, signature } => {
                out.extend(pieces(&text).into_iter().map(|text| Event::Reasoning { at, text, signature: None }));
                out.extend(signature.map(|proof| Event::Reasoning { at, text: String::new(), signature: Some(proof) }));
            }
            Event::ToolCallDelta { at, arguments } => {
                out.extend(pieces(&arguments).into_iter().map(|arguments| Event::ToolCallDelta { at, arguments }));
            }
            whole => out.push(whole),
        }
    }
    out
}

fn place_of(event: &Event) -> Option<Place> {
    match event {
        Event::Text { at, .. }
        | Event::Reasoning { at, .. }
        | Event::ToolCallStart { at, .. }
        | Event::ToolCallDelta { at, .. }
        | Event::Refusal { at, .. }
        | Event::Citation { at, .. }
        | Event::Part { at, .. } => Some(*at),
        _ => None,
    }
}

/// The events with those of different places mixed; those of one place keep their order.
fn mixed(events: Vec<Event>, order: &[usize]) -> Vec<Event> {
    let (pieces, around): (Vec<Event>, Vec<Event>) = events.into_iter().partition(|event| place_of(event).is_some());
    let mut queues: BTreeMap<Place, VecDeque<Event>> = BTreeMap::new();
    for piece in pieces {
        queues.entry(place_of(&piece).unwrap()).or_default().push_back(piece);
    }
    let (stops, mut out): (Vec<Event>, Vec<Event>) =
        around.into_iter().partition(|event| matches!(event, Event::Stop { .. }));
    let mut order = order.iter().copied().cycle();
    let mut begun = BTreeSet::new();
    while !queues.is_empty() {
        // Parts of a choice begin in their order.
        let next = |choice: u32| queues.keys().find(|at| at.choice == choice && !begun.contains(*at));
        let may = |at: &&Place| begun.contains(*at) || next(at.choice) == Some(*at);
        let ready: Vec<Place> = queues.keys().filter(may).copied().collect();
        let at = ready[order.next().unwrap_or(0) % ready.len()];
        begun.insert(at);
        let queue = queues.get_mut(&at).unwrap();
        out.extend(queue.pop_front());
        if queue.is_empty() {
            queues.remove(&at);
        }
    }
    out.extend(stops);
    out
}

/// Sends events to a client as bytes, and reads them as that client does.
fn through(protocol: &dyn Protocol, events: &[Event]) -> Reply {
    let mut writer = protocol.event_writer(WriterOptions { model: String::new(), include_usage: true });
    let mut frames: Vec<Frame> = events.iter().flat_map(|event| writer.write(event)).collect();
    frames.extend(writer.end());
    let line = |frame: &Frame| format!("event: {}\ndata: {}\n\n", frame.name.unwrap_or_default(), frame.data);
    let bytes: String = frames.iter().map(line).collect();
    let mut reader = protocol.event_reader();
    let (mut reply, mut name) = (Accumulator::default(), "");
    for line in bytes.lines() {
        if let Some(given) = line.strip_prefix("event: ") {
            name = given;
        } else if let Some(data) = line.strip_prefix("data: ") {
            let mut out = Vec::new();
            reader.read(name, data, &mut out);
            out.into_iter().for_each(|event| reply.push(&event.unwrap()).unwrap());
        }
    }
    assert!(reader.is_done());
    reply.finish()
}

fn again(protocol: &dyn Protocol, reply: &Reply) -> Reply {
    Reply { raw: Value::Null, ..protocol.read_reply(protocol.write_reply(reply)).unwrap() }
}

fn asked_again(protocol: &dyn Protocol, request: &Request, stream: bool) -> Request {
    let body = protocol.write_request(request, stream, &Quirks::default()).unwrap();
    let incoming = protocol.read_request(body).unwrap();
    assert_eq!(incoming.stream, stream);
    let mut request = incoming.request;
    request.extra.remove("stream_options");
    request
}

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
    for protocol in both() {
        let _ = protocol.read_request(body.clone()).map(|incoming| {
            for other in both() {
                let _ = other.write_request(&incoming.request, incoming.stream, &Quirks::default());
            }
        });
        let _ = protocol.read_error(body);
        let _ = protocol.read_reply(body.clone()).map(|reply| {
            for other in both() {
                let _ = other.write_reply(&reply);
                let mut writer = other.event_writer(WriterOptions::default());
                reply.events().iter().for_each(|event| drop(writer.write(event)));
                writer.end();
            }
        });
        for name in ["", "error", "content_block_delta"] {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_request_of_openais_is_read_as_it_was_written(request in openai_request(), stream in any::<bool>()) {
        prop_assert_eq!(asked_again(OPENAI, &request, stream), request);
    }

    #[test]
    fn a_request_of_anthropics_is_read_as_it_was_written(request in anthropic_request(), stream in any::<bool>()) {
        prop_assert_eq!(asked_again(ANTHROPIC, &request, stream), request);
    }

    #[test]
    fn a_request_keeps_across_protocols_what_both_can_say(request in common_request()) {
        for (one, next) in [(both()[0], both()[1]), (both()[1], both()[0])] {
            prop_assert_eq!(&asked_again(next, &asked_again(one, &request, false), true), &request);
        }
    }

    #[test]
    fn a_reply_of_openais_is_read_as_it_was_written(reply in openai_reply(), cuts in vec(0..9_usize, 1..6), order in vec(0..9_usize, 1..9)) {
        prop_assert_eq!(&again(OPENAI, &reply), &reply);
        prop_assert_eq!(&through(OPENAI, &reply.events()), &reply);
        prop_assert_eq!(&through(OPENAI, &mixed(cut(&reply, &cuts), &order)), &reply);
    }

    #[test]
    fn a_reply_of_anthropics_is_read_as_it_was_written(reply in anthropic_reply(), cuts in vec(0..9_usize, 1..6)) {
        prop_assert_eq!(&again(ANTHROPIC, &reply), &reply);
        prop_assert_eq!(&through(ANTHROPIC, &reply.events()), &reply);
        prop_assert_eq!(&through(ANTHROPIC, &cut(&reply, &cuts)), &reply);
    }

    #[test]
    fn a_reply_keeps_across_protocols_what_both_can_say(reply in common_reply(), cuts in vec(0..9_usize, 1..6)) {
        for (one, next) in [(both()[0], both()[1]), (both()[1], both()[0])] {
            prop_assert_eq!(&again(next, &again(one, &reply)), &reply);
            prop_assert_eq!(&through(next, &through(one, &cut(&reply, &cuts)).events()), &reply);
        }
    }

    #[test]
    fn calls_that_come_mixed_reach_a_client_of_anthropics(reply in common_reply(), cuts in vec(0..9_usize, 1..6), order in vec(0..9_usize, 1..9)) {
        let told = through(ANTHROPIC, &mixed(cut(&reply, &cuts), &order));
        let calls = |reply: &Reply| {
            let mut calls: Vec<ToolCall> = reply.choices[0].tool_calls().cloned().collect();
            calls.sort_by(|one, next| (&one.id, &one.name, &one.arguments).cmp(&(&next.id, &next.name, &next.arguments)));
            calls
        };
        prop_assert_eq!(calls(&told), calls(&reply));
        prop_assert_eq!((told.text(), told.choices[0].reasoning()), (reply.text(), reply.choices[0].reasoning()));
    }

    #[test]
    fn an_accumulator_makes_of_a_replys_events_the_reply(one in openai_reply(), next in anthropic_reply(), cuts in vec(0..9_usize, 1..6), order in vec(0..9_usize, 1..9)) {
        for reply in [one, next] {
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
        request in openai_request(), theirs in anthropic_request(), reply in openai_reply(), message in anthropic_reply(),
        path in vec(0..9_usize, 1..7), with in of(value()),
    ) {
        for body in [
            OPENAI.write_request(&request, true, &Quirks::default()).unwrap(),
            ANTHROPIC.write_request(&theirs, true, &Quirks::default()).unwrap(),
            OPENAI.write_reply(&reply),
            ANTHROPIC.write_reply(&message),
        ] {
            read_everywhere(&spoilt(body, &path, with.clone()));
        }
    }
}
