//! Upstash's REST interface to a server: a command is a list in JSON, a channel is a stream of events.
//!
//! Replies are asked for in base64, so that any bytes come back as they are; what is sent is text. A read sees what this
//! handle wrote before it: the token of the last answer goes along.

use super::transport::{Told, Transport};
use crate::lock::Lock;
use crate::provider::{Secret, SseDecoder};
use crate::store::RedisUrl;
use crate::{Error, Result};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};
use serde_json::Value as Json;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
/// How long a channel may be silent before its connection is taken for broken.
const SILENCE: Duration = Duration::from_mins(5);
const ANSWER: Duration = Duration::from_secs(30);
/// The longest message of a channel.
const MESSAGE: usize = 1 << 16;
const SYNC: &str = "upstash-sync-token";

/// Where the origin system had its address and its key.
const URL_VARIABLE: &str = "UPSTASH_REDIS_REST_URL";
const TOKEN_VARIABLE: &str = "UPSTASH_REDIS_REST_TOKEN";

/// A way by HTTP.
pub(super) struct Upstash {
    client: reqwest::Client,
    address: String,
    token: Secret,
    /// What the last answer said of how far the database had come.
    seen: Lock<Option<reqwest::header::HeaderValue>>,
}

impl Upstash {
    /// # Errors
    /// `Config` where neither the address nor the environment names a server and its token.
    pub(super) fn new(address: &RedisUrl) -> Result<Self> {
        let rest = address.expose().split_once("://").map_or("", |(_, rest)| rest).trim_end_matches('/');
        let (address, token) = if rest.is_empty() {
            (variable(URL_VARIABLE)?, variable(TOKEN_VARIABLE)?)
        } else {
            let Some((token, host)) = rest.rsplit_once('@') else {
                return Err(Error::Config(format!(
                    "upstash:// with a host needs its token: give upstash://TOKEN@HOST, or upstash:// with {URL_VARIABLE} and {TOKEN_VARIABLE} set"
                )));
            };
            let token = token.rsplit_once(':').map_or(token, |(_, token)| token);
            // On this machine there is nobody to hide it from.
            let is_here = host.starts_with("127.0.0.1") || host.starts_with("localhost");
            (format!("{}://{host}", if is_here { "http" } else { "https" }), token.to_owned())
        };
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // A redirect would show the token to a server that nobody named.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("headrace/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Config(format!("the HTTP client cannot be made: {}", error.without_url())))?;
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { client, address, token: Secret::new(&token), seen: Lock::new(None) })
    }
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        Error::Config(format!(
            "upstash:// reads {URL_VARIABLE} and {TOKEN_VARIABLE}, and {name} is not set: set both, or give upstash://TOKEN@HOST"
        ))
    })
}

/// A failure on the way, in words without an address.
fn broken(error: &reqwest::Error) -> RedisError {
    let what = if error.is_timeout() {
        "no answer came"
    } else if error.is_connect() {
        "no connection came about"
    } else {
        "the connection broke"
    };
    (ErrorKind::Io, what).into()
}

/// The body of a command.
fn body(command: &Cmd) -> RedisResult<Vec<u8>> {
    let mut arguments = Vec::new();
    for argument in command.args_iter() {
        let redis::Arg::Simple(bytes) = argument else {
            return Err((ErrorKind::Client, "a command with a cursor is not for Upstash").into());
        };
        arguments.push(std::str::from_utf8(bytes).map_err(|_| (ErrorKind::Client, "Upstash takes text alone"))?);
    }
    serde_json::to_vec(&arguments).map_err(|_| (ErrorKind::Client, "a command has no JSON form").into())
}

/// What an answer says.
pub(crate) fn value(json: Json) -> RedisResult<Value> {
    let strange = || RedisError::from((ErrorKind::Parse, "an answer of Upstash is in no form that is known"));
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Number(number) => Value::Int(number.as_i64().ok_or_else(strange)?),
        Json::String(text) if text == "OK" => Value::Okay,
        Json::String(text) => Value::BulkString(STANDARD.decode(text).map_err(|_| strange())?),
        Json::Array(values) => Value::Array(values.into_iter().map(value).collect::<RedisResult<_>>()?),
        _ => return Err(strange()),
    })
}

/// What an answer with an error says: its first word is the code that a server gives.
fn refusal(status: u16, text: &str) -> RedisError {
    if status == 401 || status == 403 || text.starts_with("WRONGPASS") {
        return (ErrorKind::AuthenticationFailed, "the token was refused").into();
    }
    let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match (is_code, status) {
        (true, _) => redis::make_extension_error(code.to_owned(), Some(detail.to_owned())),
        (false, 500..) => (ErrorKind::Io, "the service is not well").into(),
        (false, _) => redis::make_extension_error("ERR".into(), Some(text.chars().take(200).collect())),
    }
}

#[async_trait]
impl Transport for Upstash {
    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let mut request = self
            .client
            .post(&self.address)
            .timeout(ANSWER)
            .bearer_auth(self.token.expose())
            .header("content-type", "application/json")
            .header("upstash-encoding", "base64");
        if let Some(seen) = self.seen.lock().clone() {
            request = request.header(SYNC, seen);
        }
        let response = request.body(body(command)?).send().await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        if let Some(seen) = response.headers().get(SYNC) {
            *self.seen.lock() = Some(seen.clone());
        }
        let bytes = response.bytes().await.map_err(|error| broken(&error))?;
        let Ok(Json::Object(mut answer)) = serde_json::from_slice(&bytes) else {
            return Err(refusal(status, "no answer in JSON"));
        };
        match (answer.remove("error"), answer.remove("result")) {
            (Some(Json::String(error)), _) => Err(refusal(status, &error)),
            (_, Some(result)) => value(result),
            _ => Err(refusal(status, "neither a result nor an error")),
        }
    }

    async fn send_to_replicas(&self, _command: &Cmd, _replicas: u32, _within: Duration) -> RedisResult<(Value, u32)> {
        Err((ErrorKind::Client, "Upstash is not asked for its replicas").into())
    }

    async fn hear(&self, channel: &str, tell: Told<'_>) -> RedisResult<()> {
        // Not a character of a channel's name ends its part of the path.
        let name: String = channel.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let mut response = self
            .client
            .post(format!("{}/subscribe/{name}", self.address))
            .bearer_auth(self.token.expose())
            .header("accept", "text/event-stream")
            .send()
            .await
            .map_err(|error| broken(&error))?;
        if !response.status().is_success() {
            return Err(refusal(response.status().as_u16(), "the channel was refused"));
        }
        let mut events = SseDecoder::new(MESSAGE);
        let prefix = format!("message,{channel},");
        while let Some(bytes) = response.chunk().await.map_err(|error| broken(&error))? {
            events.feed(&bytes).map_err(|_| (ErrorKind::Parse, "a message is too long"))?;
            while let Some(event) = events.next_event() {
                if event.data.starts_with("subscribe,") {
                    tell(None);
                } else if let Some(message) = event.data.strip_prefix(&prefix) {
                    tell(Some(message.as_bytes()));
                }
            }
        }
        Ok(())
    }
}
