//! A provider that misbehaves, over raw sockets: what it sends is written out byte by byte, and no server of ours is between.

#![allow(clippy::unwrap_used, reason = "what helps tests may fail as they do")]

use base64::Engine as _;
use futures_util::StreamExt;
use headrace::chat::{Accumulator, Event, Request, Stop};
use headrace::provider::{
    Answer, Authentication, BreakerConfig, BreakerState, Guarded, HttpProvider, HttpProviderConfig, Provider, Secret,
};
use headrace::{Error, ProviderError, ProviderErrorKind, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const KEY: &str = "sk-canary/7f3Kq+\"Zw9Lm&2";

/// Answers each connection with the next of `replies`, and the last one ever after. What was asked is kept.
async fn serve(replies: Vec<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = read_request(&mut socket).await;
            kept.lock().push(request);
            // The client may leave before all is written.
            let _ = socket.write_all(&replies[number.min(replies.len() - 1)]).await;
            let _ = socket.shutdown().await;
        }
    });
    (format!("http://{address}/v1"), asked)
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = socket.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let length =
            text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        let is_whole = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0));
        if count == 0 || is_whole {
            return text.into_owned();
        }
    }
}

/// A reply with `connection: close` and no length: its body ends where the connection does.
fn reply(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn stream(body: &str) -> Vec<u8> {
    reply(200, "content-type: text/event-stream\r\n", body.as_bytes())
}

fn config(url: &str) -> HttpProviderConfig {
    HttpProviderConfig::new("raw", url, Some(KEY))
}

fn provider(url: &str) -> HttpProvider {
    HttpProvider::new(config(url)).unwrap()
}

fn question() -> Request {
    Request::of_prompt("m", "What were scope 2 emissions?")
}

async fn ask(provider: &HttpProvider) -> Result<String> {
    match provider.chat(&question(), false).await? {
        Answer::Whole(reply) => Ok(reply.text()),
        Answer::Stream(_) => panic!("a stream that was not asked for"),
    }
}

async fn ask_stream(provider: &HttpProvider) -> Result<Vec<Event>> {
    match provider.chat(&question(), true).await? {
        Answer::Stream(events) => Ok(events.collect().await),
        Answer::Whole(_) => panic!("no stream"),
    }
}

/// The text of a stream, and the error that ended it.
async fn stream_of(bytes: Vec<u8>) -> (String, Option<ProviderError>) {
    let (url, _) = serve(vec![bytes]).await;
    read_events(ask_stream(&provider(&url)).await.unwrap())
}

fn read_events(events: Vec<Event>) -> (String, Option<ProviderError>) {
    let mut reply = Accumulator::default();
    let mut error = None;
    for event in events {
        assert!(error.is_none(), "{event:?} after an error");
        match event {
            Event::Error(told) => error = Some(*told),
            event => reply.push(&event).unwrap(),
        }
    }
    (reply.finish().text(), error)
}

fn provider_error<T: std::fmt::Debug>(result: Result<T>) -> ProviderError {
    match result {
        Err(Error::Provider(error)) => *error,
        other => panic!("{other:?} is no error of a provider"),
    }
}

const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"1,204 t\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const WHOLE: &str = "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"1,204 t\"},\"finish_reason\":\"stop\"}]}";

#[tokio::test]
async fn an_error_in_a_stream_is_an_error_with_the_providers_words() {
    let told = [
        "data: {\"error\":{\"message\":\"gone\"}}\n\n",
        "event: error\ndata: {\"error\":{\"message\":\"gone\"}}\n\n",
        "event: error\ndata: {\"message\":\"gone\"}\n\n",
        "event: error\ndata: gone\n\n",
        "data: {\"error\":\"gone\"}\n\n",
        "data: {\"choices\":[],\"error\":{\"message\":\"gone\",\"code\":502}}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\",\"error\":{\"message\":\"gone\"}}]}\n\n",
    ];
    for told in told {
        for rest in [DONE, "", STOP] {
            let (text, error) = stream_of(stream(&format!("{TEXT}{told}{rest}"))).await;
            let error = error.unwrap_or_else(|| panic!("no error of {told}"));
            assert_eq!(text, "1,204 t", "{told}");
            assert!(error.message.contains("gone"), "{told}: {error}");
            assert!(error.is_retryable && error.kind == ProviderErrorKind::Unavailable, "{told}: {error:?}");
        }
    }
}

#[tokio::test]
async fn the_kind_of_an_error_in_a_stream_is_known() {
    let cases = [
        ("{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}", ProviderErrorKind::RateLimited),
        ("{\"error\":{\"message\":\"busy\",\"code\":429}}", ProviderErrorKind::RateLimited),
        ("{\"error\":{\"message\":\"no\",\"type\":\"authentication_error\"}}", ProviderErrorKind::Authentication),
        ("{\"error\":{\"message\":\"long\",\"code\":\"context_length_exceeded\"}}", ProviderErrorKind::ContextLength),
        ("{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}", ProviderErrorKind::Billing),
        ("{\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}", ProviderErrorKind::Unavailable),
    ];
    for (told, kind) in cases {
        let (_, error) = stream_of(stream(&format!("{TEXT}data: {told}\n\n{DONE}"))).await;
        assert_eq!(error.unwrap().kind, kind, "{told}");
    }
}

#[tokio::test]
async fn a_stream_is_whole_where_it_said_why_it_stopped() {
    let half = "data: {\"choices\":[{\"ind";
    for (body, is_whole) in [
        (format!("{TEXT}{STOP}{DONE}"), true),
        (format!("{TEXT}{STOP}"), true),
        (format!("{TEXT}{}", STOP.trim_end()), true),
        (format!("{TEXT}{STOP}{half}"), true),
        (format!("{TEXT}{DONE}"), false),
        (TEXT.to_owned(), false),
        (format!("{TEXT}{half}"), false),
        (format!("{TEXT}{}", TEXT.trim_end()), false),
        (DONE.to_owned(), false),
        (String::new(), false),
        (": keep-alive\n\n".to_owned(), false),
    ] {
        let (_, error) = stream_of(stream(&body)).await;
        assert_eq!(error.is_none(), is_whole, "{body:?}: {error:?}");
        if let Some(error) = error {
            assert!(error.is_retryable && error.kind == ProviderErrorKind::Unavailable, "{body:?}: {error:?}");
        }
    }
    // Two answers, of which one is whole.
    let second = TEXT.replace("\"index\":0", "\"index\":1");
    let (_, error) = stream_of(stream(&format!("{TEXT}{second}{STOP}"))).await;
    assert!(error.unwrap().message.contains("before it was whole"));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_reason_to_stop_breaks_nothing() {
    let broken = |body: &str| {
        let chunk = format!("{:x}\r\n{body}\r\n", body.len());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{chunk}40\r\nda").into_bytes()
    };
    let (text, error) = stream_of(broken(&format!("{TEXT}{STOP}"))).await;
    assert_eq!((text.as_str(), error.is_none()), ("1,204 t", true), "{error:?}");
    let (_, error) = stream_of(broken(TEXT)).await;
    assert!(error.unwrap().is_retryable);
}

#[tokio::test]
async fn bytes_are_read_as_they_are_meant() {
    let streams = [
        format!("\u{feff}{TEXT}{STOP}{DONE}"),
        format!("{TEXT}{STOP}{DONE}").replace('\n', "\r"),
        format!("{TEXT}{STOP}{DONE}").replace('\n', "\r\n"),
        format!(": comment\n\nretry: 5\nid: 1\n{TEXT}data:\n\n{STOP}{DONE}"),
        format!("{TEXT}{STOP}{DONE}").replace("data: ", "data:"),
    ];
    for body in streams {
        let (text, error) = stream_of(stream(&body)).await;
        assert_eq!((text.as_str(), error.map(|error| error.message)), ("1,204 t", None), "{body:?}");
    }
    for (body, expected) in [
        (format!("\u{feff}{WHOLE}"), "1,204 t"),
        (format!("\r\n\r\n  {WHOLE}\r\r"), "1,204 t"),
        (WHOLE.replace("1,204 t", "1,204 t\\ud83d"), "1,204 t\u{fffd}"),
        (WHOLE.replace("1,204 t", "1,204\rt"), "1,204\rt"),
    ] {
        let (url, _) = serve(vec![reply(200, "content-type: application/json\r\n", body.as_bytes())]).await;
        assert_eq!(ask(&provider(&url)).await.unwrap(), expected, "{body:?}");
    }
}

#[tokio::test]
async fn a_whole_reply_to_a_stream_is_told_as_events() {
    let (text, error) = stream_of(reply(200, "content-type: application/json\r\n", WHOLE.as_bytes())).await;
    assert_eq!((text.as_str(), error.is_none()), ("1,204 t", true));
    let told = "{\"error\":{\"message\":\"gone\"}}";
    let (_, error) = stream_of(reply(200, "content-type: application/json\r\n", told.as_bytes())).await;
    assert!(error.unwrap().message.contains("gone"));
    let (_, error) = stream_of(reply(200, "content-type: text/html\r\n", b"<html>Welcome</html>")).await;
    assert!(error.unwrap().message.contains("Welcome"));
}

#[tokio::test]
async fn a_200_that_is_no_answer_is_an_error() {
    for (body, words) in [
        ("{\"error\":{\"message\":\"model is loading\"}}", "model is loading"),
        ("{\"error\":\"model is loading\"}", "model is loading"),
        ("{\"choices\":[]}", "not what the API promises"),
        ("[]", "not what the API promises"),
        ("<html>Welcome</html>", "Welcome"),
        ("", "not what the API promises"),
        ("{\"choices\":[{\"index\":0,\"message\":{\"content\":\"1\"},\"finish_reason\":\"error\"}]}", "error"),
    ] {
        let (url, _) = serve(vec![reply(200, "", body.as_bytes())]).await;
        let error = provider_error(ask(&provider(&url)).await);
        assert!(error.message.contains(words), "{body}: {error}");
        assert!(error.is_retryable && error.kind == ProviderErrorKind::Unavailable, "{body}: {error:?}");
    }
}

#[tokio::test]
async fn compressed_bodies_are_read() {
    let gzip = gzip(WHOLE.as_bytes());
    let (url, asked) = serve(vec![reply(200, "content-encoding: gzip\r\n", &gzip)]).await;
    assert_eq!(ask(&provider(&url)).await.unwrap(), "1,204 t");
    let accepted = asked.lock()[0].to_lowercase();
    for coding in ["gzip", "br", "deflate"] {
        let line = accepted.lines().find(|line| line.starts_with("accept-encoding:")).unwrap();
        assert!(line.contains(coding), "{line}");
    }
    let (url, _) = serve(vec![reply(200, "content-encoding: gzip\r\n", b"no gzip")]).await;
    assert!(provider_error(ask(&provider(&url)).await).is_retryable);
}

/// One stored block a piece (RFC 1951, 3.2.4): nothing is compressed, and no crate is needed.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let length = u16::try_from(bytes.len()).unwrap();
    out.extend_from_slice(&[1]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    out.extend_from_slice(&u32::from(length).to_le_bytes());
    out
}

/// A server that sends without end, until the client leaves.
async fn serve_without_end(head: &'static str, piece: &'static [u8]) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(Mutex::new(0));
    let count = Arc::clone(&sent);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(head.as_bytes()).await.unwrap();
        while socket.write_all(piece).await.is_ok() {
            *count.lock() += piece.len();
        }
    });
    (format!("http://{address}/v1"), sent)
}

