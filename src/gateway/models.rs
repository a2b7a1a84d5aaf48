//! The models that can be named, as OpenAI's or Anthropic's clients read them.
//!
//! Anthropic's say by a header that they are; whoever sends none has OpenAI's form.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::wire::{Protocol, anthropic, openai_chat};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What every request of Anthropic's clients has.
const ANTHROPIC: &str = "anthropic-version";
/// How many models Anthropic's form has without a word on it, and at most.
const USUAL: usize = 20;
const MOST: usize = 1000;
/// No list tells when a model came to be: a time that stays the same. OpenAI's form has it in seconds.
const CREATED: i64 = 0;
const CREATED_AT: &str = "1970-01-01T00:00:00Z";

/// The protocol in which models are asked for.
pub(super) fn spoken(headers: &HeaderMap) -> &'static dyn Protocol {
    if headers.contains_key(ANTHROPIC) { &anthropic::PROTOCOL } else { &openai_chat::PROTOCOL }
}

/// What the caller may ask.
pub(super) async fn list(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let names = gateway.models_for(&caller).await;
    if !headers.contains_key(ANTHROPIC) {
        let data: Vec<_> = names.iter().map(|name| of_openai(name)).collect();
        return Json(json!({"object": "list", "data": data})).into_response();
    }
    match page(&names, &asked) {
        Ok(page) => Json(page).into_response(),
        Err(refusal) => refusal.into_response(spoken(&headers)),
    }
}

/// One of them.
pub(super) async fn one(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(model): Path<String>,
    headers: HeaderMap,
) -> Response {
    let name = gateway.client().full_name(&model);
    if !gateway.models_for(&caller).await.contains(&name) {
        let message = format!("{model:?} is not listed here: GET /v1/models says what is");
        return Refusal::new(StatusCode::NOT_FOUND, "model_not_found", message).into_response(spoken(&headers));
    }
    let told = if headers.contains_key(ANTHROPIC) { of_anthropic(&name) } else { of_openai(&name) };
    Json(told).into_response()
}

impl Gateway {
    async fn models_for(&self, caller: &Caller) -> Vec<String> {
        let offer = self.client().offer().await;
        offer.iter().filter(|model| caller.may_ask(model)).cloned().collect()
    }
}

fn of_openai(name: &str) -> Value {
    let owner = name.split_once('/').map_or("headrace", |(provider, _)| provider);
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": owner})
}

fn of_anthropic(name: &str) -> Value {
    json!({"type": "model", "id": name, "display_name": name, "created_at": CREATED_AT})
}

/// A page of Anthropic's: `limit` of them, after or before one.
fn page(names: &[String], asked: &HashMap<String, String>) -> Result<Value, Refusal> {
    let limit = match asked.get("limit") {
        None => USUAL,
        Some(text) => text.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
            Refusal::invalid(format!("limit is {text:?}: give a whole number from 1 to {MOST}, or none for {USUAL}"))
        })?,
    };
    let place = |key: &str| {
        let Some(id) = asked.get(key) else { return Ok(None) };
        let place = names.iter().position(|name| name == id);
        place
            .map(Some)
            .ok_or_else(|| Refusal::invalid(format!("{key} is {id:?}, which is not listed: name a model that is")))
    };
    let (rest, is_before) = match (place("after_id")?, place("before_id")?) {
        (Some(_), Some(_)) => return Err(Refusal::invalid("after_id and before_id are both given: give one of them")),
        (Some(after), None) => (&names[after + 1..], false),
        (None, Some(before)) => (&names[..before], true),
        (None, None) => (names, false),
    };
    let count = limit.min(rest.len());
    let shown = if is_before { &rest[rest.len() - count..] } else { &rest[..count] };
    let data: Vec<_> = shown.iter().map(|name| of_anthropic(name)).collect();
    Ok(json!({"data": data, "has_more": rest.len() > count, "first_id": shown.first(), "last_id": shown.last()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_meet_without_a_gap_forwards_and_backwards() {
        let names: Vec<String> = (0..45).map(|number| format!("a/{number}")).collect();
        let of = |pairs: &[(&str, &str)]| {
            page(&names, &pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        let ids = |page: &Value| -> Vec<String> {
            page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
        };
        for (turn, edge) in [("after_id", "last_id"), ("before_id", "first_id")] {
            let mut pages = Vec::new();
            let mut told = of(&[("limit", "20"), (turn, if turn == "after_id" { "a/0" } else { "a/44" })]).unwrap();
            loop {
                pages.push(ids(&told));
                if told["has_more"] == false {
                    break;
                }
                told = of(&[("limit", "20"), (turn, told[edge].as_str().unwrap())]).unwrap();
            }
            if turn == "before_id" {
                pages.reverse();
            }
            let expected = if turn == "after_id" { &names[1..] } else { &names[..44] };
            assert_eq!(pages.concat(), expected);
        }
        assert_eq!(ids(&of(&[]).unwrap()).len(), USUAL);
        for wrong in [("limit", "0"), ("limit", "1001"), ("limit", "all"), ("after_id", "nosuch")] {
            assert_eq!(of(&[wrong]).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
        assert!(of(&[("after_id", "a/1"), ("before_id", "a/9")]).is_err());
        let none = page(&[], &HashMap::new()).unwrap();
        assert_eq!(none, json!({"data": [], "has_more": false, "first_id": null, "last_id": null}));
    }
}
