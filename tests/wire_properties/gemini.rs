//! Gemini: any request and reply that it can say.

use super::streams::{again, asked_again, cut, through};
use super::values::{
    arguments, choice, id, message, number, said, sampling, schema, stop, tool_choice, unnamed, usage, value, words,
};
use headrace::chat::{
    Limits, Media, Message, Output, Part, Reasoning, Reply, Request, Role, Sampling, Source, Stop, Tool, ToolCall,
    ToolChoice, ToolResult,
};
use headrace::wire::gemini::PROTOCOL;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Gemini's proof, where Google puts it in OpenAI's protocol.
fn proof() -> impl Strategy<Value = Map<String, Value>> {
    of(words()).prop_map(|proof| {
        let inner = |proof: String| ("extra_content".to_owned(), json!({"google": {"thought_signature": proof}}));
        proof.map(inner).into_iter().collect()
    })
}

fn text() -> impl Strategy<Value = Part> {
    (words(), proof()).prop_map(|(text, extra)| Part::Text { text, citations: Vec::new(), extra })
}

fn call() -> impl Strategy<Value = Part> {
    (id(), words(), arguments(), proof())
        .prop_map(|(id, name, arguments, extra)| Part::ToolCall(ToolCall { id, name, arguments, extra }))
}

fn media(kind: &'static str, end: &'static str) -> impl Strategy<Value = Media> {
    let inline = "[A-Za-z0-9+/]{4,8}".prop_map(move |data| Source::Inline { media_type: kind.into(), data });
    let source = prop_oneof![
        inline,
        "[a-z]{1,5}".prop_map(move |name| Source::Url(format!("https://acme.example/{name}.{end}"))),
        "[a-z]{1,5}".prop_map(move |name| Source::Id(format!("files/{name}.{end}")))
    ];
    (source, of(words())).prop_map(|(source, name)| Media { source, name, extra: Map::new() })
}

fn picture() -> impl Strategy<Value = Part> {
    media("image/png", "png").prop_map(Part::Image)
}

fn user() -> impl Strategy<Value = Message> {
    let own = value().prop_map(|value| Part::Other { value: json!({"videoMetadata": {"x": value}}) });
    let parts = prop_oneof![
        text(),
        picture(),
        media("application/pdf", "pdf").prop_map(Part::File),
        media("audio/wav", "wav").prop_map(Part::Audio),
        own
    ];
    vec(parts, 1..4).prop_map(|parts| message(Role::User, parts))
}

fn thought() -> impl Strategy<Value = Part> {
    (words(), words())
        .prop_map(|(text, proof)| Part::Reasoning(Reasoning { text, signature: Some(proof), encrypted: None }))
}

fn turn() -> impl Strategy<Value = Vec<Message>> {
    let model = vec(prop_oneof![text(), thought(), call()], 1..4).prop_map(|parts| message(Role::Assistant, parts));
    let given = (id(), of(prop_oneof![words(), arguments()]), of(picture()), any::<bool>());
    let result = given.prop_map(|(id, text, picture, is_error)| {
        let text = text.map(Part::text);
        let parts = text.into_iter().chain(picture).collect();
        message(Role::Tool, vec![Part::ToolResult(ToolResult { id, parts, is_error, extra: Map::new() })])
    });
    (model, vec(result, 0..3), user())
        .prop_map(|(model, results, user)| [model].into_iter().chain(results).chain([user]).collect())
}

pub fn gemini_request() -> impl Strategy<Value = Request> {
    let system = of(vec(text(), 1..3)).prop_map(|parts| parts.map(|parts| message(Role::System, parts)));
    let messages = (system, user(), vec(turn(), 0..3)).prop_map(|(system, first, turns)| {
        system.into_iter().chain([first]).chain(turns.into_iter().flatten()).collect()
    });
    let function = (words(), of(words())).prop_map(|(name, description)| {
        let (parameters, extra) = (Some(json!({"type": "object"})), Map::new());
        Tool::Function { name, description, parameters, strict: None, extra }
    });
    let own = value().prop_map(|value| Tool::Other(json!({"googleSearch": {"x": value}})));
    let tools = (vec(function, 1..3), vec(own, 0..2))
        .prop_map(|(functions, own)| functions.into_iter().chain(own).collect::<Vec<_>>());
    let tools = of((tools, tool_choice())).prop_map(Option::unwrap_or_default);
    let output = prop_oneof![schema(), Just(Output::Json)];
    let limits = (of(1..99_u64), of(1..99_u64));
    let rest = (number(), number(), of(any::<i64>()), of(1..9_u64), limits, of(any::<bool>()), unnamed());
    (messages, tools, output, sampling(), rest).prop_map(|(messages, (tools, tool_choice), output, sampling, rest)| {
        let (frequency_penalty, presence_penalty, seed, choices, (most, thoughts), probabilities, mut extra) = rest;
        extra.extend(probabilities.map(|asked| ("logprobs".to_owned(), asked.into())));
        // One or the other says how hard to think.
        let reasoning_effort = sampling.reasoning_effort.clone().filter(|_| thoughts.is_none());
        let sampling = Sampling { frequency_penalty, presence_penalty, seed, choices, reasoning_effort, ..sampling };
        let limits = Limits { max_output_tokens: most, max_reasoning_tokens: thoughts };
        let tool_choice: Option<ToolChoice> = tool_choice;
        // The path names the model.
        Request { messages, tools, tool_choice, output, sampling, limits, extra, ..Request::default() }
    })
}

pub fn gemini_reply() -> impl Strategy<Value = Reply> {
    let own = said().prop_map(|value| Part::Other { value: json!({"executableCode": {"code": value}}) });
    let part = prop_oneof![text(), thought(), call(), picture(), own];
    let choices = vec((vec(part, 1..5), of(prop_oneof![stop(), Just(Stop::ContentFilter)]), of(said())), 1..3);
    let choices = choices.prop_map(|choices| {
        let one = |(index, (mut parts, stop, ratings)): (u32, (Vec<Part>, Option<Stop>, Option<Value>))| {
            // Texts that follow one another are one here, and so are thoughts.
            parts.dedup_by(|next, one| std::mem::discriminant(next) == std::mem::discriminant(one) && !is_whole(one));
            let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            let stop = stop.map(|stop| if stop == Stop::ToolCalls && !has_calls { Stop::End } else { stop });
            let extra = ratings.into_iter().map(|value| ("safetyRatings".to_owned(), json!([value]))).collect();
            choice(index, parts, stop, extra)
        };
        (0..).zip(choices).map(one).collect::<Vec<_>>()
    });
    (choices, of(usage()), id(), words(), of(said())).prop_map(|(choices, usage, id, model, time)| Reply {
        choices,
        usage,
        id: Some(id),
        model: Some(model),
        extra: time.into_iter().map(|value| ("createTime".to_owned(), value)).collect(),
        raw: Value::Null,
    })
}

fn is_whole(part: &Part) -> bool {
    !matches!(part, Part::Text { .. } | Part::Reasoning(_))
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_request_is_read_as_it_was_written(request in gemini_request()) {
        prop_assert_eq!(asked_again(&PROTOCOL, &request, false), request);
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(reply in gemini_reply(), cuts in vec(0..9_usize, 1..6)) {
        prop_assert_eq!(&again(&PROTOCOL, &reply), &reply);
        prop_assert_eq!(&through(&PROTOCOL, &reply.events()), &reply);
        prop_assert_eq!(&through(&PROTOCOL, &cut(&reply, &cuts)), &reply);
    }
}
