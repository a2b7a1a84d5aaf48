//! What requests and replies are made of.

use headrace::chat::{
    Choice, Media, Message, Output, Part, Reasoning, Role, Sampling, Source, Stop, Tool, ToolCall, ToolChoice,
};
use headrace::usage::{Usage, UsageReport};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

pub fn words() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n😀 ]{1,8}"
}

pub fn id() -> impl Strategy<Value = String> {
    "[a-z]{1,3}_[0-9]{1,3}"
}

pub fn value() -> impl Strategy<Value = Value> {
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
pub fn extra() -> impl Strategy<Value = Map<String, Value>> {
    let cache = Just(json!({"type": "ephemeral"}));
    let field =
        prop_oneof![cache.prop_map(|value| ("cache_control", value)), value().prop_map(|value| ("x_new", value))];
    vec(field, 0..2).prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Parameters that no protocol has a name for.
pub fn unnamed() -> impl Strategy<Value = Map<String, Value>> {
    of(value()).prop_map(|value| value.into_iter().map(|value| ("x_new".to_owned(), value)).collect())
}

/// Fields that say something, since a reply's null is a field that is not there.
pub fn said() -> impl Strategy<Value = Value> {
    words().prop_map(Value::from)
}

pub fn number() -> impl Strategy<Value = Option<f64>> {
    of((0..17_i32).prop_map(|eighths| f64::from(eighths) / 8.0))
}

pub fn text() -> impl Strategy<Value = Part> {
    (words(), extra()).prop_map(|(text, extra)| Part::Text { text, citations: Vec::new(), extra })
}

pub fn address() -> impl Strategy<Value = Source> {
    let inline = "[A-Za-z0-9+/]{4,8}".prop_map(|data| Source::Inline { media_type: "image/png".into(), data });
    prop_oneof![words().prop_map(|path| Source::Url(format!("https://acme.example/{path}"))), inline]
}

pub fn image() -> impl Strategy<Value = Part> {
    (address(), extra()).prop_map(|(source, extra)| Part::Image(Media { source, name: None, extra }))
}

pub fn file() -> impl Strategy<Value = Part> {
    let source = prop_oneof![address(), id().prop_map(Source::Id)];
    (source, of(words()), extra()).prop_map(|(source, name, extra)| Part::File(Media { source, name, extra }))
}

pub fn audio() -> impl Strategy<Value = Part> {
    let source = "[A-Za-z0-9+/]{4,8}".prop_map(|data| Source::Inline { media_type: "audio/wav".into(), data });
    (source, extra()).prop_map(|(source, extra)| Part::Audio(Media { source, name: None, extra }))
}

pub fn other(kind: &'static str) -> impl Strategy<Value = Part> {
    value().prop_map(move |value| Part::Other { value: json!({"type": kind, "body": value}) })
}

/// Arguments in the one form that JSON text has when it is written from JSON.
pub fn arguments() -> impl Strategy<Value = String> {
    proptest::collection::btree_map("[a-z]{1,3}", value(), 0..3)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()).to_string())
}

pub fn call() -> impl Strategy<Value = Part> {
    (id(), words(), arguments(), Just(Map::new()))
        .prop_map(|(id, name, arguments, extra)| Part::ToolCall(ToolCall { id, name, arguments, extra }))
}

pub fn call_with_extra() -> impl Strategy<Value = Part> {
    (call(), of(said())).prop_map(|(part, field)| match part {
        Part::ToolCall(call) => {
            let extra = field.into_iter().map(|value| ("extra_content".to_owned(), value)).collect();
            Part::ToolCall(ToolCall { extra, ..call })
        }
        part => part,
    })
}

pub fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts, name: None, extra: Map::new() }
}

pub fn sampling() -> impl Strategy<Value = Sampling> {
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

pub fn function() -> impl Strategy<Value = Tool> {
    (words(), of(words()), extra(), of(any::<bool>())).prop_map(|(name, description, extra, strict)| Tool::Function {
        name,
        description,
        parameters: Some(json!({"type": "object"})),
        strict,
        extra,
    })
}

pub fn tool_choice() -> impl Strategy<Value = Option<ToolChoice>> {
    of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        words().prop_map(ToolChoice::Function)
    ])
}

pub fn schema() -> impl Strategy<Value = Output> {
    let schema = || Output::Schema {
        name: "response".into(),
        schema: json!({"type": "object"}),
        description: None,
        strict: None,
    };
    any::<bool>().prop_map(move |given| if given { schema() } else { Output::Text })
}

pub fn usage() -> impl Strategy<Value = UsageReport> {
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

pub fn stop() -> impl Strategy<Value = Stop> {
    prop_oneof![Just(Stop::End), Just(Stop::Length), Just(Stop::ToolCalls), Just(Stop::Unknown("pause_turn".into()))]
}

/// A choice as it comes from a server: a model that asked for tools waits for them.
pub fn choice(index: u32, parts: Vec<Part>, stop: Option<Stop>, extra: Map<String, Value>) -> Choice {
    let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let stop = stop.map(|stop| if has_calls && stop == Stop::End { Stop::ToolCalls } else { stop });
    Choice { index, parts, stop, extra }
}

pub fn thought() -> impl Strategy<Value = Option<Part>> {
    of(words()).prop_map(|text| text.map(|text| Part::Reasoning(Reasoning { text, ..Reasoning::default() })))
}

pub fn cited(citation: Value) -> impl Strategy<Value = Part> {
    let citations = (0..3_usize).prop_map(move |count| vec![citation.clone(); count]);
    (words(), citations).prop_map(|(text, citations)| Part::Text { text, citations, extra: Map::new() })
}