#[tokio::test]
async fn no_body_is_read_without_bound() {
    const MANY: &[u8] = &[b'x'; 1 << 16];
    const HEAD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let bounded =
        |url: &str| HttpProvider::new(HttpProviderConfig { max_reply_bytes: 1 << 20, ..config(url) }).unwrap();
    let (url, _) = serve_without_end(HEAD, MANY).await;
    let error = provider_error(ask(&bounded(&url)).await);
    assert!(error.message.contains("1048576 bytes") && !error.is_retryable, "{error}");
    // One line without end.
    let (url, _) = serve_without_end(HEAD, MANY).await;
    let (_, error) = read_events(ask_stream(&bounded(&url)).await.unwrap());
    assert!(error.unwrap().message.contains("1048576 bytes"));
    // Events without end.
    let (url, _) = serve_without_end(HEAD, TEXT.as_bytes()).await;
    let (_, error) = read_events(ask_stream(&bounded(&url)).await.unwrap());
    assert!(error.unwrap().message.contains("bytes"));
    // An error's body without end: what was read of it is told.
    let (url, _) = serve_without_end("HTTP/1.1 500 Oh\r\nconnection: close\r\n\r\n", MANY).await;
    let error = provider_error(ask(&bounded(&url)).await);
    assert_eq!(error.status_code, Some(500));
    assert!(error.message.len() < 1000, "{}", error.message.len());
    // An announced length beyond the bound is not waited for.
    let (url, _) = serve(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_vec()]).await;
    assert!(provider_error(ask(&bounded(&url)).await).message.contains("1048576 bytes"));
}

