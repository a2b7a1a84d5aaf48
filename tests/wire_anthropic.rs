//! Anthropic's Messages: what comes from its API and from those who follow it, and what its clients send and expect.

#![allow(clippy::unwrap_used)]

use headrace::chat::{
    Accumulator, Event, Message, Output, Part, Place, Reasoning, Reply, Request, Role, Source, Stop, ToolChoice,
};
use headrace::usage::Usage;
use headrace::wire::anthropic::PROTOCOL;
use headrace::wire::{Frame, Protocol, Quirks, ToldError, WriterOptions};
use serde_json::{Value, json};

fn read(events: &[Value]) -> (Reply, Option<ToldError>, bool) {
    let mut reader = PROTOCOL.event_reader();
    let (mut reply, mut failed) = (Accumulator::default(), None);
    for event in events {
        let mut out = Vec::new();
        reader.read(event["type"].as_str().unwrap_or_default(), &event.to_string(), &mut out);
        for event in out {
            match event {
                Ok(event) => reply.push(&event).unwrap(),
                Err(error) => failed = Some(error),
            }
        }
    }
    (reply.finish(), failed, reader.is_done())
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "stop_reason": null, "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1}}})
}

fn block(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u32, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 40}}),
        json!({"type": "message_stop"}),
    ]
}

#[test]
fn a_stream_gives_what_the_whole_reply_gives() {
    let citation = json!({"type": "char_location", "cited_text": "4.2", "document_index": 0});
    let mut events = vec![
        start(),
        json!({"type": "ping"}),
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "Add"})),
        delta(0, json!({"type": "thinking_delta", "thinking": " them."})),
        delta(0, json!({"type": "signature_delta", "signature": "sig"})),
        stop(0),
        block(1, json!({"type": "redacted_thinking", "data": "xyz"})),
        stop(1),
        block(2, json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"query\":"})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "\"acme\"}"})),
        stop(2),
        block(
            3,
            json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "u"}]}),
        ),
        stop(3),
        block(4, json!({"type": "text", "text": ""})),
        delta(4, json!({"type": "text_delta", "text": "4.2"})),
        delta(4, json!({"type": "citations_delta", "citation": citation})),
        delta(4, json!({"type": "text_delta", "text": " t"})),
        stop(4),
        block(5, json!({"type": "tool_use", "id": "t1", "name": "lookup", "input": {}})),
        delta(5, json!({"type": "input_json_delta", "partial_json": ""})),
        delta(5, json!({"type": "input_json_delta", "partial_json": "{\"year\":"})),
        delta(5, json!({"type": "input_json_delta", "partial_json": "2023}"})),
        stop(5),
        block(6, json!({"type": "tool_use", "id": "t2", "name": "now", "input": {}})),
        stop(6),
    ];
    events.extend(end("tool_use"));
    let (streamed, failed, is_done) = read(&events);
    assert_eq!((failed, is_done), (None, true));
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 40},
        "content": [
            {"type": "thinking", "thinking": "Add them.", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "acme"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "u"}]},
            {"type": "text", "text": "4.2 t", "citations": [citation]},
            {"type": "tool_use", "id": "t1", "name": "lookup", "input": {"year": 2023}},
            {"type": "tool_use", "id": "t2", "name": "now", "input": {}}],
    });
    let whole = PROTOCOL.read_reply(body.clone()).unwrap();
    assert_eq!(streamed, Reply { raw: Value::Null, ..whole.clone() });
    assert_eq!((streamed.text().as_str(), streamed.choices[0].reasoning().as_str()), ("4.2 t", "Add them."));
    assert_eq!(
        streamed.usage.as_ref().map(|told| (told.usage.input_tokens, told.usage.output_tokens)),
        Some((100, 40))
    );
    assert_eq!(
        streamed.choices[0].tool_calls().map(|call| call.arguments.as_str()).collect::<Vec<_>>(),
        ["{\"year\":2023}", "{}"]
    );
    assert_eq!(streamed.choices[0].stop, Some(Stop::ToolCalls));
    assert_eq!(PROTOCOL.write_reply(&whole)["content"], body["content"]);
}

