//! OpenAI's chat as providers really speak it: the faults of replies and streams that were found in the wild.

#![allow(clippy::unwrap_used)]

use headrace::chat::{Accumulator, Event, Part, Reply, Role, Source, Stop, ToolChoice};
use headrace::usage::Usage;
use headrace::wire::openai_chat::PROTOCOL;
use headrace::wire::{Protocol, Quirks, ToldError, WriterOptions};
use serde_json::{Value, json};

/// Reads a stream: its events, and the error that ended it.
fn read(frames: &[(&str, &str)]) -> (Vec<Event>, Option<ToldError>, bool) {
    let mut reader = PROTOCOL.event_reader();
    let (mut events, mut failed) = (Vec::new(), None);
    for (name, data) in frames {
        let mut out = Vec::new();
        reader.read(name, data, &mut out);
        for event in out {
            match event {
                Ok(event) if failed.is_none() => events.push(event),
                Ok(event) => panic!("{event:?} after an error"),
                Err(error) => failed = Some(error),
            }
        }
    }
    (events, failed, reader.is_done())
}

fn collect(events: &[Event]) -> Reply {
    let mut reply = Accumulator::default();
    events.iter().for_each(|event| reply.push(event).unwrap());
    reply.finish()
}

/// The reply of a stream without an error, a JSON value a chunk.
fn streamed(chunks: &[Value]) -> Reply {
    let texts: Vec<String> = chunks.iter().map(Value::to_string).collect();
    let frames: Vec<(&str, &str)> = texts.iter().map(|text| ("", text.as_str())).chain([("", "[DONE]")]).collect();
    let (events, failed, is_done) = read(&frames);
    assert_eq!(failed, None);
    assert!(is_done);
    collect(&events)
}

fn delta(index: u32, delta: Value) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": null}]})
}

fn finish(index: u32, reason: &str) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": index, "delta": {}, "finish_reason": reason}]})
}

fn whole(message: Value, reason: Value) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": reason}]})
}

fn stop_of(reply: &Reply) -> Option<&Stop> {
    reply.choices[0].stop.as_ref()
}