#[tokio::test]
async fn one_line_of_forty_megabytes_is_an_answer() {
    let long = "x".repeat(40 << 20);
    let (text, error) = stream_of(stream(&format!("{}{STOP}{DONE}", TEXT.replace("1,204 t", &long)))).await;
    assert_eq!((text.len(), error.is_none()), (40 << 20, true));
}

#[tokio::test]
async fn a_parameter_that_is_refused_is_left_out_once_and_for_all() {
    let refused = "{\"error\":{\"message\":\"Unrecognized request argument supplied: stream_options\"}}";
    let answer = stream(&format!("{TEXT}{STOP}{DONE}"));
    let (url, asked) = serve(vec![reply(400, "", refused.as_bytes()), answer]).await;
    let provider = provider(&url);
    for _ in 0..2 {
        let (text, error) = read_events(ask_stream(&provider).await.unwrap());
        assert_eq!((text.as_str(), error.is_none()), ("1,204 t", true));
    }
    let with: Vec<_> = asked.lock().iter().map(|request| request.contains("stream_options")).collect();
    assert_eq!(with, [true, false, false]);
}

#[tokio::test]
async fn the_name_of_the_limit_on_tokens_is_learned() {
    let refused = "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.\"}}";
    let (url, asked) = serve(vec![reply(400, "", refused.as_bytes()), reply(200, "", WHOLE.as_bytes())]).await;
    let provider = provider(&url);
    let mut request = question();
    request.limits.max_output_tokens = Some(77);
    for _ in 0..2 {
        provider.chat(&request, false).await.unwrap();
    }
    let with: Vec<_> = asked.lock().iter().map(|request| request.contains("\"max_completion_tokens\":77")).collect();
    assert_eq!(with, [false, true, true]);
}

