//! Failures of a provider as typed errors that say what to do, without a secret in them.

mod class;
mod patience;

#[cfg(any(test, fuzzing))]
pub(crate) use patience::waits_of;

use super::gate::Gate;
use crate::wire::ToldError;
use crate::{ProviderError, ProviderErrorKind};
use class::classify;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use std::time::Duration;

/// The most characters of a provider's words that go into a message.
const EXCERPT: usize = 300;

/// The most characters of a provider's name for a request.
const REQUEST_ID: usize = 128;

/// Writes a provider's errors. Whatever is in them has passed the gate.
#[derive(Debug, Clone)]
pub(super) struct Failures {
    provider: String,
    base_url: String,
    gate: Gate,
}

impl Failures {
    /// For a provider at an address.
    pub(super) fn new(provider: &str, base_url: &str, gate: Gate) -> Self {
        Self { provider: provider.to_owned(), base_url: gate.clean(base_url), gate }
    }

    /// The address, as it may be shown.
    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A reply that is no success. `told` is what the protocol reads in its body.
    pub(super) fn of_status(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        told: Option<ToldError>,
        body: &str,
    ) -> ProviderError {
        if status.is_redirection() {
            return self.redirected(status, headers);
        }
        let told = told.filter(|told| !told.message.is_empty() || told.code.is_some() || told.kind.is_some());
        let told = told.unwrap_or_else(|| ToldError { message: body.to_owned(), ..ToldError::default() });
        let class = classify(Some(status.as_u16()), &told);
        let words = self.words(&told);
        ProviderError {
            is_retryable: class.is_retryable,
            status_code: Some(status.as_u16()),
            retry_after: patience::retry_after(headers, Timestamp::now()),
            request_id: self.request_id(headers),
            ..self.error(class.kind, &format!("HTTP {}: {words} ({})", status.as_u16(), class.advice))
        }
    }

    /// An error that a reply tells which began as a success.
    pub(super) fn told(&self, told: &ToldError, headers: &HeaderMap) -> ProviderError {
        if told.is_malformed {
            return ProviderError { request_id: self.request_id(headers), ..self.malformed(&told.message) };
        }
        let class = classify(None, told);
        let words = self.words(told);
        ProviderError {
            is_retryable: class.is_retryable,
            status_code: told.status,
            request_id: self.request_id(headers),
            ..self.error(class.kind, &format!("{words} ({})", class.advice))
        }
    }

    /// A reply in another shape than promised.
    pub(super) fn malformed(&self, found: &str) -> ProviderError {
        let found = self.gate.excerpt(found, EXCERPT);
        self.unavailable(&format!("the reply is not what the API promises: {found:?}; check base_url, or try again"))
    }

    /// A reply that is larger than `bound` bytes. It was paid for, and would be as large again.
    pub(super) fn too_large(&self, what: &str, bound: usize) -> ProviderError {
        let message = format!(
            "{} sent {what} of more than {bound} bytes, which was not read to its end: ask for less",
            self.base_url
        );
        ProviderError { is_retryable: false, ..self.unavailable(&message) }
    }

    /// A stream that ended too early.
    pub(super) fn cut(&self) -> ProviderError {
        self.unavailable(&format!("{} ended the stream before it was whole: try again", self.base_url))
    }

    /// A request that took longer than it may.
    pub(super) fn too_late(&self, what: &str, name: &str, bound: Duration) -> ProviderError {
        let seconds = bound.as_secs_f64();
        self.unavailable(&format!(
            "{} sent no {what} within {seconds} s: raise {name}=, try again, or name fallbacks=",
            self.base_url
        ))
    }

    /// A connection that failed.
    pub(super) fn of_transport(&self, error: &reqwest::Error) -> ProviderError {
        let what = if error.is_timeout() {
            "gave no answer in time: raise timeout= or read_timeout=, or try again"
        } else if error.is_connect() {
            "cannot be reached: check base_url and the network"
        } else if error.is_decode() {
            "sent a body that cannot be decompressed: try again"
        } else {
            "broke the connection off before the reply was whole: try again"
        };
        self.unavailable(&format!("{} {what}", self.base_url))
    }

    /// A failure of which nothing else is known; the same call may succeed later.
    pub(super) fn unavailable(&self, message: &str) -> ProviderError {
        ProviderError { is_retryable: true, ..self.error(ProviderErrorKind::Unavailable, message) }
    }

    /// What is asked for is not to be had here.
    pub(super) fn refused(&self, message: &str) -> ProviderError {
        self.error(ProviderErrorKind::Rejected, message)
    }

    fn redirected(&self, status: StatusCode, headers: &HeaderMap) -> ProviderError {
        let to = headers
            .get(LOCATION)
            .map_or_else(String::new, |to| self.shown_url(&String::from_utf8_lossy(to.as_bytes())));
        let message = format!(
            "HTTP {}: {} points to {to:?}, and nothing was sent there: if you trust that address, give it as base_url",
            status.as_u16(),
            self.base_url
        );
        ProviderError {
            status_code: Some(status.as_u16()),
            request_id: self.request_id(headers),
            ..self.refused(&message)
        }
    }

    /// An address without what may be secret in it.
    fn shown_url(&self, url: &str) -> String {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let address = &url[..end];
        let shown = match address.split_once("://") {
            Some((scheme, rest)) => {
                let host = rest.find('/').unwrap_or(rest.len());
                let from = rest[..host].rfind('@').map_or(0, |at| at + 1);
                format!("{scheme}://{}", &rest[from..])
            }
            None => address.to_owned(),
        };
        self.gate.excerpt(&shown, EXCERPT)
    }

    fn words(&self, told: &ToldError) -> String {
        let words = self.gate.excerpt(&told.message, EXCERPT);
        match told.code.as_deref().or(told.kind.as_deref()) {
            Some(code) if words.is_empty() => self.gate.excerpt(code, EXCERPT),
            _ if words.is_empty() => "no reason given".into(),
            _ => words,
        }
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        let id = headers.get("x-request-id").or_else(|| headers.get("request-id"))?;
        let id = self.gate.excerpt(&String::from_utf8_lossy(id.as_bytes()), REQUEST_ID);
        (!id.is_empty()).then_some(id)
    }

    /// Every error of a provider is made here.
    fn error(&self, kind: ProviderErrorKind, message: &str) -> ProviderError {
        ProviderError {
            kind,
            provider: self.provider.clone(),
            message: self.gate.clean(message),
            status_code: None,
            retry_after: None,
            request_id: None,
            is_retryable: false,
        }
    }
}
