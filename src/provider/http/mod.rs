//! Every provider that is asked over HTTP.

mod batch;
mod body;
mod config;
mod connection;
mod learned;
mod listed;
mod patience;
#[cfg(any(test, fuzzing))]
mod pieces;
mod stream;

pub use config::HttpProviderConfig;
#[cfg(any(test, fuzzing))]
pub(crate) use pieces::events_of;

use super::failure::Failures;
use super::{Answer, BatchProvider, EmbedReply, Provider};
use crate::chat::{Event, Reply, Request, Stop};
use crate::usage::UsageReport;
use crate::wire::embeddings::EmbedForm;
use crate::wire::{Protocol, ToldError, json, segment};
use crate::{Error, ProviderError, Result};
use async_trait::async_trait;
use body::BodyError;
use connection::Connections;
use futures_util::StreamExt;
use learned::{Learned, Refused};
use patience::Patience;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Url};
use serde_json::Value;
use std::sync::Arc;
use stream::{ReplyStream, StreamSetting};

/// The most of an error's body that is read.
const ERROR_BYTES: usize = 1 << 20;

/// Things that may be learned in one call: each of them asks once more.
const LESSONS: usize = 2;

/// A provider that is asked over HTTP: a protocol and a row of data.
pub struct HttpProvider {
    config: HttpProviderConfig,
    url: Url,
    connections: Connections,
    failures: Arc<Failures>,
    learned: Learned,
}

impl HttpProvider {
    /// Prepares the connection; nothing is sent.
    ///
    /// # Errors
    /// `Config`: the name has a slash, the URL is none or holds a key, or the key or a header cannot be sent.
    ///
    /// ```
    /// use headrace::provider::{HttpProvider, HttpProviderConfig};
    /// let local = HttpProvider::new(HttpProviderConfig::new("local", "http://127.0.0.1:8000/v1", None)).unwrap();
    /// assert_eq!(local.base_url(), "http://127.0.0.1:8000/v1");
    /// let two_lines = HttpProviderConfig::new("local", "http://127.0.0.1:8000/v1", Some("sk-1\nsk-2"));
    /// assert!(matches!(HttpProvider::new(two_lines), Err(headrace::Error::Config(_))));
    /// ```
    pub fn new(config: HttpProviderConfig) -> Result<Self> {
        if config.name.is_empty() || config.name.contains(['/', ' ']) || config.name.contains(char::is_control) {
            return Err(Error::Config(format!(
                "name {:?} is no provider name: give one without a slash or blanks, such as \"local\"",
                config.name
            )));
        }
        let url = config.url()?;
        let connections = Connections::new(&config)?;
        let mut shown = url.clone();
        if shown.query().is_some() {
            shown.set_query(Some("***"));
        }
        let shown = shown.as_str().trim_end_matches('/');
        let failures = Arc::new(Failures::new(&config.name, shown, config.gate()));
        Ok(Self { config, url, connections, failures, learned: Learned::default() })
    }

    /// Where it is and how it is asked.
    #[must_use]
    pub fn config(&self) -> &HttpProviderConfig {
        &self.config
    }

    /// The address, as it may be shown.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.failures.base_url()
    }

    /// Where a path is that a model is asked at. What the path asks for in its query comes after the address's own.
    fn address(&self, model: &str, path: &str) -> Url {
        let mut url = self.url.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let prefix = self.config.quirks.path_prefix.replace("{model}", &segment(model));
        url.set_path(&format!("{}{prefix}{path}", self.url.path().trim_end_matches('/')));
        if let Some(query) = query {
            let both = url.query().map_or_else(|| query.to_owned(), |own| format!("{own}&{query}"));
            url.set_query(Some(&both));
        }
        url
    }

    /// Sends a body; a reply that is no success is an error, with what its body says.
    async fn post(&self, url: Url, body: &Value) -> Result<reqwest::Response, (Error, u16, String)> {
        let unsent = |error: Error| (error, 0, String::new());
        let bytes = serde_json::to_vec(body)
            .map_err(|error| unsent(Error::invalid(format!("the request cannot be written as JSON: {error}"))))?;
        let client = self.connections.client(&self.config).map_err(unsent)?;
        answered(&self.failures, self.config.protocol, client.post(url).body(bytes)).await
    }

    /// The body of a successful reply.
    async fn body(&self, reply: reqwest::Response) -> Result<Vec<u8>> {
        reply_body(&self.failures, reply, self.config.max_reply_bytes).await
    }
}

impl std::fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpProvider").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Sends a request; a reply that is no success is an error, with its status and what its body says.
async fn answered(
    failures: &Failures,
    protocol: &'static dyn Protocol,
    request: RequestBuilder,
) -> Result<reqwest::Response, (Error, u16, String)> {
    let sent = request.send().await;
    let reply = sent.map_err(|error| (failures.of_transport(&error).into(), 0, String::new()))?;
    let status = reply.status();
    if status.is_success() {
        return Ok(reply);
    }
    let headers = reply.headers().clone();
    let body = body::read_start(reply, ERROR_BYTES).await;
    let told = json::parse(&body).ok().and_then(|body| protocol.read_error(&body));
    let body = String::from_utf8_lossy(&body).into_owned();
    Err((failures.of_status(status, &headers, told, &body).into(), status.as_u16(), body))
}

