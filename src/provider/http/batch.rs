//! Batches over HTTP.

use super::patience::Patience;
use super::{HttpProvider, answered, read_parsed, reply_body};
use crate::chat::{Reply, Request};
use crate::provider::batch::{BatchLine, BatchLines, BatchProvider};
use crate::provider::failure::Failures;
use crate::wire::batch::{BatchForm, BatchLimits, BatchState, LineOutcome};
use crate::wire::{Protocol, ToldError, json, segment};
use crate::{Error, ProviderError, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many of the newest batches are looked through for one.
const LISTED: usize = 100;

impl HttpProvider {
    /// How it takes batches; None where it takes none.
    pub(super) fn batch_form(&self) -> Option<BatchForm> {
        BatchForm::of(self.config.protocol).filter(|_| self.config.batches)
    }

    fn form(&self) -> Result<BatchForm> {
        let none = || self.failures.refused("it takes no batches: name a model of another provider");
        self.batch_form().ok_or_else(|| none().into())
    }

    fn client(&self) -> Result<&reqwest::Client> {
        self.connections.client(&self.config)
    }

    /// Asks once, and reads the answer as JSON.
    async fn json(&self, request: RequestBuilder) -> Result<Value> {
        let asked = async {
            let reply = answered(&self.failures, self.config.protocol, request).await.map_err(|(error, ..)| error)?;
            let body = reply_body(&self.failures, reply, self.config.max_reply_bytes).await?;
            json::parse(&body).map_err(|_| self.failures.malformed(&String::from_utf8_lossy(&body)).into())
        };
        Patience::begin(&self.config, false).within(&self.failures, asked).await
    }

    async fn state(&self, id: &str) -> Result<Value> {
        let path = format!("{}/{}", self.form()?.path(), segment(id));
        self.json(self.client()?.get(self.address("", &path))).await
    }

    /// The id that a body tells.
    fn id_of(&self, body: &Value) -> Result<String> {
        let id = body.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| self.failures.malformed(&body.to_string()).into())
    }
}

#[async_trait]
impl BatchProvider for HttpProvider {
    fn limits(&self) -> BatchLimits {
        self.batch_form().map_or(BatchLimits { requests: 0, bytes: 0 }, BatchForm::limits)
    }

    fn write_line(&self, id: &str, request: &Request) -> Result<Vec<u8>> {
        let quirks = self.learned.apply(&self.config.quirks);
        let body = self.config.protocol.write_request(request, false, &quirks)?;
        let line = self.form()?.write_line(id, body);
        serde_json::to_vec(&line)
            .map_err(|error| Error::invalid(format!("the request cannot be written as JSON: {error}")))
    }

    async fn upload(&self, token: &str, lines: &[&[u8]]) -> Result<Option<String>> {
        let Some((path, kind, body)) = self.form()?.write_upload(token, lines) else { return Ok(None) };
        let request = self.client()?.post(self.address("", path)).header(CONTENT_TYPE, kind).body(body);
        self.id_of(&self.json(request).await?).map(Some)
    }

    async fn submit(&self, token: &str, file: Option<&str>, lines: &[&[u8]]) -> Result<String> {
        let form = self.form()?;
        let request = self.client()?.post(self.address("", form.path())).body(form.write_batch(token, file, lines));
        self.id_of(&self.json(request).await?)
    }

    async fn find(&self, token: &str) -> Result<Option<String>> {
        let form = self.form()?;
        if !form.can_find() {
            return Ok(None);
        }
        let address = self.address("", &format!("{}?limit={LISTED}", form.path()));
        Ok(form.find(token, &self.json(self.client()?.get(address)).await?))
    }

    async fn poll(&self, id: &str) -> Result<BatchState> {
        let mut state = self.form()?.read_state(&self.state(id).await?);
        // The provider's words pass the gate as all of them do.
        state.fault = state.fault.map(|words| {
            let kind = Some("invalid_request_error".into());
            let told = ToldError { message: words, kind, ..ToldError::default() };
            self.failures.told(&told, &HeaderMap::new()).to_string()
        });
        Ok(state)
    }

    async fn results(&self, id: &str) -> Result<BatchLines> {
        let form = self.form()?;
        let paths = form.results(id, &self.state(id).await?);
        let reader = Reader {
            form,
            protocol: self.config.protocol,
            client: self.client()?.clone(),
            failures: Arc::clone(&self.failures),
            max_line_bytes: self.config.max_reply_bytes,
            addresses: paths.iter().map(|path| self.address("", path)).collect(),
            lines: None,
        };
        Ok(stream::try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|line| (line, reader))) })
            .boxed())
    }
}

