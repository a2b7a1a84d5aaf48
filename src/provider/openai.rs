//! Every provider that speaks OpenAI's API: OpenAI, DeepSeek, and any server at a URL.

use super::failure::{malformed, of_status, of_transport, unavailable};
use super::{ChatRequest, ChatResponse, ChunkStream, EmbedResponse, Provider, Secret, sse};
use crate::usage::Usage;
use crate::{Error, Result};
use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;

/// Where a provider is and how it is asked.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    /// The name before the slash of its models.
    pub name: String,
    /// The URL before `/chat/completions`.
    pub base_url: String,
    /// Its key; a local server needs none.
    pub api_key: Option<Secret>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the provider may send nothing.
    pub read_timeout: Duration,
}

impl OpenAiConfig {
    /// A provider at a URL.
    #[must_use]
    pub fn new(name: &str, base_url: &str, api_key: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            api_key: api_key.map(Secret::new),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_mins(2),
        }
    }
}

/// A provider that speaks OpenAI's API.
#[derive(Debug)]
pub struct OpenAiCompatible {
    config: OpenAiConfig,
    http: reqwest::Client,
}

impl OpenAiCompatible {
    /// Prepares the connection; nothing is sent.
    ///
    /// # Errors
    /// `Config` where the URL is none.
    pub fn new(config: OpenAiConfig) -> Result<Self> {
        let url = reqwest::Url::parse(&config.base_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Error::Config(format!(
                    "base_url {:?} is no URL: give one such as https://api.openai.com/v1",
                    config.base_url
                ))
            })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Config("base_url holds a user or a password: give the key as api_key=".into()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .read_timeout(config.read_timeout)
            .user_agent(concat!("headrace/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Config(format!("no HTTP client: {error}")))?;
        Ok(Self { config, http })
    }

    /// Where it is and how it is asked.
    #[must_use]
    pub fn config(&self) -> &OpenAiConfig {
        &self.config
    }

    async fn post(&self, path: &str, body: &Value) -> Result<reqwest::Response> {
        let mut request = self.http.post(format!("{}{path}", self.config.base_url)).json(body);
        if let Some(key) = &self.config.api_key {
            request = request.bearer_auth(key.expose());
        }
        let reply = request.send().await.map_err(|error| self.transport(&error))?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = self.redact(&reply.text().await.unwrap_or_default());
        Err(of_status(&self.config.name, status, &headers, &body).into())
    }

    async fn post_json(&self, path: &str, body: &Value) -> Result<Value> {
        let text = self.post(path, body).await?.text().await.map_err(|error| self.transport(&error))?;
        serde_json::from_str(&text).map_err(|_| malformed(&self.config.name, &self.redact(&text)))
    }

    fn redact(&self, text: &str) -> String {
        self.config.api_key.as_ref().map_or_else(|| text.to_owned(), |key| key.redact(text))
    }

    fn transport(&self, error: &reqwest::Error) -> Error {
        of_transport(&self.config.name, &self.config.base_url, error)
    }
}

#[async_trait]
impl Provider for OpenAiCompatible {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse> {
        let raw = self.post_json("/chat/completions", &request.body(false)).await?;
        let text = raw.to_string();
        ChatResponse::from_openai(raw).ok_or_else(|| malformed(&self.config.name, &self.redact(&text)))
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChunkStream> {
        let reply = self.post("/chat/completions", &request.body(true)).await?;
        let (name, url) = (self.config.name.clone(), self.config.base_url.clone());
        let events = Box::pin(sse::events(Box::pin(reply.bytes_stream())));
        let chunks = futures_util::stream::unfold((events, false), move |(mut events, done)| {
            let (name, url) = (name.clone(), url.clone());
            async move {
                if done {
                    return None;
                }
                let item = match events.next().await {
                    Some(Ok(data)) if data.trim() == "[DONE]" => return None,
                    Some(Ok(data)) => serde_json::from_str(&data).map_err(|_| malformed(&name, &data)),
                    Some(Err(error)) => Err(of_transport(&name, &url, &error)),
                    None => {
                        Err(unavailable(&name, format!("{url} ended the stream before it was whole: try again")).into())
                    }
                };
                let failed = item.is_err();
                Some((item, (events, failed)))
            }
        });
        Ok(chunks.boxed())
    }

    async fn embed(&self, model: &str, texts: &[String]) -> Result<EmbedResponse> {
        let body = json!({"model": model, "input": texts, "encoding_format": "float"});
        let raw = self.post_json("/embeddings", &body).await?;
        let read = || -> Option<Vec<Vec<f32>>> {
            let mut rows: Vec<(u64, Vec<f32>)> = raw
                .get("data")?
                .as_array()?
                .iter()
                .map(|row| {
                    let vector = row.get("embedding")?.as_array()?;
                    let vector =
                        vector.iter().map(|value| value.as_f64().map(|value| value as f32)).collect::<Option<_>>()?;
                    Some((row.get("index").and_then(Value::as_u64).unwrap_or(u64::MAX), vector))
                })
                .collect::<Option<_>>()?;
            rows.sort_by_key(|(index, _)| *index);
            (rows.len() == texts.len()).then(|| rows.into_iter().map(|(_, vector)| vector).collect())
        };
        let vectors = read().ok_or_else(|| malformed(&self.config.name, &self.redact(&raw.to_string())))?;
        Ok(EmbedResponse { vectors, usage: Usage::from_response(&raw).ok() })
    }
}
