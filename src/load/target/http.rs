//! Any OpenAI-compatible server, by its URL.

use super::Target;
use crate::load::observation::{CacheKind, Observation};
use crate::load::request::LoadRequest;
use crate::{Error, Result};
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
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
            request.messages().map(|(role, content)| json!({"role": role, "content": content})).collect();
        let mut body = Map::new();
        body.insert("model".into(), json!(request.model.as_deref().unwrap_or(&self.config.model)));
        body.insert("messages".into(), Value::Array(messages));
        if self.config.limit_tokens && request.output_tokens > 0 {
            body.insert("max_tokens".into(), json!(request.output_tokens));
        }
        if self.config.stream {
            body.insert("stream".into(), json!(true));
            body.insert("stream_options".into(), json!({"include_usage": true}));
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
            let value: Value = serde_json::from_slice(&bytes).map_err(|_| "malformed")?;
            observation.first_token = Some(begun.elapsed());
            observation.tokens = usage(&value);
            let text = value.pointer("/choices/0/message/content").and_then(Value::as_str);
            observation.text = Some(text.ok_or("malformed")?.to_owned());
            return Ok(());
        }
        let (mut events, mut read) = (Events::default(), 0);
        let mut body = reply.bytes_stream();
        let mut stream = Streamed { begun, last: None, text: String::new(), finished: false };
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| transport(&error))?;
            read += piece.len();
            if read > LARGEST {
                return Err("too_large");
            }
            events.buffer.extend_from_slice(&piece);
            for line in events.by_ref() {
                stream.take(&line, observation)?;
            }
        }
        observation.text = Some(stream.text);
        if stream.finished { Ok(()) } else { Err("truncated") }
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
    text: String,
    finished: bool,
}

impl Streamed {
    fn take(&mut self, line: &str, observation: &mut Observation) -> std::result::Result<(), &'static str> {
        let Some(data) = line.strip_prefix("data:").map(str::trim) else { return Ok(()) };
        if data == "[DONE]" {
            self.finished = true;
            return Ok(());
        }
        let value: Value = serde_json::from_str(data).map_err(|_| "malformed")?;
        if value.get("error").is_some() {
            return Err("stream_error");
        }
        observation.tokens = usage(&value).or(observation.tokens);
        let content = value.pointer("/choices/0/delta/content").and_then(Value::as_str).unwrap_or_default();
        if !content.is_empty() {
            let now = Instant::now();
            match self.last {
                None => observation.first_token = Some(now - self.begun),
                Some(last) => observation.token_gaps.push(now - last),
            }
            self.last = Some(now);
            self.text.push_str(content);
        }
        Ok(())
    }
}

/// Lines of a body that comes in pieces.
#[derive(Default)]
struct Events {
    buffer: Vec<u8>,
}

impl Iterator for Events {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|&byte| byte == b'\n')?;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

fn usage(value: &Value) -> Option<(u64, u64, u64)> {
    let usage = value.get("usage")?;
    let cached = usage.pointer("/prompt_tokens_details/cached_tokens").and_then(Value::as_u64).unwrap_or(0);
    Some((usage.get("prompt_tokens")?.as_u64()?, usage.get("completion_tokens")?.as_u64()?, cached))
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
    fn lines_are_put_together_from_pieces() {
        let mut events = Events::default();
        let mut lines = Vec::new();
        for piece in ["da", "ta: a\r\n\nda", "ta: é\n"] {
            events.buffer.extend_from_slice(piece.as_bytes());
            lines.extend(events.by_ref());
        }
        assert_eq!(lines, ["data: a", "", "data: é"]);
    }

    #[test]
    fn the_key_is_in_no_text() {
        let mut config = HttpConfig::new("http://127.0.0.1:1/v1", "m");
        config.api_key = Some("sk-secret".into());
        assert!(!format!("{:?}", HttpTarget::new(config).unwrap()).contains("secret"));
        assert!(HttpTarget::new(HttpConfig::new("localhost", "m")).is_err());
    }
}
