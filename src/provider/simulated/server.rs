//! The simulated provider as an HTTP server on the loopback, in OpenAI's shape and in Anthropic's.
//!
//! `POST /v1/chat/completions`, `POST /v1/messages`, `POST /v1/embeddings`, `GET /v1/models`, `GET /healthz`; and to steer it
//! `POST /admin/faults` (a [`FaultPlan`]) and `GET /admin/stats`.

use super::MODELS;
use super::engine::{Engine, SimulatedConfig};
use super::fault::{Fault, FaultPlan};
use super::{pause, told};
use crate::wire::{Frame, Protocol, WriterOptions, anthropic, openai_chat};
use crate::{Error, Result};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures_util::StreamExt;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running server. Dropped, it stops.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    engine: Arc<Engine>,
    task: JoinHandle<()>,
}

impl ServerHandle {
    /// The URL that clients are given, as in `http://127.0.0.1:4711/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What answers.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Stops serving; open connections break off.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Serves on a port of the loopback, any free one for 0.
///
/// # Errors
/// `Config` where the port is taken.
pub async fn serve(config: SimulatedConfig, port: u16) -> Result<ServerHandle> {
    let taken =
        |error| Error::Config(format!("port {port} of the loopback cannot be used: {error}; give 0 for a free one"));
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    let engine = Arc::new(Engine::new(config));
    let router = Router::new()
        .route("/v1/chat/completions", post(openai))
        .route("/v1/messages", post(messages))
        .route("/v1/embeddings", post(embeddings))
        .route("/v1/models", get(models))
        .route("/healthz", get(|| async { "ok" }))
        .route("/admin/faults", post(set_faults))
        .route("/admin/stats", get(stats))
        .with_state(Arc::clone(&engine));
    // Nagle's algorithm would hold back each piece of a stream until the one before it is acknowledged, 40 ms later.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let task = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(ServerHandle { address, engine, task })
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let error = json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}});
    (status, Json(error)).into_response()
}

fn refusal(error: &Error) -> Response {
    match error {
        Error::Provider(error) if error.status_code == Some(404) => {
            refuse(StatusCode::NOT_FOUND, "model_not_found", &error.message)
        }
        other => refuse(StatusCode::BAD_REQUEST, "invalid_value", &other.to_string()),
    }
}

fn authorised(engine: &Engine, headers: &HeaderMap) -> bool {
    let keys = &engine.config().api_keys;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = text("authorization").and_then(|value| value.strip_prefix("Bearer ")).or_else(|| text("x-api-key"));
    keys.is_empty() || given.is_some_and(|key| keys.iter().any(|known| known == key))
}

/// The body as an object, or the reply that refuses it.
fn object(
    engine: &Engine,
    headers: &HeaderMap,
    body: &Bytes,
) -> std::result::Result<Map<String, Value>, Box<Response>> {
    if !authorised(engine, headers) {
        return Err(Box::new(refuse(StatusCode::UNAUTHORIZED, "invalid_api_key", "Incorrect API key provided")));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Box::new(refuse(StatusCode::BAD_REQUEST, "invalid_json", "the body is no JSON object"))),
    }
}

fn bare_model(map: &mut Map<String, Value>) -> String {
    let model = map.remove("model").and_then(|model| model.as_str().map(str::to_owned)).unwrap_or_default();
    model.strip_prefix("simulated/").map(str::to_owned).unwrap_or(model)
}

async fn openai(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Bytes) -> Response {
    chat(&openai_chat::PROTOCOL, &engine, &headers, &body).await
}

async fn messages(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Bytes) -> Response {
    chat(&anthropic::PROTOCOL, &engine, &headers, &body).await
}