#[tokio::test]
async fn a_server_that_refuses_whatever_is_asked_is_asked_no_more_than_thrice() {
    let refused = "{\"error\":{\"message\":\"stream_options, max_tokens: use max_completion_tokens; unsupported\"}}";
    let (url, asked) = serve(vec![reply(400, "", refused.as_bytes())]).await;
    let mut request = question();
    request.limits.max_output_tokens = Some(77);
    provider_error(provider(&url).chat(&request, true).await);
    assert!(asked.lock().len() <= 3);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (elsewhere, asked) = serve(vec![reply(200, "", WHOLE.as_bytes())]).await;
        let host = elsewhere.trim_start_matches("http://");
        let location = format!("location: http://user:{KEY}@{host}/chat?key={KEY}#{KEY}\r\n");
        let (url, _) = serve(vec![reply(status, &location, b"")]).await;
        for stream in [false, true] {
            let error = provider_error(provider(&url).chat(&question(), stream).await);
            assert_eq!((error.status_code, error.is_retryable), (Some(status), false));
            assert!(error.message.contains(&format!("{host}/chat")), "{error}");
            assert!(error.message.contains("base_url") && !error.message.contains("canary"), "{error}");
        }
        assert!(asked.lock().is_empty());
    }
}

/// The key in the forms that servers echo it in.
fn echoes() -> Vec<String> {
    let json = serde_json::to_string(KEY).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD;
    vec![
        KEY.to_owned(),
        format!("Bearer {KEY}"),
        json.trim_matches('"').to_owned(),
        json.trim_matches('"').replace('/', "\\/"),
        KEY.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        base64.encode(KEY),
        base64.encode(format!("user:{KEY}")),
        KEY[3..14].to_owned(),
        KEY.to_uppercase(),
    ]
}

