//! A stand-in for Upstash's REST interface, in front of a real server: commands, pipelines, transactions, channels.
//!
//! As the service documents it: a command is a list in JSON or a path, `Bearer` and a token, replies in base64 where
//! `Upstash-Encoding` asks for it, `Upstash-Sync-Token` with each answer, a channel as server-sent events.

#![allow(dead_code, clippy::expect_used, clippy::unwrap_used)]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const PATIENT: Duration = Duration::from_mins(1);
pub const TOKEN: &str = "hush-hush";

pub struct FakeUpstash {
    pub port: u16,
    /// How many commands it was sent: what the service bills.
    pub commands: Arc<AtomicU64>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Clone)]
struct Behind {
    client: Client,
    commands: Arc<AtomicU64>,
}

impl FakeUpstash {
    pub fn start(redis: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let commands = Arc::new(AtomicU64::new(0));
        let behind = Behind { client: Client::open(redis).unwrap(), commands: Arc::clone(&commands) };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let routes = Router::new().fallback(answer).with_state(behind);
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { port, commands, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("upstash://{TOKEN}@127.0.0.1:{}", self.port)
    }
}

impl Drop for FakeUpstash {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn failed(status: StatusCode, error: &str) -> Response {
    (status, axum::Json(json!({ "error": error }))).into_response()
}

async fn answer(State(behind): State<Behind>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    if parts.headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&format!("Bearer {TOKEN}")) {
        return failed(StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token");
    }
    let path: Vec<String> = parts.uri.path().split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    if path.first().is_some_and(|first| first == "subscribe") {
        return subscribe(&behind, &path[1]).await;
    }
    let is_base64 = parts.headers.get("upstash-encoding").is_some_and(|value| value == "base64");
    let result = match path.first().map(String::as_str) {
        Some(kind @ ("pipeline" | "multi-exec")) => many(&behind, &body, is_base64, kind == "multi-exec").await,
        _ => one(&behind, &path, &body).await.map(|value| json!({ "result": shown(&value, is_base64) })),
    };
    let mut response = match result {
        Ok(json) => axum::Json(json).into_response(),
        Err(error) => failed(StatusCode::BAD_REQUEST, &error),
    };
    let token = behind.commands.load(Ordering::Relaxed).to_string();
    response.headers_mut().insert("upstash-sync-token", token.parse().unwrap());
    response
}

fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if let Some(code) = after.get(..2).filter(|_| first == b'%') {
            bytes.push(u8::from_str_radix(std::str::from_utf8(code).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn command(json: &Json) -> Result<Cmd, String> {
    let mut command = Cmd::new();
    for argument in json.as_array().ok_or("ERR a command is a list")? {
        match argument {
            Json::String(text) => command.arg(text),
            other => command.arg(other.to_string()),
        };
    }
    Ok(command)
}

/// A connection that waits for as long as a busy machine takes.
async fn connect(behind: &Behind) -> Result<MultiplexedConnection, String> {
    let patient =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENT)).set_response_timeout(Some(PATIENT));
    let connection = behind.client.get_multiplexed_async_connection_with_config(&patient).await;
    connection.map_err(|_| "ERR the server is away".to_owned())
}

async fn run(behind: &Behind, command: &Cmd) -> Result<Value, String> {
    behind.commands.fetch_add(1, Ordering::Relaxed);
    let mut connection = connect(behind).await?;
    let reply = connection.send_packed_command(command).await.and_then(Value::extract_error);
    reply.map_err(|error| format!("{} {}", error.code().unwrap_or("ERR"), error.detail().unwrap_or_default()))
}

async fn one(behind: &Behind, path: &[String], body: &Bytes) -> Result<Value, String> {
    if path.is_empty() {
        return run(behind, &command(&serde_json::from_slice(body).map_err(|error| format!("ERR {error}"))?)?).await;
    }
    let mut command = Cmd::new();
    path.iter().for_each(|part| {
        command.arg(part);
    });
    if !body.is_empty() {
        command.arg(&body[..]);
    }
    run(behind, &command).await
}

async fn many(behind: &Behind, body: &Bytes, is_base64: bool, at_once: bool) -> Result<Json, String> {
    let commands: Vec<Json> = serde_json::from_slice(body).map_err(|error| format!("ERR {error}"))?;
    if at_once {
        behind.commands.fetch_add(commands.len() as u64, Ordering::Relaxed);
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for json in &commands {
            pipeline.add_command(command(json)?);
        }
        let mut connection = connect(behind).await?;
        let values: Vec<Value> = pipeline.query_async(&mut connection).await.map_err(|error| {
            format!("{} {}", error.code().unwrap_or("EXECABORT"), error.detail().unwrap_or_default())
        })?;
        return Ok(values.iter().map(|value| json!({ "result": shown(value, is_base64) })).collect());
    }
    let mut answers = Vec::new();
    for json in &commands {
        answers.push(match run(behind, &command(json)?).await {
            Ok(value) => json!({ "result": shown(&value, is_base64) }),
            Err(error) => json!({ "error": error }),
        });
    }
    Ok(answers.into())
}

fn shown(value: &Value, is_base64: bool) -> Json {
    let text = |bytes: &[u8]| {
        if is_base64 { STANDARD.encode(bytes) } else { String::from_utf8_lossy(bytes).into_owned() }
    };
    match value {
        Value::Int(number) => json!(number),
        Value::BulkString(bytes) => json!(text(bytes)),
        Value::SimpleString(simple) => json!(text(simple.as_bytes())),
        Value::Okay => json!("OK"),
        Value::Array(values) => values.iter().map(|value| shown(value, is_base64)).collect(),
        _ => Json::Null,
    }
}

async fn subscribe(behind: &Behind, channel: &str) -> Response {
    let Ok(mut heard) = behind.client.get_async_pubsub().await else {
        return failed(StatusCode::BAD_REQUEST, "ERR the server is away");
    };
    heard.subscribe(channel).await.unwrap();
    let name = channel.to_owned();
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(format!("data: subscribe,{channel},1\n\n"))]);
    let messages = heard.into_on_message().map(move |message| {
        Ok(format!("data: message,{name},{}\n\n", String::from_utf8_lossy(message.get_payload_bytes())))
    });
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/event-stream".parse().unwrap());
    (headers, Body::from_stream(first.chain(messages))).into_response()
}