#[test]
fn reasons_are_read() {
    for (word, stop) in [
        ("end_turn", Stop::End),
        ("stop_sequence", Stop::End),
        ("max_tokens", Stop::Length),
        ("model_context_window_exceeded", Stop::Length),
        ("refusal", Stop::Refusal),
        ("pause_turn", Stop::Unknown("pause_turn".into())),
    ] {
        let body = json!({"content": [{"type": "text", "text": "Yes."}], "stop_reason": word});
        let reply = PROTOCOL.read_reply(body).unwrap();
        assert_eq!(reply.choices[0].stop, Some(stop.clone()), "{word}");
        assert_eq!(reply.is_cacheable(), stop == Stop::End, "{word}");
    }
    let calls =
        json!({"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}], "stop_reason": "end_turn"});
    assert_eq!(PROTOCOL.read_reply(calls).unwrap().choices[0].stop, Some(Stop::ToolCalls));
    let unsaid = json!({"content": [{"type": "text", "text": "Yes."}], "stop_reason": null});
    assert!(!PROTOCOL.read_reply(unsaid).unwrap().is_cacheable());
}

#[test]
fn an_error_is_an_error() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let (reply, failed, is_done) = read(&[
        start(),
        block(0, json!({"type": "text", "text": "half"})),
        error.clone(),
        json!({"type": "message_stop"}),
    ]);
    let failed = failed.unwrap();
    assert_eq!(
        (failed.message.as_str(), failed.kind.as_deref(), is_done, reply.text().as_str()),
        ("Overloaded", Some("overloaded_error"), true, "half")
    );
    assert_eq!(reply.usage.unwrap().usage.input_tokens, 100, "what was read is known");
    assert_eq!(PROTOCOL.read_reply(error).unwrap_err().message, "Overloaded");
    for body in [json!({}), json!(3), json!({"content": 3}), json!({"content": "text"}), json!({"content": [3]})] {
        assert!(PROTOCOL.read_reply(body.clone()).unwrap_err().is_malformed, "{body}");
    }
    for event in [
        json!(3),
        json!({"type": "message_start"}),
        json!({"type": "content_block_start"}),
        json!({"type": "content_block_delta", "delta": {}}),
    ] {
        assert!(read(std::slice::from_ref(&event)).1.unwrap().is_malformed, "{event}");
    }
    for (status, kind) in [
        (402, "billing_error"),
        (429, "rate_limit_error"),
        (404, "not_found_error"),
        (401, "authentication_error"),
        (400, "invalid_request_error"),
        (502, "api_error"),
        (529, "overloaded_error"),
    ] {
        let body =
            PROTOCOL.write_error(&ToldError { message: "no".into(), status: Some(status), ..ToldError::default() });
        assert_eq!(body, json!({"type": "error", "error": {"type": kind, "message": "no"}}));
    }
}

fn request() -> Value {
    json!({
        "model": "claude", "max_tokens": 500, "temperature": 0.5, "top_k": 4, "stop_sequences": ["END"], "stream": true,
        "system": [{"type": "text", "text": "Be exact.", "cache_control": {"type": "ephemeral"}}],
        "metadata": {"user_id": "u1"}, "thinking": {"type": "enabled", "budget_tokens": 1024}, "container": "c",
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "high", "new": 1},
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}, {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, 2.50]}}, {"type": "tool_use", "id": "t2", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "4.2", "cache_control": {"type": "ephemeral"}},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "is_error": true},
                {"type": "text", "text": "go on"}]},
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://acme.example/a.png"}},
                {"type": "document", "source": {"type": "file", "file_id": "f1"}, "title": "r.pdf", "citations": {"enabled": true}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}}]}],
    })
}

#[test]
fn a_request_is_read_and_written_as_it_was() {
    let incoming = PROTOCOL.read_request(request()).unwrap();
    assert!(incoming.stream && incoming.include_usage);
    let read = incoming.request;
    let roles: Vec<Role> = read.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool, Role::Tool, Role::User, Role::User]);
    assert!(
        matches!(&read.messages[4].parts[..], [Part::ToolResult(result)] if result.id == "t2" && result.is_error && result.parts.len() == 2)
    );
    assert_eq!((read.limits.max_output_tokens, read.limits.max_reasoning_tokens), (Some(500), Some(1024)));
    assert_eq!(
        (read.tool_choice.clone(), &read.extra["parallel_tool_calls"]),
        (Some(ToolChoice::Function("f".into())), &json!(false))
    );
    assert_eq!(read.sampling.reasoning_effort.as_deref(), Some("high"));
    assert!(matches!(&read.output, Output::Schema { schema, .. } if *schema == json!({"type": "object"})));
    assert!(
        matches!(&read.messages[6].parts[1], Part::Image(image) if image.source == Source::Url("https://acme.example/a.png".into()))
    );
    assert_eq!(PROTOCOL.write_request(&read, true, &Quirks::default()).unwrap(), request());
}