/// That no eight characters of an echo are in what is told.
fn assert_hidden(told: &str, echo: &str) {
    let (told, echo) = (told.to_lowercase(), echo.to_lowercase());
    let secret = echo.trim_start_matches("bearer ");
    for from in 0..secret.len().saturating_sub(7) {
        assert!(!told.contains(&secret[from..from + 8]), "{:?} in {told}", &secret[from..from + 8]);
    }
}

#[tokio::test]
async fn the_key_is_in_no_error_wherever_a_server_echoes_it() {
    for echo in echoes() {
        let inner = serde_json::to_string(&echo).unwrap();
        let inner = inner.trim_matches('"');
        let id = format!("x-request-id: {}\r\nretry-after: {}\r\n", echo.replace('"', "'"), echo.replace('"', "'"));
        let replies = [
            reply(
                401,
                &id,
                format!("{{\"error\":{{\"message\":\"bad key {inner}\",\"code\":\"{inner}\",\"type\":\"{inner}\"}}}}")
                    .as_bytes(),
            ),
            reply(400, &id, echo.as_bytes()),
            reply(500, &id, format!("{}{echo}", " ".repeat(290)).as_bytes()),
            reply(500, &id, format!("{{\"detail\":\"{inner}\"}}").as_bytes()),
            reply(200, &id, echo.as_bytes()),
            reply(200, &id, format!("{{\"error\":{{\"message\":\"{inner}\"}}}}").as_bytes()),
            reply(200, &id, format!("data: {echo}\n\n").as_bytes()),
            reply(200, &id, format!("{TEXT}data: {echo}\n\n").as_bytes()),
            reply(200, &id, format!("{TEXT}event: error\ndata: {echo}\n\n").as_bytes()),
            reply(
                200,
                &id,
                format!("{TEXT}event: {echo}\ndata: {{\"error\":{{\"code\":\"{inner}\"}}}}\n\n").as_bytes(),
            ),
            reply(307, &format!("location: /{echo}\r\n{id}"), b""),
        ];
        for bytes in replies {
            let (url, _) = serve(vec![bytes.clone()]).await;
            let provider = provider(&url);
            let mut errors = vec![];
            if let Err(error) = ask(&provider).await {
                errors.push(error);
            }
            match ask_stream(&provider).await {
                Err(error) => errors.push(error),
                Ok(events) => errors.extend(read_events(events).1.map(Error::from)),
            }
            if let Err(error) = provider.embed("m", &["text".to_owned()]).await {
                errors.push(error);
            }
            assert!(errors.len() >= 2, "{}", String::from_utf8_lossy(&bytes));
            for error in errors {
                assert_hidden(&format!("{error} {error:?}"), &echo);
            }
        }
    }
}

#[tokio::test]
async fn the_key_is_sent_and_shown_nowhere() {
    let (url, asked) = serve(vec![reply(200, "", WHOLE.as_bytes())]).await;
    let mut config = config(&url);
    config.headers =
        vec![("X-Team-Token".into(), Secret::new("tt-99xyz-4711")), ("OpenAI-Project".into(), Secret::new("proj_1"))];
    let provider = HttpProvider::new(config).unwrap();
    ask(&provider).await.unwrap();
    let request = asked.lock()[0].clone();
    assert!(request.contains(&format!("authorization: Bearer {KEY}")), "{request}");
    assert!(request.contains("x-team-token: tt-99xyz-4711") && request.contains("openai-project: proj_1"), "{request}");
    let shown = format!("{provider:?} {:?}", provider.config());
    assert_hidden(&shown, KEY);
    assert_hidden(&shown, "tt-99xyz-4711");
    // A header of the caller's is a secret too.
    let (url, _) = serve(vec![reply(400, "", b"what is tt-99xyz-4711?")]).await;
    let mut config = HttpProviderConfig::new("raw", &url, None);
    config.headers = vec![("X-Team-Token".into(), Secret::new("tt-99xyz-4711"))];
    assert_hidden(&provider_error(ask(&HttpProvider::new(config).unwrap()).await).message, "tt-99xyz-4711");
}