/// Reads the results of a batch, a line at a time and a file after the other.
struct Reader {
    form: BatchForm,
    protocol: &'static dyn Protocol,
    client: reqwest::Client,
    failures: Arc<Failures>,
    max_line_bytes: usize,
    addresses: VecDeque<Url>,
    lines: Option<Lines>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<BatchLine>> {
        loop {
            let Some(lines) = &mut self.lines else {
                let Some(address) = self.addresses.pop_front() else { return Ok(None) };
                let request = self.client.get(address);
                let reply = answered(&self.failures, self.protocol, request).await.map_err(|(error, ..)| error)?;
                self.lines = Some(Lines { chunks: reply.bytes_stream().boxed(), held: Vec::new(), is_over: false });
                continue;
            };
            let Some(line) = lines.next(&self.failures, self.max_line_bytes).await? else {
                self.lines = None;
                continue;
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            match self.form.read_line(&line) {
                Ok((id, outcome)) => return Ok(Some(BatchLine { id, outcome: self.outcome(outcome) })),
                // Whose it is cannot be told: that request has no result.
                Err(told) => {
                    let error = self.failures.told(&told, &HeaderMap::new());
                    tracing::warn!(%error, "a line of a batch's results was passed over");
                }
            }
        }
    }

    fn outcome(&self, outcome: LineOutcome) -> Result<Box<Reply>> {
        let (failures, headers) = (&self.failures, HeaderMap::new());
        let told = |told: &ToldError| Error::from(failures.told(told, &headers));
        match outcome {
            LineOutcome::Fault(fault) => Err(told(&fault)),
            LineOutcome::Reply(status, body) => match StatusCode::from_u16(status) {
                Ok(status) if !status.is_success() => {
                    let said = self.protocol.read_error(&body);
                    Err(failures.of_status(status, &headers, said, &body.to_string()).into())
                }
                Ok(_) => {
                    let read = read_parsed(self.protocol, failures, &headers, body);
                    read.map(Box::new).map_err(|error: ProviderError| error.into())
                }
                Err(_) => Err(told(&ToldError::malformed(&format!("HTTP status {status}")))),
            },
        }
    }
}

/// A body, a line at a time.
struct Lines {
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
    held: Vec<u8>,
    is_over: bool,
}

impl Lines {
    async fn next(&mut self, failures: &Failures, most: usize) -> Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.held[looked..]) {
                return Ok(Some(self.held.drain(..=looked + end).collect()));
            }
            looked = self.held.len();
            if self.is_over {
                return Ok(Some(std::mem::take(&mut self.held)).filter(|line| !line.is_empty()));
            }
            if looked > most {
                return Err(failures.too_large("a line of a batch's results", most).into());
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.held.extend_from_slice(&chunk),
                Some(Err(error)) => return Err(failures.of_transport(&error).into()),
                None => self.is_over = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::HttpProviderConfig;
    use crate::provider::gate::Gate;

    #[tokio::test]
    async fn lines_are_cut_where_they_end_however_they_come() {
        let pieces = ["{\"a\"", ":1}\n{\"b\":2}\n", "", "\n{\"c\":3}"];
        let chunks = stream::iter(pieces.map(|piece| Ok(Bytes::from(piece)))).boxed();
        let mut lines = Lines { chunks, held: Vec::new(), is_over: false };
        let failures = Failures::new("openai", "https://api.openai.com/v1", Gate::default());
        let mut read = Vec::new();
        while let Some(line) = lines.next(&failures, 100).await.unwrap() {
            read.push(String::from_utf8(line).unwrap());
        }
        assert_eq!(read, ["{\"a\":1}\n", "{\"b\":2}\n", "\n", "{\"c\":3}"]);
        let chunks = stream::iter([Ok(Bytes::from(vec![b'x'; 200]))]).boxed();
        let mut endless = Lines { chunks, held: Vec::new(), is_over: false };
        assert!(endless.next(&failures, 100).await.is_err());
    }

    #[test]
    fn only_who_says_so_takes_batches() {
        use crate::provider::{Provider, registry};
        let of = |row: &crate::provider::ProviderRow| {
            let mut config = HttpProviderConfig::of_row(row, Some("sk-1"));
            if config.base_url.is_empty() {
                config.base_url = "https://acme.example/v1".into();
            }
            HttpProvider::new(config).unwrap().batches().is_some()
        };
        let able: Vec<_> = registry().iter().filter(|row| of(row)).map(|row| row.name.as_str()).collect();
        assert_eq!(able, ["openai", "anthropic"]);
    }
}
