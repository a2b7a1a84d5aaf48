//! Every protocol in, every protocol out: one request and one reply in the JSON of each, from each to each, and replies of
//! every kind as streams.

#![allow(clippy::unwrap_used)]

use headrace::chat::{Accumulator, Choice, Event, Part, Place, Reasoning, Reply, Request, Stop, ToolCall};
use headrace::usage::{Usage, UsageReport};
use headrace::wire::{Protocol, Quirks, ToldError, WriterOptions, anthropic, gemini, openai_chat, openai_responses};
use headrace::{ProviderError, ProviderErrorKind};
use serde_json::{Map, Value, json};

/// A conversation with instructions, an image, a call and its result, tools and a schema, as each protocol has it.
fn asked() -> [(&'static dyn Protocol, Value); 4] {
    let schema = json!({"type": "object"});
    let chat = json!({
        "model": "m", "max_tokens": 99, "temperature": 0.5, "tool_choice": "auto",
        "messages": [
            {"role": "system", "content": "Be exact."},
            {"role": "user", "content": [{"type": "text", "text": "How much?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "1204 t"},
            {"role": "user", "content": "In tonnes?"}],
        "tools": [{"type": "function", "function": {"name": "f", "description": "Looks up.", "parameters": schema}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": schema}},
    });
    let responses = json!({
        "model": "m", "max_output_tokens": 99, "temperature": 0.5, "tool_choice": "auto", "instructions": "Be exact.",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "How much?"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\":1}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1204 t"},
            {"type": "message", "role": "user", "content": "In tonnes?"}],
        "tools": [{"type": "function", "name": "f", "description": "Looks up.", "parameters": schema, "strict": null}],
        "text": {"format": {"type": "json_schema", "name": "response", "schema": schema}},
    });
    let messages = json!({
        "model": "m", "max_tokens": 99, "temperature": 0.5, "tool_choice": {"type": "auto"}, "system": "Be exact.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "How much?"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "1204 t"}, {"type": "text", "text": "In tonnes?"}]}],
        "tools": [{"name": "f", "description": "Looks up.", "input_schema": schema}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    });
    let contents = json!({
        "systemInstruction": {"parts": [{"text": "Be exact."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "How much?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "f", "args": {"x": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"output": "1204 t"}}}]},
            {"role": "user", "parts": [{"text": "In tonnes?"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "description": "Looks up.", "parametersJsonSchema": schema}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 99, "responseMimeType": "application/json", "responseJsonSchema": schema},
    });
    of_each(chat, responses, messages, contents)
}

/// Words, two calls and what they used, as each protocol has them.
fn answered() -> [(&'static dyn Protocol, Value); 4] {
    let chat = json!({
        "id": "r1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": {
            "role": "assistant", "content": "Let me look.", "refusal": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 5}},
    });
    let responses = json!({
        "id": "r1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "error": null,
        "incomplete_details": null, "instructions": null, "parallel_tool_calls": true, "temperature": 1.0,
        "tool_choice": "auto", "tools": [{"type": "function", "name": "f"}], "metadata": {},
        "output": [
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"x\":1}", "status": "completed"},
            {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "g", "arguments": "{}", "status": "completed"}],
        "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 120},
    });
    let message = json!({
        "id": "r1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use", "stop_sequence": null,
        "content": [
            {"type": "text", "text": "Let me look.", "citations": null},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "c2", "name": "g", "input": {}}],
        "usage": {"input_tokens": 60, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 0, "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 5}},
    });
    let contents = json!({
        "responseId": "r1", "modelVersion": "m",
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
            {"text": "Let me "}, {"text": "look."},
            {"functionCall": {"id": "c1", "name": "f", "args": {"x": 1}}},
            {"functionCall": {"id": "c2", "name": "g", "args": {}}}]}}],
        "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 15,
            "thoughtsTokenCount": 5, "totalTokenCount": 120},
    });
    of_each(chat, responses, message, contents)
}

fn of_each(chat: Value, responses: Value, messages: Value, contents: Value) -> [(&'static dyn Protocol, Value); 4] {
    [
        (&openai_chat::PROTOCOL, chat),
        (&openai_responses::PROTOCOL, responses),
        (&anthropic::PROTOCOL, messages),
        (&gemini::PROTOCOL, contents),
    ]
}

fn read(protocol: &dyn Protocol, body: Value) -> Request {
    let request = protocol.read_request(body).unwrap().request;
    // Gemini names the model in its path.
    Request { model: "m".into(), ..request }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Part::ToolCall(ToolCall { id, name, arguments, extra: Map::new() })
}

fn reply(parts: Vec<Part>, stop: Stop) -> Reply {
    let usage = Usage { cached_input_tokens: 40, reasoning_tokens: 5, ..Usage::new(100, 20) };
    Reply {
        choices: vec![Choice { index: 0, parts, stop: Some(stop), extra: Map::new() }],
        usage: Some(UsageReport::told(usage)),
        id: Some("r1".into()),
        model: Some("m".into()),
        ..Reply::default()
    }
}

/// What a client of a protocol reads of events.
fn told(protocol: &dyn Protocol, events: &[Event]) -> Vec<Result<Event, ToldError>> {
    let mut writer = protocol.event_writer(WriterOptions { model: String::new(), include_usage: true });
    let mut frames: Vec<_> = events.iter().flat_map(|event| writer.write(event)).collect();
    frames.extend(writer.end());
    let (mut reader, mut out) = (protocol.event_reader(), Vec::new());
    frames.iter().for_each(|frame| reader.read(frame.name.unwrap_or_default(), &frame.data, &mut out));
    out
}

fn streamed(protocol: &dyn Protocol, reply: &Reply) -> Reply {
    let mut grown = Accumulator::default();
    told(protocol, &reply.events()).into_iter().for_each(|event| grown.push(&event.unwrap()).unwrap());
    grown.finish()
}

fn whole(protocol: &dyn Protocol, reply: &Reply) -> Reply {
    Reply { raw: Value::Null, ..protocol.read_reply(protocol.write_reply(reply)).unwrap() }
}

#[test]
fn a_request_of_each_becomes_the_same_request_of_each() {
    for (one, given) in asked() {
        for (next, expected) in asked() {
            let request = read(one, given.clone());
            let written = next.write_request(&request, false, &Quirks::default()).unwrap();
            assert_eq!(written, expected, "{} {}", one.name(), next.name());
        }
    }
}

#[test]
fn a_reply_of_each_becomes_the_same_reply_of_each() {
    let expected =
        reply(vec![Part::text("Let me look."), call("c1", "f", "{\"x\":1}"), call("c2", "g", "{}")], Stop::ToolCalls);
    for (one, given) in answered() {
        let read = Reply { raw: Value::Null, ..one.read_reply(given).unwrap() };
        assert_eq!(read, expected, "{}", one.name());
        for (next, _) in answered() {
            assert_eq!(whole(next, &read), expected, "{} {}", one.name(), next.name());
            assert_eq!(streamed(next, &streamed(one, &read)), expected, "{} {}", one.name(), next.name());
        }
    }
}

#[test]
fn each_kind_of_answer_is_the_same_whole_and_as_a_stream() {
    let thought = Part::Reasoning(Reasoning { text: "Scope 2 is bought.".into(), ..Reasoning::default() });
    let answers = [
        ("text", reply(vec![Part::text("1204 t")], Stop::End)),
        ("reasoning", reply(vec![thought.clone(), Part::text("1204 t")], Stop::End)),
        ("reasoning and a tool", reply(vec![thought, call("c1", "f", "{\"x\":1}")], Stop::ToolCalls)),
        ("tools alone", reply(vec![call("c1", "f", "{}"), call("c2", "f", "{\"x\":2}")], Stop::ToolCalls)),
        ("cut at its length", reply(vec![Part::text("12")], Stop::Length)),
        ("a word that is newer", reply(vec![Part::text("12")], Stop::Unknown("pause_turn".into()))),
    ];
    for (name, answer) in answers {
        for (one, _) in answered() {
            for (next, _) in answered() {
                let context = format!("{name}: {} {}", one.name(), next.name());
                assert_eq!(whole(next, &whole(one, &answer)), answer, "{context}");
                assert_eq!(streamed(next, &streamed(one, &answer)), answer, "{context}");
            }
        }
    }
}

#[test]
fn a_refusal_keeps_its_words_and_is_never_an_answer_that_can_serve_again() {
    let refused = reply(vec![Part::Refusal { text: "I cannot.".into() }], Stop::End);
    for (one, _) in answered() {
        for (next, _) in answered() {
            for read in [whole(next, &whole(one, &refused)), streamed(next, &streamed(one, &refused))] {
                assert_eq!(read.written().concat(), "I cannot.", "{} {}", one.name(), next.name());
                assert!(!read.is_cacheable(), "{} {}", one.name(), next.name());
            }
        }
    }
}

#[test]
fn an_error_in_a_stream_is_an_error_in_each() {
    let error = ProviderError {
        kind: ProviderErrorKind::RateLimited,
        provider: "acme".into(),
        message: "too many requests: wait".into(),
        status_code: Some(429),
        retry_after: None,
        request_id: None,
        is_retryable: true,
    };
    let events = [Event::Text { at: Place::default(), text: "12".into() }, Event::Error(Box::new(error))];
    for (protocol, _) in answered() {
        let mut read = told(protocol, &events);
        let last = read.pop().unwrap().unwrap_err();
        assert!(last.message.contains("too many requests: wait"), "{}: {}", protocol.name(), last.message);
        assert!(!last.is_malformed && read.iter().all(Result::is_ok), "{}", protocol.name());
    }
}

#[test]
fn thoughts_go_through_a_client_of_responses_and_come_back_with_their_proof() {
    let signed = Reasoning { text: "Bought.".into(), signature: Some("c2lnbmVk".into()), encrypted: None };
    let hidden = Reasoning { encrypted: Some("aGlkZGVu".into()), ..Reasoning::default() };
    let answer = reply(
        vec![Part::Reasoning(signed.clone()), Part::Reasoning(hidden.clone()), call("c1", "f", "{}")],
        Stop::ToolCalls,
    );
    let mut input = openai_responses::PROTOCOL.write_reply(&answer)["output"].clone();
    input.as_array_mut().unwrap().push(json!({"type": "function_call_output", "call_id": "c1", "output": "1204 t"}));
    let request = read(&openai_responses::PROTOCOL, json!({"model": "m", "input": input}));
    let written = anthropic::PROTOCOL.write_request(&request, false, &Quirks::default()).unwrap();
    let expected = json!([
        {"type": "thinking", "thinking": "Bought.", "signature": "c2lnbmVk"}, {"type": "redacted_thinking", "data": "aGlkZGVu"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {}}]);
    assert_eq!(written["messages"][0]["content"], expected);
    // OpenAI takes no thoughts but its own.
    let written = openai_responses::PROTOCOL.write_request(&request, false, &Quirks::default()).unwrap();
    assert_eq!(written["input"][0]["type"], "function_call");
}

#[test]
fn what_a_protocol_cannot_say_is_refused_with_its_name() {
    let request = |change: &dyn Fn(&mut Request)| {
        let mut request = Request::of_prompt("m", "How much?");
        change(&mut request);
        request
    };
    let extra =
        |name: &'static str, value: Value| request(&|request| drop(request.extra.insert(name.into(), value.clone())));
    let cases: [(&str, Request, &[&str]); 7] = [
        ("seed", request(&|request| request.sampling.seed = Some(1)), &["anthropic", "openai_responses"]),
        ("n", request(&|request| request.sampling.choices = Some(2)), &["anthropic", "openai_responses"]),
        ("stop", request(&|request| request.sampling.stop = vec!["x".into()]), &["openai_responses"]),
        ("top_k", request(&|request| request.sampling.top_k = Some(4)), &["openai_responses"]),
        ("logprobs", extra("logprobs", json!(true)), &["anthropic"]),
        ("logit_bias", extra("logit_bias", json!({"1": 5})), &["anthropic", "gemini", "openai_responses"]),
        ("previous_response_id", extra("previous_response_id", json!("r0")), &["anthropic", "gemini", "openai_chat"]),
    ];
    for (name, request, refusing) in cases {
        for (protocol, _) in asked() {
            let written = protocol.write_request(&request, false, &Quirks::default());
            match written {
                Ok(_) => assert!(!refusing.contains(&protocol.name()), "{name} {}", protocol.name()),
                Err(error) => {
                    assert!(refusing.contains(&protocol.name()), "{name} {}: {error}", protocol.name());
                    assert!(error.to_string().starts_with(&format!("{name} is given")), "{error}");
                }
            }
        }
    }
}
