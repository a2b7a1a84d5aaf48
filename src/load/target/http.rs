//! Any OpenAI-compatible server, by its URL.

use super::Target;
use crate::chat::{Accumulator, Event};
use crate::load::observation::{CacheKind, Observation};
use crate::load::request::LoadRequest;
use crate::provider::SseDecoder;
use crate::usage::UsageReport;
use crate::wire::{EventReader, Protocol, json, openai_chat};
use crate::{Error, Result};
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json as value_of};
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;
use tokio::time::Instant;

/// A body of more bytes than this is no answer, and a hundred of them at once would fill the memory.
const LARGEST: usize = 16 << 20;

/// How an OpenAI-compatible server is asked.
#[derive(Clone)]
pub struct HttpConfig {
    /// As in `http://127.0.0.1:8080/v1`.
    pub base_url: String,
    /// The bearer key; in no message.
    pub api_key: Option<String>,
    /// The model of requests that name none.
    pub model: String,
    /// Whether to stream, which is what shows the time to first token.
    pub stream: bool,
    /// Whether to ask for as many tokens as the workload says, as `max_tokens`.
    pub limit_tokens: bool,
    /// More headers.
    pub headers: BTreeMap<String, String>,
    /// When a connection or a reply is given up; the generator's own limit may be lower.
    pub timeout: Duration,
}

impl HttpConfig {
    /// A server at `base_url`, streaming, half a minute's patience.
    #[must_use]
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            model: model.into(),
            stream: true,
            limit_tokens: false,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// An OpenAI-compatible server.
///
/// A reply's `x-headrace-cache` and `x-headrace-cost-usd` are read where there are any; the request's tenant and
/// priority go along as `x-headrace-tenant` and `x-headrace-priority`.
pub struct HttpTarget {
    client: reqwest::Client,
    url: String,
    config: HttpConfig,
    headers: HeaderMap,
}

impl Debug for HttpTarget {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "HttpTarget({:?})", self.url)
    }
}

impl HttpTarget {
    /// A target; nothing is sent yet.
    ///
    /// # Errors
    /// The URL is not one of http or https, or a header cannot be sent.
    pub fn new(config: HttpConfig) -> Result<Self> {
        let base = config.base_url.trim_end_matches('/');
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(Error::Config(format!("the target is {base:?}: give a URL as http://127.0.0.1:8080/v1")));
        }
        let mut headers = HeaderMap::new();
        let unfit = |name: &str| Error::Config(format!("the header {name:?} has a name or value that cannot be sent"));
        for (name, value) in &config.headers {
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit(name))?;
            headers.insert(parsed, HeaderValue::from_str(value).map_err(|_| unfit(name))?);
        }
        if let Some(key) = &config.api_key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| unfit("authorization"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = reqwest::Client::builder()
            .timeout(config.timeout)
            .build()
            .map_err(|error| Error::Config(format!("no HTTP client: {error}")))?;
        Ok(Self { client, url: format!("{base}/chat/completions"), config, headers })
    }

    fn body(&self, request: &LoadRequest) -> Value {
        let messages: Vec<Value> =
            request.messages().map(|(role, content)| value_of!({"role": role, "content": content})).collect();
        let mut body = Map::new();
        body.insert("model".into(), value_of!(request.model.as_deref().unwrap_or(&self.config.model)));
        body.insert("messages".into(), Value::Array(messages));
        if self.config.limit_tokens && request.output_tokens > 0 {
            body.insert("max_tokens".into(), value_of!(request.output_tokens));
        }
        if self.config.stream {
            body.insert("stream".into(), value_of!(true));
            body.insert("stream_options".into(), value_of!({"include_usage": true}));
        }
        Value::Object(body)
    }

    async fn ask(&self, request: &LoadRequest, observation: &mut Observation) -> std::result::Result<(), &'static str> {
        let begun = Instant::now();
        let mut builder = self.client.post(&self.url).headers(self.headers.clone()).json(&self.body(request));
        builder = builder.header("x-headrace-priority", request.priority.name());
        // A tenant that no header can carry goes unsaid.
        if let Ok(tenant) = HeaderValue::from_str(&request.tenant) {
            builder = builder.header("x-headrace-tenant", tenant);
        }
        let reply = builder.send().await.map_err(|error| transport(&error))?;
        observation.status = Some(reply.status().as_u16());
        let header = |name: &str| reply.headers().get(name).and_then(|value| value.to_str().ok());
        observation.cache = header("x-headrace-cache").map(CacheKind::parse).unwrap_or_default();
        observation.cost = header("x-headrace-cost-usd").and_then(attodollars);
        if !reply.status().is_success() {
            // Read to its end, so that the connection can be used again.
            let _ = whole(reply).await;
            return Err("status");
        }
        let streamed = header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !streamed {
            let bytes = whole(reply).await?;
            let body = json::parse(&bytes).map_err(|_| "malformed")?;
            let reply = openai_chat::PROTOCOL.read_reply(body).map_err(|_| "malformed")?;
            observation.first_token = Some(begun.elapsed());
            observation.tokens = reply.usage.as_ref().map(counts);
            observation.text = Some(reply.text());
            return Ok(());
        }
        let mut stream = Streamed::new(begun);
        let (mut body, mut read) = (reply.bytes_stream(), 0);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| transport(&error))?;
            read += piece.len();
            if read > LARGEST {
                return Err("too_large");
            }
            stream.take(&piece, observation)?;
        }
        stream.end(observation)
    }
}