async fn chat(protocol: &'static dyn Protocol, engine: &Engine, headers: &HeaderMap, body: &Bytes) -> Response {
    let map = match object(engine, headers, body) {
        Ok(map) => map,
        Err(reply) => return *reply,
    };
    let mut asked = match protocol.read_request(Value::Object(map)) {
        Ok(asked) => asked,
        Err(error) => return refusal(&error),
    };
    if let Some(bare) = asked.request.model.strip_prefix("simulated/") {
        asked.request.model = bare.to_owned();
    }
    if let Err(error) = asked.request.validate() {
        return refusal(&error);
    }
    let draft = match engine.begin(&asked.request) {
        Ok(draft) => draft,
        Err(error) => return refusal(&error),
    };
    match draft.fault {
        Some(Fault::RateLimit) => {
            let wait = engine.config().retry_after.as_secs_f64().to_string();
            let mut reply = refuse(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "Rate limit reached");
            if let Ok(value) = wait.parse() {
                reply.headers_mut().insert(header::RETRY_AFTER, value);
            }
            return reply;
        }
        Some(Fault::ServerError) => {
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "simulated fault");
        }
        Some(Fault::Unavailable) => return refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "simulated fault"),
        Some(Fault::Reset) => return broken_off(Vec::new()),
        Some(Fault::Malformed) => {
            return ([(header::CONTENT_TYPE, "application/json")], "{\"choices\": [").into_response();
        }
        Some(Fault::Stall) => tokio::time::sleep(engine.config().stall).await,
        Some(Fault::Truncate | Fault::StreamError | Fault::NoUsage) | None => {}
    }
    if !asked.stream {
        pause(engine.duration(&draft)).await;
        let body = match draft.fault {
            Some(fault @ Fault::StreamError) => protocol.write_error(&told(fault)),
            _ => protocol.write_reply(&draft.reply),
        };
        return Json(body).into_response();
    }
    let options = WriterOptions { model: draft.reply.model.clone().unwrap_or_default(), include_usage: true };
    let mut writer = protocol.event_writer(options);
    let mut pieces: Vec<String> = draft.events().iter().map(|event| lines(&writer.write(event))).collect();
    match draft.fault {
        Some(Fault::Truncate) => {}
        Some(fault @ Fault::StreamError) => {
            let data = protocol.write_error(&told(fault)).to_string();
            pieces.push(lines(&[Frame { name: Some("error"), data }]));
        }
        _ => pieces.push(lines(&writer.end())),
    }
    pieces.retain(|piece| !piece.is_empty());
    let (first, gap) = engine.pace();
    let paced = futures_util::stream::iter(pieces.into_iter().enumerate()).then(move |(index, piece)| async move {
        pause(if index == 0 { first } else { gap }).await;
        Ok::<_, Infallible>(piece)
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(paced)).into_response()
}

/// Server-sent events as text.
fn lines(frames: &[Frame]) -> String {
    let line = |frame: &Frame| {
        let name = frame.name.map_or_else(String::new, |name| format!("event: {name}\n"));
        format!("{name}data: {}\n\n", frame.data)
    };
    frames.iter().map(line).collect()
}

/// A reply whose body fails, which makes the server break the connection off.
fn broken_off(before: Vec<String>) -> Response {
    let body = before.into_iter().map(Ok).chain([Err(std::io::Error::other("simulated reset"))]);
    Body::from_stream(futures_util::stream::iter(body)).into_response()
}

async fn embeddings(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut map = match object(&engine, &headers, &body) {
        Ok(map) => map,
        Err(reply) => return *reply,
    };
    let texts = match map.remove("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "invalid_value", "input is empty: give a text or a list of texts");
    }
    let model = bare_model(&mut map);
    match engine.embed(&model, &texts) {
        Err(error) => refusal(&error),
        Ok((vectors, tokens)) => {
            let data: Vec<_> = vectors
                .iter()
                .enumerate()
                .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector}))
                .collect();
            let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
            Json(json!({"object": "list", "data": data, "model": model, "usage": usage})).into_response()
        }
    }
}

async fn models() -> Json<Value> {
    let data: Vec<_> = MODELS
        .iter()
        .map(|model| json!({"id": model, "object": "model", "created": 0, "owned_by": "simulated"}))
        .collect();
    Json(json!({"object": "list", "data": data}))
}

async fn set_faults(State(engine): State<Arc<Engine>>, body: Bytes) -> Response {
    match serde_json::from_slice::<FaultPlan>(&body) {
        Ok(plan) => {
            engine.set_faults(plan);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, "invalid_value", &error.to_string()),
    }
}

async fn stats(State(engine): State<Arc<Engine>>) -> Json<Value> {
    Json(json!({"requests": engine.requests()}))
}
