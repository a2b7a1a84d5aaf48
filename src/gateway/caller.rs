//! Who asks, and how: by his key, and by the headers of headrace's own.

use super::keys::{HeldKey, Pass};
use super::refusal::Refusal;
use crate::chat::Request;
use crate::client::ChatCall;
use crate::queue::Priority;
use crate::wire::Protocol;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// Headers that a request may have.
pub(super) const PRIORITY: &str = "x-headrace-priority";
const TAGS: &str = "x-headrace-tags";
const TENANT: &str = "x-headrace-tenant";
const TIMEOUT: &str = "x-headrace-timeout";
/// W3C's Trace Context.
const TRACE: &str = "traceparent";

/// Who asks: the key, or nobody where none are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    pub(super) key: Option<Arc<HeldKey>>,
}

/// The key of a request: `Authorization: Bearer`, as OpenAI's clients send it, or `x-api-key`, as Anthropic's do.
pub(super) fn key_in(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| text("x-api-key")).or_else(|| text("api-key"))
}

impl Caller {
    /// Whether he sees what belongs to others: an administrator, or everybody where no keys are asked for.
    pub(super) fn sees_all(&self) -> bool {
        self.key.as_ref().is_none_or(|key| key.key.terms.is_admin)
    }

    /// The one tenant whose spend he sees; None: that of all.
    pub(super) fn only_tenant(&self) -> Option<String> {
        self.key.as_ref().filter(|_| !self.sees_all()).map(|key| key.key.terms.tenant.to_string())
    }

    /// Refuses what only an administrator may see.
    pub(super) fn check_admin(&self) -> Result<(), Refusal> {
        if self.sees_all() {
            return Ok(());
        }
        let message = "this key may not see what belongs to others: make one by headrace keys create --admin";
        Err(Refusal::new(StatusCode::FORBIDDEN, "admin_only", message))
    }

    /// Whether he may name a model.
    pub(super) fn may_ask(&self, model: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.key.terms.allows(model))
    }

    /// Lets a call of a model in, within the limits of the key, for as long as what comes back lives.
    pub(super) fn enter(&self, model: &str) -> Result<Option<Pass>, Refusal> {
        let Some(key) = &self.key else { return Ok(None) };
        if !self.may_ask(model) {
            let message = format!("this key may not ask {model:?}: name one that GET /v1/models lists");
            return Err(Refusal::new(StatusCode::FORBIDDEN, "model_not_allowed", message));
        }
        HeldKey::enter(key).map(Some).map_err(|full| {
            let message = format!("this key's limit of {} is reached: wait, or ask for a higher one", full.limit);
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message).after(full.wait)
        })
    }

    /// The tenant that pays, and whose cache is asked.
    fn tenant(&self, headers: &HeaderMap) -> Result<Arc<str>, Refusal> {
        match &self.key {
            Some(key) => Ok(Arc::clone(&key.key.terms.tenant)),
            None => Ok(text(headers, TENANT)?.filter(|name| !name.is_empty()).unwrap_or("default").into()),
        }
    }

    /// A call as the headers ask for it, within what the key allows.
    pub(super) fn call(
        &self,
        request: Request,
        headers: &HeaderMap,
        most: Option<Duration>,
    ) -> Result<ChatCall, Refusal> {
        let asked = text(headers, PRIORITY)?.map(read_priority).transpose()?.unwrap_or_default();
        let mut tags: Vec<String> = text(headers, TAGS)?
            .unwrap_or_default()
            .split(',')
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect();
        // A tag of this name is what a key's budget counts by: nobody else may set it.
        tags.retain(|tag| !tag.starts_with(super::budgets::KEY_TAG));
        let mut priority = asked;
        if let Some(key) = &self.key {
            priority = priority.max(key.key.terms.priority);
            tags.push(super::budgets::tag_of(&key.key));
        }
        let timeout = text(headers, TIMEOUT)?.map(read_timeout).transpose()?;
        let call = ChatCall {
            priority,
            tenant: self.tenant(headers)?,
            tags,
            timeout: timeout.into_iter().chain(most).min(),
            cache: !is_uncached(headers),
            ..ChatCall::of(request)
        };
        Ok(match text(headers, TRACE)? {
            Some(span) => call.within_span(span),
            None => call,
        })
    }
}

/// The body of an error of a request without a valid key.
pub(super) fn no_key(protocol: &dyn Protocol) -> axum::response::Response {
    let message = "the key is missing, unknown or revoked: give one that headrace keys create made";
    Refusal::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message).into_response(protocol)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    headers
        .get(name)
        .map(|value| value.to_str().map_err(|_| Refusal::invalid(format!("{name} is no plain text: give ASCII"))))
        .transpose()
}

fn read_priority(name: &str) -> Result<Priority, Refusal> {
    let found = name.trim().parse().map_or_else(|_| Priority::from_name(name.trim()), Priority::from_index);
    found.map_err(|error| Refusal::invalid(format!("{PRIORITY}: {error}")))
}

fn read_timeout(seconds: &str) -> Result<Duration, Refusal> {
    let read = seconds.trim().parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    read.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| Refusal::invalid(format!("{TIMEOUT} is {seconds:?}: give seconds, above 0")))
}

/// `Cache-Control: no-cache` and `no-store` ask for an answer of the provider's own.
fn is_uncached(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| {
        let word = word.trim();
        word.eq_ignore_ascii_case("no-cache") || word.eq_ignore_ascii_case("no-store")
    })
}