#[test]
fn an_error_inside_a_stream_is_an_error() {
    let text = delta(0, json!({"content": "half"})).to_string();
    for (name, data, words) in [
        ("", r#"{"error":{"message":"gone"}}"#, "gone"),
        ("", r#"{"error":"gone"}"#, "gone"),
        ("", r#"{"error":["gone"]}"#, "gone"),
        ("", r#"[{"error":{"code":503,"message":"gone"}}]"#, "gone"),
        ("", r#"{"object":"error","message":"gone","code":500}"#, "gone"),
        ("", r#"{"detail":"gone"}"#, "gone"),
        (
            "",
            r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"gone","code":502}}"#,
            "gone",
        ),
        ("", r#"{"choices":[{"index":0,"delta":{},"finish_reason":null,"error":{"message":"gone"}}]}"#, "gone"),
        ("error", r#"{"error":{"message":"gone"}}"#, "gone"),
        ("error", r#"{"message":"gone"}"#, "gone"),
        ("error", "gone", "gone"),
        ("error", "", "an error without words"),
        ("", r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#, "broke the answer off"),
        (
            "",
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
            "insufficient_system_resource",
        ),
    ] {
        let (events, failed, is_done) = read(&[("", &text), (name, data), ("", "[DONE]")]);
        let failed = failed.unwrap_or_else(|| panic!("{data}: {events:?}"));
        assert!(failed.message.contains(words) && !failed.is_malformed, "{data}: {failed:?}");
        assert!(is_done);
        assert_eq!(collect(&events).text(), "half", "what came before stays");
        if name.is_empty() && !data.starts_with('[') && !data.contains("delta") {
            let body: Value = serde_json::from_str(data).unwrap();
            assert!(PROTOCOL.read_reply(body).unwrap_err().message.contains(words), "{data} as a whole reply");
        }
    }
    let (_, failed, _) =
        read(&[("", r#"{"error":{"message":"busy","type":"server_error","code":"overloaded","status":503}}"#)]);
    let failed = failed.unwrap();
    assert_eq!(
        (failed.code.as_deref(), failed.kind.as_deref(), failed.status),
        (Some("overloaded"), Some("server_error"), Some(503))
    );
}

#[test]
fn usage_beside_an_error_is_told_before_it() {
    let chunk = r#"{"error":{"message":"gone"},"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let (events, failed, _) = read(&[("", chunk)]);
    assert!(matches!(&events[..], [Event::Usage(told)] if told.usage == Usage::new(3, 2)), "{events:?}");
    assert!(failed.is_some());
}

#[test]
fn what_cannot_be_read_is_no_answer() {
    for data in ["{", "nonsense", "3", "[1]", r#"{"choices":3}"#, r#"{"choices":[3]}"#] {
        let (_, failed, _) = read(&[("", data)]);
        assert!(failed.unwrap_or_else(|| panic!("{data}")).is_malformed, "{data}");
    }
    for body in [
        json!({}),
        json!(3),
        json!([]),
        json!({"choices": []}),
        json!({"choices": null}),
        json!({"choices": [{"index": 0}]}),
        json!({"choices": [{"message": null}]}),
    ] {
        let error = PROTOCOL.read_reply(body.clone()).unwrap_err();
        assert!(error.is_malformed && error.message.contains("found"), "{body}: {error:?}");
    }
}

#[test]
fn an_end_without_a_reason_is_not_whole() {
    let reply = streamed(&[delta(0, json!({"content": "half"}))]);
    assert_eq!(stop_of(&reply), None);
    assert!(!reply.is_cacheable());
    let reply = PROTOCOL.read_reply(whole(json!({"content": "half"}), Value::Null)).unwrap();
    assert!(!reply.is_cacheable());
}

#[test]
fn reasons_are_read_in_the_words_of_many_servers() {
    for (word, stop) in [
        ("stop", Stop::End),
        ("end_turn", Stop::End),
        ("eos", Stop::End),
        ("eos_token", Stop::End),
        ("stop_sequence", Stop::End),
        ("length", Stop::Length),
        ("max_tokens", Stop::Length),
        ("model_length", Stop::Length),
        ("tool_calls", Stop::ToolCalls),
        ("function_call", Stop::ToolCalls),
        ("content_filter", Stop::ContentFilter),
        ("refusal", Stop::Refusal),
        ("abort", Stop::Cancelled),
        ("recitation", Stop::Unknown("recitation".into())),
    ] {
        let reply = PROTOCOL.read_reply(whole(json!({"content": "Yes."}), word.into())).unwrap();
        assert_eq!(stop_of(&reply), Some(&stop), "{word}");
        assert_eq!(reply.is_cacheable(), stop == Stop::End, "{word}");
    }
    let empty = PROTOCOL.read_reply(whole(json!({"content": "Yes."}), "".into())).unwrap();
    assert_eq!(stop_of(&empty), None);
}

#[test]
fn tool_calls_that_end_with_stop_are_tool_calls() {
    let call = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "lookup", "arguments": "{}"}});
    let reply = streamed(&[
        delta(0, json!({"content": "Let me see."})),
        delta(0, json!({"tool_calls": [call]})),
        finish(0, "stop"),
    ]);
    assert_eq!(stop_of(&reply), Some(&Stop::ToolCalls));
    assert!(!reply.is_cacheable());
    let legacy = whole(json!({"content": null, "function_call": {"name": "lookup", "arguments": "{}"}}), "stop".into());
    let reply = PROTOCOL.read_reply(legacy).unwrap();
    assert_eq!(stop_of(&reply), Some(&Stop::ToolCalls));
    assert_eq!(reply.choices[0].tool_calls().next().unwrap().id, "");
}

fn calls_of(reply: &Reply) -> Vec<(&str, &str, &str)> {
    reply.choices[0].tool_calls().map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str())).collect()
}

fn piece(index: Option<u64>, id: &str, name: &str, arguments: &str) -> Value {
    let mut piece = json!({"function": {"arguments": arguments}});
    if let Some(index) = index {
        piece["index"] = index.into();
    }
    if !id.is_empty() {
        piece["id"] = id.into();
    }
    if !name.is_empty() {
        piece["function"]["name"] = name.into();
    }
    piece
}

#[test]
fn tool_calls_are_put_together_however_their_pieces_come() {
    let two = vec![("a", "f", "{\"x\":1}"), ("b", "g", "{\"y\":2}")];
    let cases = [
        // Interleaved, by their numbers.
        vec![
            vec![piece(Some(0), "a", "f", "")],
            vec![piece(Some(1), "b", "g", "{\"y\"")],
            vec![piece(Some(0), "", "", "{\"x\":1}")],
            vec![piece(Some(1), "", "", ":2}")],
        ],
        // Both in every chunk.
        vec![
            vec![piece(Some(0), "a", "f", "{"), piece(Some(1), "b", "g", "{")],
            vec![piece(Some(1), "", "", "\"y\":2}"), piece(Some(0), "", "", "\"x\":1}")],
        ],
        // Id and name repeated with every piece.
        vec![
            vec![piece(Some(0), "a", "f", "{\"x\"")],
            vec![piece(Some(1), "b", "g", "{\"y\":2}")],
            vec![piece(Some(0), "a", "f", ":1}")],
        ],
        // The name in a later piece.
        vec![
            vec![piece(Some(0), "a", "", "")],
            vec![piece(Some(0), "", "f", "{\"x\":1}")],
            vec![piece(Some(1), "b", "g", "{\"y\":2}")],
        ],
        // No numbers: by id.
        vec![
            vec![piece(None, "a", "f", "{\"x\"")],
            vec![piece(None, "b", "g", "{\"y\"")],
            vec![piece(None, "a", "", ":1}")],
            vec![piece(None, "b", "", ":2}")],
        ],
        // No numbers: a piece without an id goes on with the last call.
        vec![
            vec![piece(None, "a", "f", "{\"x\"")],
            vec![piece(None, "", "", ":1}")],
            vec![piece(None, "b", "g", "{\"y\"")],
            vec![piece(None, "", "", ":2}")],
        ],
        // No numbers: by place, where several come at once.
        vec![
            vec![piece(None, "a", "f", "{\"x\""), piece(None, "b", "g", "{\"y\"")],
            vec![piece(None, "", "", ":1}"), piece(None, "", "", ":2}")],
        ],
        // All numbered 0, whole.
        vec![vec![piece(Some(0), "a", "f", "{\"x\":1}")], vec![piece(Some(0), "b", "g", "{\"y\":2}")]],
        // Another id with every piece.
        vec![
            vec![piece(Some(0), "a", "f", "{\"x\"")],
            vec![piece(Some(0), "z", "", ":1}")],
            vec![piece(Some(1), "b", "g", "{\"y\":2}")],
        ],
        // Numbers that begin at 1.
        vec![vec![piece(Some(1), "a", "f", "{\"x\":1}")], vec![piece(Some(2), "b", "g", "{\"y\":2}")]],
    ];
    for pieces in cases {
        let mut chunks: Vec<Value> = pieces.iter().map(|calls| delta(0, json!({"tool_calls": calls}))).collect();
        chunks.push(finish(0, "tool_calls"));
        let reply = streamed(&chunks);
        assert_eq!(calls_of(&reply), two, "{pieces:?}");
        assert_eq!(stop_of(&reply), Some(&Stop::ToolCalls));
    }
    let entries = json!([piece(None, "a", "f", "{\"x\":1}"), piece(None, "b", "g", "{\"y\":2}")]);
    let reply =
        PROTOCOL.read_reply(whole(json!({"content": null, "tool_calls": entries}), "tool_calls".into())).unwrap();
    assert_eq!(calls_of(&reply), two);
}

#[test]
fn a_call_without_an_id_gets_one() {
    let entries = json!([piece(None, "", "f", "{}"), piece(None, "", "f", "{}")]);
    let expected = vec![("call_0", "f", "{}"), ("call_1", "f", "{}")];
    let reply = PROTOCOL.read_reply(whole(json!({"tool_calls": entries}), "tool_calls".into())).unwrap();
    assert_eq!(calls_of(&reply), expected);
    let reply = streamed(&[
        delta(0, json!({"tool_calls": [entries[0]]})),
        delta(0, json!({"tool_calls": [entries[1]]})),
        finish(0, "stop"),
    ]);
    assert_eq!(calls_of(&reply), expected);
}

#[test]
fn fields_of_a_call_are_kept() {
    let mut call = piece(Some(0), "a", "f", "{}");
    call["extra_content"] = json!({"google": {"thought_signature": "S"}});
    let message = json!({"tool_calls": [call]});
    let unstreamed = PROTOCOL.read_reply(whole(message.clone(), "tool_calls".into())).unwrap();
    let reply = streamed(&[delta(0, message), finish(0, "tool_calls")]);
    assert_eq!(reply.choices, unstreamed.choices);
    assert_eq!(
        reply.choices[0].tool_calls().next().unwrap().extra["extra_content"]["google"]["thought_signature"],
        "S"
    );
    assert_eq!(
        PROTOCOL.write_reply(&reply)["choices"][0]["message"]["tool_calls"][0]["extra_content"]["google"]["thought_signature"],
        "S"
    );
    // Arguments as JSON in place of its text.
    let object = json!({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]});
    let reply = PROTOCOL.read_reply(whole(object, "tool_calls".into())).unwrap();
    assert_eq!(calls_of(&reply), vec![("a", "f", "{\"x\":1}")]);
    let custom = json!({"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}]});
    let reply = PROTOCOL.read_reply(whole(custom.clone(), "tool_calls".into())).unwrap();
    assert_eq!(calls_of(&reply), vec![("a", "sql", "select 1")]);
    assert_eq!(PROTOCOL.write_reply(&reply)["choices"][0]["message"]["tool_calls"], custom["tool_calls"]);
}

#[test]
fn choices_are_kept_apart() {
    let reply = streamed(&[
        delta(0, json!({"role": "assistant", "content": "Sc"})),
        delta(1, json!({"role": "assistant", "content": "A"})),
        json!({"choices": [{"index": 1, "delta": {"content": "cme"}}, {"index": 0, "delta": {"content": "ope"}}]}),
        finish(1, "length"),
        finish(0, "stop"),
    ]);
    let texts: Vec<String> = reply.choices.iter().map(headrace::chat::Choice::text).collect();
    assert_eq!(texts, ["Scope", "Acme"]);
    assert_eq!((reply.choices[0].stop.clone(), reply.choices[1].stop.clone()), (Some(Stop::End), Some(Stop::Length)));
    // Two answers under one number are not one answer.
    let choice = |text: &str| json!({"index": 0, "message": {"content": text}, "finish_reason": "stop"});
    let reply = PROTOCOL.read_reply(json!({"choices": [choice("a"), choice("b")]})).unwrap();
    assert_eq!(reply.choices.iter().map(headrace::chat::Choice::text).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn reasoning_is_read_under_its_names() {
    for message in [
        json!({"content": "4.2 t", "reasoning_content": "Add them."}),
        json!({"content": "4.2 t", "reasoning": "Add them."}),
        json!({"content": "4.2 t", "reasoning": "Add them.", "reasoning_content": "Add them.", "reasoning_details": [{"text": "Add them."}]}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Add"}, {"type": "text", "text": " them."}]}, {"type": "text", "text": "4.2"}, {"type": "text", "text": " t"}]}),
    ] {
        let unstreamed = PROTOCOL.read_reply(whole(message.clone(), "stop".into())).unwrap();
        assert_eq!(
            (unstreamed.text().as_str(), unstreamed.choices[0].reasoning().as_str()),
            ("4.2 t", "Add them."),
            "{message}"
        );
        assert!(unstreamed.is_cacheable());
        assert_eq!(streamed(&[delta(0, message), finish(0, "stop")]).choices, unstreamed.choices);
    }
}

#[test]
fn content_in_typed_parts_is_read() {
    let message = json!({"content": [{"type": "text", "text": "See "}, {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "1."}, {"type": "picture", "url": "u"}]});
    let reply = PROTOCOL.read_reply(whole(message, "stop".into())).unwrap();
    assert_eq!(reply.text(), "See 1.");
    assert!(matches!(&reply.choices[0].parts[0], Part::Text { citations, .. } if citations.len() == 1));
    assert_eq!(reply.choices[0].parts[1], Part::Other { value: json!({"content": [{"type": "picture", "url": "u"}]}) });
    assert!(!reply.is_cacheable(), "what is not known cannot be kept to answer again");
}

#[test]
fn nothing_that_says_something_becomes_silence() {
    let message = json!({"content": null, "audio": {"id": "x", "data": "AA", "transcript": "Yes"}});
    let reply = PROTOCOL.read_reply(whole(message.clone(), "stop".into())).unwrap();
    assert_eq!(reply.choices[0].parts, [Part::Other { value: json!({"audio": message["audio"]}) }]);
    assert!(!reply.is_cacheable());
    assert_eq!(PROTOCOL.write_reply(&reply)["choices"][0]["message"]["audio"], message["audio"]);
    let reply = streamed(&[
        delta(
            0,
            json!({"role": "assistant", "refusal": null, "annotations": [], "audio": {"id": "x", "transcript": "Ye"}}),
        ),
        delta(0, json!({"audio": {"id": "x", "data": "A", "transcript": "s"}})),
        delta(0, json!({"audio": {"data": "A"}})),
        finish(0, "stop"),
    ]);
    assert_eq!(reply.choices[0].parts, [Part::Other { value: json!({"audio": message["audio"]}) }]);
    let data = json!({"role": "assistant", "content": "Yes", "refusal": null, "function_call": null, "tool_calls": null, "audio": null, "annotations": [], "reasoning_details": [{"id": 1}]});
    let reply = PROTOCOL.read_reply(whole(data, "stop".into())).unwrap();
    assert!(reply.is_cacheable(), "{reply:?}");
    assert_eq!(reply.choices[0].extra["message"]["reasoning_details"], json!([{"id": 1}]));
}

#[test]
fn refusals_and_citations_are_read() {
    let reply = PROTOCOL.read_reply(whole(json!({"content": null, "refusal": "I cannot."}), "stop".into())).unwrap();
    assert_eq!(reply.choices[0].parts, [Part::Refusal { text: "I cannot.".into() }]);
    assert!(!reply.is_cacheable());
    let citation = json!({"type": "url_citation", "url_citation": {"url": "https://acme.example", "title": "Acme", "start_index": 0, "end_index": 4}});
    let reply = streamed(&[
        delta(0, json!({"content": "1.2 t"})),
        delta(0, json!({"annotations": [citation]})),
        finish(0, "stop"),
    ]);
    assert!(matches!(&reply.choices[0].parts[..], [Part::Text { citations, .. }] if *citations == [citation.clone()]));
    assert_eq!(PROTOCOL.write_reply(&reply)["choices"][0]["message"]["annotations"], json!([citation]));
}

#[test]
fn usage_is_read_wherever_it_stands() {
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7});
    let text = delta(0, json!({"content": "a"}));
    for tail in [
        vec![finish(0, "stop"), json!({"choices": [], "usage": usage})],
        vec![finish(0, "stop"), json!({"usage": usage})],
        vec![finish(0, "stop"), json!({"choices": [], "x_groq": {"id": "r", "usage": usage}})],
        vec![json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]})],
        vec![json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage})],
        vec![
            json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}),
            finish(0, "stop"),
            json!({"choices": [], "usage": usage}),
            json!({"choices": [], "usage": null}),
        ],
    ] {
        let chunks: Vec<Value> = [text.clone()].into_iter().chain(tail).collect();
        assert_eq!(streamed(&chunks).usage.map(|told| told.usage), Some(Usage::new(5, 7)), "{chunks:?}");
    }
    let body: Value = serde_json::from_str(r#"{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "cost": 0.00014000000000000001}}"#).unwrap();
    let told = PROTOCOL.read_reply(body).unwrap().usage.unwrap();
    assert_eq!(told.cost_usd.as_deref(), Some("0.00014000000000000001"));
    assert_eq!(PROTOCOL.read_reply(whole(json!({"content": "a"}), "stop".into())).unwrap().usage, None);
}

#[test]
fn azure_tells_its_filter_first() {
    let reply = streamed(&[
        json!({"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
        json!({"id": "c1", "model": "gpt-5", "system_fingerprint": "fp", "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [1]}, "content_filter_results": {"hate": {}}}]}),
        json!({"id": "c1", "model": "gpt-5", "system_fingerprint": "fp", "choices": [{"index": 0, "delta": {"content": "!"}, "logprobs": {"content": [2]}, "finish_reason": "stop"}]}),
    ]);
    assert_eq!(
        (reply.id.as_deref(), reply.model.as_deref(), reply.text().as_str()),
        (Some("c1"), Some("gpt-5"), "Hi!")
    );
    assert_eq!(reply.choices[0].extra["logprobs"], json!({"content": [1, 2]}));
    assert_eq!(reply.extra["system_fingerprint"], "fp");
    assert!(reply.extra.contains_key("prompt_filter_results") && reply.is_cacheable());
}

#[test]
fn a_stream_is_read_in_its_odd_forms() {
    let done = read(&[
        ("", ""),
        ("", "\u{feff}{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\ud800\"}}]}\r"),
        ("message", "{\"choices\":[]}"),
        ("ping", "{}"),
        ("", " [DONE] "),
        ("", "{\"error\":\"late\"}"),
    ]);
    assert_eq!((collect(&done.0).text().as_str(), done.1, done.2), ("a\u{fffd}", None, true));
}

fn request(body: Value) -> headrace::chat::Request {
    PROTOCOL.read_request(body).unwrap().request
}

#[test]
fn a_parameter_of_a_wrong_type_is_named() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "q"}]});
        body[name] = value;
        PROTOCOL.read_request(body)
    };
    for (name, value, words) in [
        ("temperature", json!("hot"), "temperature is \"hot\": give a number from 0 to 2"),
        ("max_tokens", json!(1.5), "max_tokens is 1.5: give a whole number, 1 or more"),
        ("max_completion_tokens", json!(-1), "max_completion_tokens is -1"),
        ("stop", json!([1]), "stop is [1]: give a text or a list of texts"),
        ("n", json!("two"), "n is \"two\""),
        ("seed", json!("x"), "seed is \"x\""),
        ("tools", json!({}), "tools is {}"),
        ("tools", json!([{"type": "function"}]), "tools[0].function is missing"),
        ("response_format", json!("json"), "response_format is \"json\""),
        ("metadata", json!("x"), "metadata is \"x\""),
        ("stream", json!("yes"), "stream is \"yes\": give true or false"),
        ("stream_options", json!(true), "stream_options is true"),
        ("messages", json!("q"), "messages is \"q\""),
        ("messages", json!(["q"]), "messages[0] is \"q\""),
        ("messages", json!([{"content": "q"}]), "messages[0].role is missing"),
        ("messages", json!([{"role": "bot", "content": "q"}]), "messages[0].role is \"bot\": give system"),
        ("messages", json!([{"role": "user", "content": 3}]), "messages[0].content is 3"),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "text", "text": 3}]}]),
            "messages[0].content[0].text is 3",
        ),
        (
            "messages",
            json!([{"role": "assistant", "tool_calls": [{"id": "a"}]}]),
            "messages[0].tool_calls[0].function is missing",
        ),
        ("model", json!(7), "model is 7"),
    ] {
        let error = with(name, value).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
    assert!(PROTOCOL.read_request(json!([])).is_err());
    for name in [
        "temperature",
        "tools",
        "stop",
        "max_tokens",
        "response_format",
        "tool_choice",
        "metadata",
        "stream",
        "stream_options",
    ] {
        assert!(with(name, Value::Null).is_ok(), "null is a {name} that was not given");
    }
}

