//! Anthropic's count of the tokens of a question.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::wire::{Protocol, anthropic};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Counts; nothing is asked of a provider.
pub(super) async fn answer(State(gateway): State<Gateway>, request: Request) -> Response {
    match gateway.count(request).await {
        Ok(counted) => Json(counted).into_response(),
        Err(refusal) => refusal.into_response(&anthropic::PROTOCOL),
    }
}

impl Gateway {
    async fn count(&self, request: Request) -> Result<Value, Refusal> {
        let (parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
        let mut asked = anthropic::PROTOCOL.read_request(self.read_json(body).await?)?.request;
        let client = self.client();
        asked.model = client.full_name(&asked.model);
        let _pass = caller.enter(&asked.model)?;
        Ok(json!({"input_tokens": client.count_tokens(&asked)?}))
    }
}
