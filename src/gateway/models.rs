//! The models that can be named, in the shape that OpenAI's and Anthropic's clients both read.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use super::routes::protocol_of;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

/// What the caller may ask.
pub(super) async fn list(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Json<Value> {
    let names = gateway.models_for(&caller);
    let (first, last) = (names.first().cloned(), names.last().cloned());
    let data: Vec<_> = names.iter().map(|name| entry(name)).collect();
    Json(json!({"object": "list", "data": data, "has_more": false, "first_id": first, "last_id": last}))
}

/// One of them.
pub(super) async fn one(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(model): Path<String>,
) -> Response {
    if gateway.models_for(&caller).contains(&model) {
        return Json(entry(&model)).into_response();
    }
    let message = format!("{model:?} is not listed here: GET /v1/models says what is");
    Refusal::new(StatusCode::NOT_FOUND, "model_not_found", message).into_response(protocol_of("/v1/models"))
}

impl Gateway {
    fn models_for(&self, caller: &Caller) -> Vec<String> {
        let client = self.client();
        let routes: Vec<String> = client.routes().into_iter().map(str::to_owned).collect();
        routes.into_iter().chain(client.models()).filter(|model| caller.may_ask(model)).collect()
    }
}

fn entry(name: &str) -> Value {
    let owner = name.split_once('/').map_or("headrace", |(provider, _)| provider);
    json!({
        "id": name,
        "object": "model",
        "type": "model",
        "display_name": name,
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": owner,
    })
}
