//! Which path leads where.

use super::{Gateway, chat, count, embeddings, front, metrics, models, overview, page, refusal::Refusal, state};
use crate::wire::{Protocol, anthropic, openai_chat, openai_responses};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};

/// The protocol in which a path is answered, its errors too.
pub(super) fn protocol_of(path: &str) -> &'static dyn Protocol {
    if path == "/v1/messages" || path.starts_with("/v1/messages/") {
        return &anthropic::PROTOCOL;
    }
    &openai_chat::PROTOCOL
}

impl Gateway {
    /// The routes, as a service of tower's.
    pub fn router(&self) -> Router {
        let chat = |protocol: &'static dyn Protocol| post(move |state, request| chat::answer(protocol, state, request));
        Router::new()
            .route("/v1/chat/completions", chat(&openai_chat::PROTOCOL))
            .route("/v1/responses", chat(&openai_responses::PROTOCOL))
            .route("/v1/messages", chat(&anthropic::PROTOCOL))
            .route("/v1/messages/count_tokens", post(count::answer))
            .route("/v1/embeddings", post(embeddings::answer))
            .route("/v1/models", get(models::list))
            .route("/v1/models/{*model}", get(models::one))
            .route("/v1/headrace/costs", get(state::costs))
            .route("/v1/headrace/queue", get(state::queue))
            .route("/v1/headrace/cache", get(state::cache))
            .route("/v1/headrace/overview", get(overview::answer))
            .route("/metrics", get(metrics::answer))
            .route("/", get(page::answer))
            .route("/healthz", get(state::healthz))
            .route("/readyz", get(state::readyz))
            .fallback(nowhere)
            .method_not_allowed_fallback(wrong_method)
            .layer(from_fn_with_state(self.clone(), front::pass))
            .with_state(self.clone())
    }
}

async fn nowhere(request: Request) -> Response {
    let path = request.uri().path();
    Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("nothing is served at {path}: see docs/endpoint.md"))
        .into_response(protocol_of(path))
}

async fn wrong_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let message = format!("{path} does not take {method}: see docs/endpoint.md");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_response(protocol_of(path))
}