#[test]
fn a_wrong_type_is_named() {
    for (name, value, words) in [
        ("temperature", json!("hot"), "temperature is \"hot\": give a number from 0 to 1"),
        ("max_tokens", json!("many"), "max_tokens is \"many\""),
        ("stop_sequences", json!("END"), "stop_sequences is \"END\": give a list of texts"),
        ("system", json!(3), "system is 3"),
        ("tools", json!([{"input_schema": {}}]), "tools[0].name is missing"),
        ("tool_choice", json!("auto"), "tool_choice is \"auto\""),
        ("messages", json!([{"role": "tool", "content": "x"}]), "messages[0].role is \"tool\": give user or assistant"),
        ("messages", json!([{"role": "user"}]), "messages[0].content is missing"),
        ("messages", json!([{"role": "user", "content": [3]}]), "messages[0].content[0] is 3"),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "tool_result"}]}]),
            "messages[0].content[0].tool_use_id is missing",
        ),
    ] {
        let mut body = request();
        body[name] = value;
        let error = PROTOCOL.read_request(body).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
}

#[test]
fn what_the_protocol_has_no_form_for_is_refused() {
    let mut several = Request::of_prompt("claude", "q");
    several.sampling.choices = Some(2);
    let json = Request { output: Output::Json, ..Request::of_prompt("claude", "q") };
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]}]});
    let audio = headrace::wire::openai_chat::PROTOCOL.read_request(body).unwrap().request;
    let mut seeded = Request::of_prompt("claude", "q");
    seeded.sampling.seed = Some(7);
    let mut penal = Request::of_prompt("claude", "q");
    penal.sampling.presence_penalty = Some(0.5);
    let mut biased = Request::of_prompt("claude", "q");
    biased.extra.insert("logit_bias".into(), json!({"50256": -100}));
    for (request, word) in [
        (several, "n is given"),
        (json, "response_format"),
        (audio, "audio"),
        (seeded, "seed is given"),
        (penal, "presence_penalty is given"),
        (biased, "logit_bias is given"),
    ] {
        let error = PROTOCOL.write_request(&request, false, &Quirks::default()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_conversation_of_openais_becomes_one_of_anthropics() {
    let body = json!({"model": "m", "user": "u1", "parallel_tool_calls": false, "stream_options": {"include_usage": true}, "messages": [
        {"role": "system", "content": "Be exact."}, {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "", "reasoning_content": "mine", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "not json"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"}, {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": [{"type": "text", "text": "and?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}]}],
        "tools": [{"type": "function", "function": {"name": "f"}}]});
    let request = headrace::wire::openai_chat::PROTOCOL.read_request(body).unwrap().request;
    let written =
        PROTOCOL.write_request(&request, true, &Quirks { default_max_tokens: 77, ..Quirks::default() }).unwrap();
    assert_eq!(
        written,
        json!({"model": "m", "max_tokens": 77, "stream": true, "metadata": {"user_id": "u1"},
            "system": [{"type": "text", "text": "Be exact."}, {"type": "text", "text": "Be brief."}],
            "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                    {"type": "tool_use", "id": "b", "name": "f", "input": {"INVALID_JSON": "not json"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "1"}, {"type": "tool_result", "tool_use_id": "b", "content": "2"},
                    {"type": "text", "text": "and?"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}]})
    );
}

#[test]
fn instructions_in_the_middle_stay_where_they_stand() {
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "Be exact."}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},
        {"role": "user", "content": "and?"}, {"role": "developer", "content": "Be brief."}]});
    let request = headrace::wire::openai_chat::PROTOCOL.read_request(body).unwrap().request;
    let written = PROTOCOL.write_request(&request, false, &Quirks::default()).unwrap();
    assert_eq!(written["system"], "Be exact.");
    let roles: Vec<_> = written["messages"].as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "system"]);
}