#[async_trait]
impl Target for HttpTarget {
    async fn send(&self, request: &LoadRequest) -> Observation {
        let mut observation = Observation::default();
        if let Err(kind) = self.ask(request, &mut observation).await {
            observation.error = Some(match (kind, observation.status) {
                ("status", Some(status)) => format!("http_{status}"),
                _ => kind.into(),
            });
        }
        observation
    }
}

/// The whole body, unless it is larger than any answer.
async fn whole(reply: reqwest::Response) -> std::result::Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    let mut body = reply.bytes_stream();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.map_err(|error| transport(&error))?);
        if bytes.len() > LARGEST {
            return Err("too_large");
        }
    }
    Ok(bytes)
}

fn transport(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else {
        "disconnect"
    }
}

/// A stream as far as it was read.
struct Streamed {
    begun: Instant,
    last: Option<Instant>,
    decoder: SseDecoder,
    reader: Box<dyn EventReader>,
    reply: Accumulator,
}

impl Streamed {
    fn new(begun: Instant) -> Self {
        let (decoder, reader) = (SseDecoder::new(LARGEST), openai_chat::PROTOCOL.event_reader());
        Self { begun, last: None, decoder, reader, reply: Accumulator::default() }
    }

    fn take(&mut self, bytes: &[u8], observation: &mut Observation) -> std::result::Result<(), &'static str> {
        self.decoder.feed(bytes).map_err(|_| "too_large")?;
        let mut told = Vec::new();
        while let Some(event) = self.decoder.next_event() {
            self.reader.read(&event.name, &event.data, &mut told);
        }
        for event in told {
            let event = event.map_err(|error| if error.is_malformed { "malformed" } else { "stream_error" })?;
            if says_something(&event) {
                let now = Instant::now();
                match self.last {
                    None => observation.first_token = Some(now - self.begun),
                    Some(last) => observation.token_gaps.push(now - last),
                }
                self.last = Some(now);
            }
            self.reply.push(&event).map_err(|_| "stream_error")?;
        }
        Ok(())
    }

    fn end(self, observation: &mut Observation) -> std::result::Result<(), &'static str> {
        let is_whole = self.reader.is_done() || self.reply.is_stopped();
        let reply = self.reply.finish();
        observation.tokens = reply.usage.as_ref().map(counts);
        observation.text = Some(reply.text());
        if is_whole { Ok(()) } else { Err("truncated") }
    }
}

/// Whether an event is a token: words, thoughts, a refusal or a tool call.
fn says_something(event: &Event) -> bool {
    match event {
        Event::Text { text, .. } | Event::Reasoning { text, .. } | Event::Refusal { text, .. } => !text.is_empty(),
        Event::ToolCallStart { .. } | Event::ToolCallDelta { .. } | Event::Part { .. } => true,
        _ => false,
    }
}

/// Input, output and cached input.
fn counts(report: &UsageReport) -> (u64, u64, u64) {
    let usage = report.usage;
    (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)
}

/// A decimal number of dollars as attodollars, exact; `None` where it is no such number or has more digits.
fn attodollars(text: &str) -> Option<i128> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 18 || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<18}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_read_exactly() {
        assert_eq!(attodollars("0.000123"), Some(123_000_000_000_000));
        assert_eq!(attodollars("2"), Some(2_000_000_000_000_000_000));
        assert_eq!(attodollars("0.000000000000000001"), Some(1));
        for bad in ["", "x", "-1", "1e-3", "0.0000000000000000001"] {
            assert_eq!(attodollars(bad), None);
        }
    }

    #[test]
    fn the_first_token_may_be_a_thought_or_a_tool_call() {
        let thought = r#"{"reasoning_content":"hm"}"#;
        let call = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"look","arguments":""}}]}"#;
        let refusal = r#"{"refusal":"no"}"#;
        for delta in [thought, call, refusal] {
            let (mut observation, mut stream) = (Observation::default(), Streamed::new(Instant::now()));
            let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
            stream.take(event.as_bytes(), &mut observation).unwrap();
            assert!(observation.first_token.is_some(), "{delta}");
            assert_eq!(stream.end(&mut observation), Err("truncated"));
        }
    }

    #[test]
    fn the_key_is_in_no_text() {
        let mut config = HttpConfig::new("http://127.0.0.1:1/v1", "m");
        config.api_key = Some("sk-secret".into());
        assert!(!format!("{:?}", HttpTarget::new(config).unwrap()).contains("secret"));
        assert!(HttpTarget::new(HttpConfig::new("localhost", "m")).is_err());
    }
}
