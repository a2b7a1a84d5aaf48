//! What every answer says in its headers, and the usage with its cost.

use crate::chat::Reply;
use crate::client::{Opening, Response};
use crate::cost::CacheUse;
use crate::cost::money::Money;
use crate::usage::{Usage, UsageReport};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// The headers of an answer.
#[derive(Debug, Default)]
pub(super) struct Facts<'a> {
    pub(super) cache: CacheUse,
    pub(super) similarity: Option<f32>,
    pub(super) cost: Option<Money>,
    pub(super) saved: Option<Money>,
    pub(super) model: &'a str,
    pub(super) attempts: u32,
}

impl<'a> Facts<'a> {
    pub(super) fn of(response: &'a Response) -> Self {
        Self {
            cache: response.cache,
            similarity: response.similarity,
            cost: Some(response.cost),
            saved: Some(response.saved),
            model: &response.model,
            attempts: response.attempts,
        }
    }

    /// Of a stream: what it costs is known at its end, unless the cache answers.
    pub(super) fn of_opening(opening: &'a Opening) -> Self {
        let is_hit = opening.cache != CacheUse::Miss;
        Self {
            cache: opening.cache,
            similarity: opening.similarity,
            cost: is_hit.then_some(Money::ZERO),
            saved: is_hit.then_some(opening.saved),
            model: &opening.model,
            attempts: opening.attempts,
        }
    }

    pub(super) fn put(&self, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-headrace-cache", self.cache.as_str().unwrap_or("miss").to_owned());
        set("x-headrace-attempts", self.attempts.to_string());
        set("x-headrace-model", self.model.to_owned());
        set("x-headrace-provider", self.model.split_once('/').map_or("", |(provider, _)| provider).to_owned());
        if let Some(similarity) = self.similarity {
            set("x-headrace-similarity", similarity.to_string());
        }
        if let Some(cost) = self.cost {
            set("x-headrace-cost-usd", cost.to_string());
        }
        if let Some(saved) = self.saved {
            set("x-headrace-saved-usd", saved.to_string());
        }
    }
}

/// The usage as it is told, with what the call cost here.
pub(super) fn usage_with_cost(usage: Usage, cost: Money, is_estimated: bool) -> UsageReport {
    UsageReport { usage, is_estimated, cost_usd: Some(cost.to_string().into()) }
}

/// The reply to be written: with the cost, and without the provider's own words, which no protocol writes.
pub(super) fn told(response: &Response) -> Reply {
    let reply = &response.reply;
    Reply {
        choices: reply.choices.clone(),
        usage: Some(usage_with_cost(response.usage, response.cost, response.estimated)),
        id: reply.id.clone(),
        model: reply.model.clone().or_else(|| Some(response.model.clone())),
        extra: reply.extra.clone(),
        raw: Value::Null,
    }
}