/// What a client of this protocol is sent: the names of the events, and their bodies.
fn written(events: &[Event]) -> Vec<(String, Value)> {
    let mut writer = PROTOCOL.event_writer(WriterOptions::default());
    let mut frames: Vec<Frame> = events.iter().flat_map(|event| writer.write(event)).collect();
    frames.extend(writer.end());
    let body = |frame: Frame| (frame.name.unwrap_or_default().to_owned(), serde_json::from_str(&frame.data).unwrap());
    frames.into_iter().map(body).collect()
}

#[test]
fn blocks_of_a_written_stream_follow_one_another() {
    let at = |part: u32| Place { choice: 0, part };
    let begin = |part: u32, id: &str| Event::ToolCallStart { at: at(part), id: id.into(), name: "f".into() };
    let more = |part: u32, text: &str| Event::ToolCallDelta { at: at(part), arguments: text.into() };
    let text = |text: &str| Event::Text { at: at(1), text: text.into() };
    let events = [
        Event::Start { id: Some("m".into()), model: Some("claude".into()) },
        Event::Reasoning { at: at(0), text: "hm".into(), signature: None },
        text("a"),
        begin(16, "x"),
        begin(17, "y"),
        more(16, "{\"a\":"),
        more(17, "{\"b\":"),
        more(16, "1}"),
        text("late"),
        more(17, "2}"),
        Event::Stop { choice: 0, stop: Stop::ToolCalls },
        Event::Usage(headrace::usage::UsageReport::told(Usage::new(3, 4))),
    ];
    let frames = written(&events);
    let mut open = None;
    let mut next = 0;
    for (name, body) in &frames {
        assert_eq!(body["type"], name.as_str());
        match name.as_str() {
            "content_block_start" => {
                assert_eq!((open, body["index"].as_u64()), (None, Some(next)));
                open = Some(next);
            }
            "content_block_delta" => assert_eq!(body["index"].as_u64(), open),
            "content_block_stop" => {
                assert_eq!(body["index"].as_u64(), open.take());
                next += 1;
            }
            _ => {}
        }
    }
    let names: Vec<&str> = frames.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], &names[names.len() - 2..]), ("message_start", &["message_delta", "message_stop"][..]));
    assert_eq!(frames[frames.len() - 2].1["usage"]["output_tokens"], 4);
    let bodies: Vec<Value> = frames.into_iter().map(|(_, body)| body).collect();
    let (reply, failed, is_done) = read(&bodies);
    assert_eq!((failed, is_done), (None, true));
    assert_eq!(
        reply.choices[0].tool_calls().map(|call| (call.id.as_str(), call.arguments.as_str())).collect::<Vec<_>>(),
        [("x", "{\"a\":1}"), ("y", "{\"b\":2}")]
    );
    assert_eq!((reply.text().as_str(), reply.choices[0].reasoning().as_str()), ("alate", "hm"));
}

#[test]
fn an_error_ends_a_written_stream() {
    let error = headrace::ProviderError {
        kind: headrace::ProviderErrorKind::Unavailable,
        provider: "a".into(),
        message: "gone".into(),
        status_code: None,
        retry_after: None,
        request_id: None,
        is_retryable: true,
    };
    let events = [Event::Text { at: Place::default(), text: "half".into() }, Event::Error(Box::new(error))];
    let frames = written(&events);
    let (name, body) = frames.last().unwrap();
    assert_eq!((name.as_str(), body["error"]["message"].as_str()), ("error", Some("a: gone")));
}

#[test]
fn thoughts_of_another_provider_are_not_sent() {
    let thought = |signature: Option<&str>| {
        Part::Reasoning(Reasoning { text: "hm".into(), signature: signature.map(str::to_owned), encrypted: None })
    };
    let message = |part: Part| Message { parts: vec![part, Part::text("Yes.")], ..Message::text(Role::Assistant, "") };
    let write = |part: Part| {
        let request = Request { messages: vec![message(part)], ..Request::of_prompt("m", "q") };
        PROTOCOL.write_request(&request, false, &Quirks::default()).unwrap()["messages"][0]["content"].clone()
    };
    assert_eq!(write(thought(None)), json!("Yes."));
    assert_eq!(write(thought(Some("sig")))[0], json!({"type": "thinking", "thinking": "hm", "signature": "sig"}));
}