#[test]
fn a_request_keeps_what_has_no_name() {
    let body = json!({
        "model": "m", "temperature": 0, "max_completion_tokens": 9, "top_k": 4, "logit_bias": null, "safe_prompt": true,
        "stop": "END", "stream": true, "stream_options": {"include_usage": true, "x": 1},
        "messages": [
            {"role": "system", "content": "Be exact.", "weight": 1},
            {"role": "user", "name": "eva", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "b"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
                {"type": "file", "file": {"filename": "r.pdf", "file_data": "data:application/pdf;base64,CCCC"}},
                {"type": "file", "file": {"file_id": "f1"}},
                {"type": "video_url", "video_url": {"url": "u"}}]},
            {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "t", "content": "4.2"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "4.2"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    });
    let incoming = PROTOCOL.read_request(body.clone()).unwrap();
    assert!(incoming.stream && incoming.include_usage);
    let request = incoming.request;
    assert_eq!(
        request.extra,
        json!({"logit_bias": null, "safe_prompt": true, "stream_options": {"include_usage": true, "x": 1}})
            .as_object()
            .cloned()
            .unwrap()
    );
    assert_eq!(request.tool_choice, Some(ToolChoice::Function("f".into())));
    assert!(
        matches!(&request.messages[1].parts[2], Part::Image(image) if image.source == Source::Inline { media_type: "image/png".into(), data: "AAAA".into() })
    );
    assert!(matches!(&request.messages[3].parts[..], [Part::ToolResult(result)] if result.id == "t"));
    assert_eq!(request.messages[5].role, Role::Tool);
    let quirks = Quirks { max_tokens_name: "max_completion_tokens".into(), ..Quirks::default() };
    let mut expected = body;
    expected["stop"] = json!(["END"]);
    expected["temperature"] = json!(0.0);
    assert_eq!(PROTOCOL.write_request(&request, true, &quirks).unwrap(), expected);
}

#[test]
fn stream_options_can_be_left_out() {
    let body = |options: Option<Value>| {
        let mut body = json!({"model": "m", "messages": []});
        if let Some(options) = options {
            body["stream_options"] = options;
        }
        body
    };
    let quirks = Quirks::default();
    let written = |options, stream, quirks: &Quirks| {
        PROTOCOL.write_request(&request(body(options)), stream, quirks).unwrap().get("stream_options").cloned()
    };
    assert_eq!(written(None, true, &quirks), Some(json!({"include_usage": true})));
    assert_eq!(written(Some(Value::Null), true, &quirks), None);
    assert_eq!(written(Some(json!({"include_usage": false})), true, &quirks), Some(json!({"include_usage": false})));
    assert_eq!(written(Some(json!({"include_usage": true})), false, &quirks), None);
    let without = Quirks { stream_options: false, ..quirks };
    assert_eq!(written(None, true, &without), None);
    assert_eq!(written(Some(json!({"include_usage": true})), true, &without), None);
}

#[test]
fn quirks_are_written() {
    let mut request = request(
        json!({"model": "m", "max_tokens": 5, "messages": [{"role": "developer", "content": "d"}, {"role": "assistant", "content": "a", "reasoning_content": "r"}]}),
    );
    request.extra.insert("model".into(), "other".into());
    let plain = PROTOCOL.write_request(&request, false, &Quirks::default()).unwrap();
    assert_eq!(
        (
            &plain["model"],
            &plain["messages"][0]["role"],
            &plain["messages"][1]["reasoning_content"],
            &plain["max_tokens"]
        ),
        (&json!("m"), &json!("developer"), &json!("r"), &json!(5))
    );
    let quirks = Quirks {
        developer_role: false,
        takes_reasoning: false,
        max_tokens_name: "max_completion_tokens".into(),
        ..Quirks::default()
    };
    let quirky = PROTOCOL.write_request(&request, false, &quirks).unwrap();
    assert_eq!(quirky["messages"], json!([{"role": "system", "content": "d"}, {"role": "assistant", "content": "a"}]));
    assert_eq!((quirky.get("max_tokens"), &quirky["max_completion_tokens"]), (None, &json!(5)));
}

#[test]
fn a_client_is_told_a_stream_in_its_form() {
    let mut writer = PROTOCOL.event_writer(WriterOptions { model: "esg".into(), include_usage: true });
    let body = json!({"id": "c1", "model": "m", "choices": [{"index": 0, "message": {"content": "Hi", "reasoning_content": "hm", "tool_calls": [piece(None, "a", "f", "{}")]}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "cost": 0.1}});
    let reply = PROTOCOL.read_reply(body).unwrap();
    let mut frames: Vec<_> = reply.events().iter().flat_map(|event| writer.write(event)).collect();
    frames.extend(writer.end());
    assert_eq!(frames.pop().unwrap().data, "[DONE]");
    let chunks: Vec<Value> = frames.iter().map(|frame| serde_json::from_str(&frame.data).unwrap()).collect();
    let deltas: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"].get(0)).map(|choice| &choice["delta"]).collect();
    assert_eq!(*deltas[0], json!({"role": "assistant", "reasoning_content": "hm"}));
    assert_eq!(*deltas[1], json!({"content": "Hi"}));
    assert_eq!(
        *deltas[2],
        json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]})
    );
    assert_eq!(*deltas[3], json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}));
    let last = chunks.last().unwrap();
    assert_eq!(
        (&last["choices"], last["usage"]["total_tokens"].as_u64(), last["usage"]["cost"].to_string()),
        (&json!([]), Some(12), "0.1".into())
    );
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"
        && chunk["id"] == "c1"
        && chunk["model"] == "esg"
        && chunk["created"].is_u64()));
    assert!(deltas.iter().skip(1).all(|delta| delta.get("role").is_none()));
}

#[test]
fn an_error_has_openais_form() {
    let error = ToldError {
        message: "over".into(),
        code: Some("budget_exceeded".into()),
        status: Some(402),
        ..ToldError::default()
    };
    let body = PROTOCOL.write_error(&error);
    assert_eq!(
        body,
        json!({"error": {"message": "over", "type": "invalid_request_error", "param": null, "code": "budget_exceeded"}})
    );
    assert_eq!(PROTOCOL.read_error(&body).unwrap().message, "over");
}
