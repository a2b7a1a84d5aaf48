//! HTTP replies and broken connections as typed errors that say what to do.

use crate::{Error, ProviderError, ProviderErrorKind};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// The most of a reply's body that goes into a message.
const EXCERPT: usize = 300;

/// An error of a reply that is no success.
pub(super) fn of_status(provider: &str, status: StatusCode, headers: &HeaderMap, body: &str) -> ProviderError {
    let said = serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|value| {
            let error = value.get("error")?;
            error
                .get("message")
                .or(Some(error))
                .map(|message| message.as_str().map_or_else(|| message.to_string(), str::to_owned))
        })
        .unwrap_or_else(|| body.trim().to_owned());
    let said: String = said.chars().take(EXCERPT).collect();
    let code = status.as_u16();
    let (kind, is_retryable, advice) = match code {
        401 | 403 => (ProviderErrorKind::Authentication, false, "check the API key and what it may do"),
        408 | 409 | 425 => (ProviderErrorKind::Unavailable, true, "try again later"),
        429 => (ProviderErrorKind::RateLimited, true, "wait, or set limits= below what the provider allows"),
        500.. => (ProviderErrorKind::Unavailable, true, "try again later, or name fallbacks="),
        404 => (ProviderErrorKind::Rejected, false, "check the model's name and base_url"),
        _ => (ProviderErrorKind::Rejected, false, "change the request"),
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    ProviderError {
        kind,
        provider: provider.to_owned(),
        message: format!("HTTP {code}: {said} ({advice})"),
        status_code: Some(code),
        retry_after: retry_after(headers),
        request_id: header("x-request-id").or_else(|| header("request-id")),
        is_retryable,
    }
}

/// How long a server asks to wait: milliseconds, seconds, or until a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let text = text("retry-after")?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

/// An error without a reply that could be read.
pub(super) fn unavailable(provider: &str, message: impl Into<String>) -> ProviderError {
    ProviderError {
        kind: ProviderErrorKind::Unavailable,
        provider: provider.to_owned(),
        message: message.into(),
        status_code: None,
        retry_after: None,
        request_id: None,
        is_retryable: true,
    }
}

/// An error of the connection.
pub(super) fn of_transport(provider: &str, base_url: &str, error: &reqwest::Error) -> Error {
    let what = if error.is_timeout() {
        "gave no answer in time: raise timeout=, or try again"
    } else if error.is_connect() {
        "cannot be reached: check base_url and the network"
    } else {
        "broke the connection off before the reply was whole: try again"
    };
    unavailable(provider, format!("{base_url} {what}")).into()
}

/// An error of a reply in another shape than promised.
pub(super) fn malformed(provider: &str, body: &str) -> Error {
    let excerpt: String = body.chars().take(EXCERPT).collect();
    unavailable(provider, format!("the reply is not what the API promises: {excerpt:?}; check base_url, or try again"))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            retry_after(&headers)
        };
        assert_eq!(with("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(with("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(with("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(with("retry-after", "soon"), None);
    }
}