#[tokio::test]
async fn the_key_is_sent_the_way_the_provider_wants_it() {
    let (url, asked) = serve(vec![reply(200, "", WHOLE.as_bytes())]).await;
    let config = HttpProviderConfig { authentication: Authentication::Header("X-Api-Key".into()), ..config(&url) };
    ask(&HttpProvider::new(config).unwrap()).await.unwrap();
    let request = asked.lock()[0].clone();
    assert!(request.contains(&format!("x-api-key: {KEY}")) && !request.contains("authorization"), "{request}");
    // The caller's header goes before the provider's own.
    let mut config = self::config(&url);
    config.headers = vec![("Authorization".into(), Secret::new("Basic dXNlcjpwYXNz"))];
    ask(&HttpProvider::new(config).unwrap()).await.unwrap();
    let request = asked.lock()[1].clone();
    assert!(request.contains("authorization: Basic dXNlcjpwYXNz") && !request.contains("Bearer"), "{request}");
}

#[test]
fn what_cannot_be_sent_is_refused_at_once_and_not_shown() {
    let url = "http://127.0.0.1:9/v1";
    let with_key = |key: &str| HttpProviderConfig::new("raw", url, Some(key));
    let with_header = |name: &str, value: &str| HttpProviderConfig {
        headers: vec![(name.to_owned(), Secret::new(value))],
        ..HttpProviderConfig::new("raw", url, None)
    };
    let refused = [
        with_key("sk-canary-one\nsk-canary-two"),
        with_key("sk-canary-one\r\nx-header: sk-canary-two"),
        with_key("sk-canary\u{0}one"),
        with_key("sk-canary\tone"),
        with_key("sk-canary\u{e9}one"),
        with_key("sk-canary\u{2028}one"),
        with_header("x-token", "sk-canary\none"),
        with_header("x token", "sk-canary"),
        with_header("", "sk-canary"),
        with_header("Content-Length", "3"),
        with_header("Transfer-Encoding", "chunked"),
        HttpProviderConfig::new("raw", "https://user:sk-canary@host/v1", None),
        HttpProviderConfig::new("raw", "https://sk-canary@host/v1", None),
        HttpProviderConfig::new("raw", "https://host/v1?key=sk-canary", None),
        HttpProviderConfig::new("raw", "https://host/v1?api_key=sk-canary", None),
        HttpProviderConfig::new("raw", "https://host/v1?access_token=sk-canary", None),
        HttpProviderConfig::new("raw", "https://host/v1#sk-canary", None),
        HttpProviderConfig::new("raw", "user:sk-canary@host/v1", None),
        HttpProviderConfig::new("raw", "sk-canary@host", None),
        HttpProviderConfig::new("raw", "host?key=sk-canary", None),
        HttpProviderConfig::new("raw", "sk-canary-12345", Some("sk-canary-12345")),
        HttpProviderConfig::new("raw", "ftp://host/v1", None),
        HttpProviderConfig::new("raw", "", None),
    ];
    for config in refused {
        let error = HttpProvider::new(config).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    // Blanks around a key are cut: a file ends with a line break.
    HttpProvider::new(with_key("  sk-canary\n")).unwrap();
}

#[tokio::test]
async fn a_query_of_the_address_is_kept_and_not_shown() {
    let (url, asked) = serve(vec![reply(400, "", b"no")]).await;
    let provider = HttpProvider::new(config(&format!("{url}?api-version=2026-01-01&x=sk-other-9876"))).unwrap();
    let error = provider_error(ask(&provider).await);
    assert!(asked.lock()[0].starts_with("POST /v1/chat/completions?api-version=2026-01-01&x=sk-other-9876 "));
    assert_hidden(&format!("{error} {} {provider:?}", provider.base_url()), "sk-other-9876");
}

#[tokio::test]
async fn a_network_that_is_down_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = provider_error(ask(&provider(&format!("http://{address}/v1"))).await);
    assert!(error.message.contains("cannot be reached") && error.is_retryable, "{error}");
    let (url, _) = serve(vec![Vec::new()]).await;
    assert!(provider_error(ask(&provider(&url)).await).message.contains("broke the connection off"));
}