/// The body of a successful reply, of at most `most` bytes.
async fn reply_body(failures: &Failures, reply: reqwest::Response, most: usize) -> Result<Vec<u8>> {
    body::read(reply, most).await.map_err(|error| match error {
        BodyError::TooLarge => failures.too_large("a reply", most).into(),
        BodyError::Transport(error) => failures.of_transport(&error).into(),
    })
}

/// Reads a whole reply. An error in it is an error, whatever its HTTP status says.
fn read_reply(
    protocol: &'static dyn Protocol,
    failures: &Failures,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, ProviderError> {
    let value = json::parse(body).map_err(|_| {
        let told = ToldError::malformed(&String::from_utf8_lossy(body));
        failures.told(&told, headers)
    })?;
    read_parsed(protocol, failures, headers, value)
}

/// The same of a body that is parsed.
fn read_parsed(
    protocol: &'static dyn Protocol,
    failures: &Failures,
    headers: &HeaderMap,
    value: Value,
) -> Result<Reply, ProviderError> {
    let reply = protocol.read_reply(value).map_err(|told| failures.told(&told, headers))?;
    if reply.choices.iter().any(|choice| choice.stop == Some(Stop::Error)) {
        let told = ToldError { message: "the provider ended the reply with an error".into(), ..ToldError::default() };
        return Err(failures.told(&told, headers));
    }
    Ok(reply)
}

fn told_usage(body: &[u8]) -> Option<UsageReport> {
    json::parse(body).ok().and_then(|body| UsageReport::from_response(&body).ok())
}

#[async_trait]
impl Provider for HttpProvider {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn protocol(&self) -> &'static dyn Protocol {
        self.config.protocol
    }

    async fn chat(&self, request: &Request, stream: bool) -> Result<Answer> {
        let patience = Patience::begin(&self.config, stream);
        Ok(match patience.within(&self.failures, self.ask(request, stream)).await? {
            Answer::Stream(events) => Answer::Stream(patience.over(&self.failures, events)),
            whole @ Answer::Whole(_) => whole,
        })
    }

    async fn embed(&self, model: &str, texts: &[String]) -> Result<EmbedReply> {
        let patience = Patience::begin(&self.config, false);
        patience.within(&self.failures, self.ask_vectors(model, texts)).await
    }

    async fn list_models(&self) -> Result<Option<Vec<String>>> {
        self.list().await
    }

    fn batches(&self) -> Option<&dyn BatchProvider> {
        self.batch_form().map(|_| self as &dyn BatchProvider)
    }
}

impl HttpProvider {
    async fn ask(&self, request: &Request, stream: bool) -> Result<Answer> {
        let protocol = self.config.protocol;
        let mut lessons = 0;
        let reply = loop {
            let quirks = self.learned.apply(&self.config.quirks);
            let sent = protocol.write_request(request, stream, &quirks)?;
            let url = self.address(&request.model, &protocol.path(&request.model, stream));
            let (error, status, body) = match self.post(url, &sent).await {
                Ok(reply) => break reply,
                Err(refused) => refused,
            };
            let Error::Provider(refusal) = &error else { return Err(error) };
            let refused = Refused { status, kind: refusal.kind, body: &body, sent: &sent };
            if lessons == LESSONS || !self.learned.learn(&refused) {
                return Err(error);
            }
            lessons += 1;
        };
        let headers = reply.headers().clone();
        if stream {
            let setting = StreamSetting {
                protocol,
                failures: Arc::clone(&self.failures),
                headers,
                max_reply_bytes: self.config.max_reply_bytes,
            };
            return Ok(Answer::Stream(ReplyStream::new(setting, reply).boxed()));
        }
        let body = self.body(reply).await?;
        match read_reply(protocol, &self.failures, &headers, &body) {
            Ok(reply) => Ok(Answer::Whole(Box::new(reply))),
            // It failed, and says what it used all the same: it bills that.
            Err(error) => match told_usage(&body) {
                Some(report) => {
                    let events = [Event::Usage(report), Event::Error(Box::new(error))];
                    Ok(Answer::Stream(futures_util::stream::iter(events).boxed()))
                }
                None => Err(error.into()),
            },
        }
    }

    async fn ask_vectors(&self, model: &str, texts: &[String]) -> Result<EmbedReply> {
        let protocol = self.config.protocol;
        let Some(form) = EmbedForm::of(protocol) else {
            let message = format!("{} has no embeddings: name a model of another provider", self.config.name);
            return Err(self.failures.refused(&message).into());
        };
        if texts.is_empty() {
            return Ok(EmbedReply { vectors: Vec::new(), usage: None });
        }
        let sent = form.write_request(model, texts);
        let reply = self.post(self.address(model, &form.path(model)), &sent).await.map_err(|(error, ..)| error)?;
        let headers = reply.headers().clone();
        let body = self.body(reply).await?;
        let read = form.read_reply(&body, texts.len(), protocol);
        let (vectors, usage) = read.map_err(|told| self.failures.told(&told, &headers))?;
        Ok(EmbedReply { vectors, usage })
    }
}