#[tokio::test]
async fn embeddings_belong_to_their_texts() {
    let body = |indexes: [i64; 3]| {
        let rows: Vec<_> =
            indexes.iter().map(|index| format!("{{\"index\":{index},\"embedding\":[{index}.0]}}")).collect();
        format!("{{\"data\":[{}],\"usage\":{{\"prompt_tokens\":6,\"total_tokens\":6}}}}", rows.join(","))
    };
    let texts = ["a", "b", "c"].map(str::to_owned);
    let (url, _) = serve(vec![reply(200, "", body([2, 0, 1]).as_bytes())]).await;
    let reply_of = provider(&url).embed("m", &texts).await.unwrap();
    assert_eq!(reply_of.vectors, [[0.0], [1.0], [2.0]]);
    assert_eq!(reply_of.usage.unwrap().usage.input_tokens, 6);
    for wrong in [[0, 0, 1], [1, 2, 3], [0, 1, 1], [-1, 0, 1]] {
        let (url, _) = serve(vec![reply(200, "", body(wrong).as_bytes())]).await;
        let error = provider_error(provider(&url).embed("m", &texts).await);
        assert!(error.message.contains("not what the API promises"), "{wrong:?}: {error}");
    }
    let (url, _) = serve(vec![reply(200, "", b"{\"error\":{\"message\":\"no such model\"}}")]).await;
    assert!(provider_error(provider(&url).embed("m", &texts).await).message.contains("no such model"));
}

fn guarded(url: &str) -> Guarded {
    let breaker = BreakerConfig { failures: 2, open_for: Duration::from_hours(1) };
    Guarded::new(Arc::new(provider(url)), breaker)
}

async fn events(guarded: &Guarded) -> headrace::provider::EventStream {
    match guarded.chat(&question(), true).await.unwrap() {
        Answer::Stream(events) => events,
        Answer::Whole(_) => panic!("no stream"),
    }
}

#[tokio::test]
async fn who_leaves_is_not_who_failed() {
    // A server that takes the request and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let guarded_silent = guarded(&format!("http://{}/v1", listener.local_addr().unwrap()));
    for _ in 0..10 {
        let request = question();
        let mut call = Box::pin(guarded_silent.chat(&request, false));
        let (mut socket, _) = tokio::select! {
            _ = &mut call => panic!("an answer of nobody"),
            accepted = async {
                let (mut socket, address) = listener.accept().await.unwrap();
                read_request(&mut socket).await;
                (socket, address)
            } => accepted,
        };
        drop(call);
        let _ = socket.shutdown().await;
    }
    assert_eq!(guarded_silent.breaker_state(), BreakerState::Closed);
    // A stream that is left in the middle.
    let (url, _) = serve(vec![stream(&format!("{TEXT}{TEXT}{STOP}{DONE}"))]).await;
    let guarded_well = guarded(&url);
    for _ in 0..10 {
        assert!(events(&guarded_well).await.next().await.is_some());
    }
    assert_eq!(guarded_well.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_stream_that_fails_in_the_middle_counts() {
    let (url, _) = serve(vec![stream(TEXT)]).await;
    let guarded = guarded(&url);
    for _ in 0..2 {
        let (_, error) = read_events(events(&guarded).await.collect().await);
        assert!(error.is_some());
    }
    assert_eq!(guarded.breaker_state_of("m"), BreakerState::Open);
    let error = provider_error(guarded.chat(&question(), true).await);
    assert!(error.message.contains("left alone") && error.retry_after.is_some(), "{error}");
    // Another model of the same provider is asked.
    assert_eq!(guarded.breaker_state_of("other"), BreakerState::Closed);
    let mut other = question();
    other.model = "other".into();
    assert!(guarded.chat(&other, true).await.is_ok());
}

#[tokio::test]
async fn a_refusal_is_a_sign_of_life() {
    let (url, _) = serve(vec![reply(429, "retry-after: 3\r\n", b"{}")]).await;
    let guarded = guarded(&url);
    for _ in 0..5 {
        let error = provider_error(guarded.chat(&question(), false).await);
        assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
    }
    assert_eq!(guarded.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_stream_tells_why_it_stopped() {
    let (url, _) = serve(vec![stream(&format!("{TEXT}{STOP}{DONE}"))]).await;
    let told = ask_stream(&provider(&url)).await.unwrap();
    assert!(matches!(told.last(), Some(Event::Stop { stop: Stop::End, .. })), "{told:?}");
}
