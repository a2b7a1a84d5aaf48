//! The page at `/`: one file, with nothing from elsewhere, that shows what `/v1/headrace/overview` tells.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use rand::Rng;

/// The page, with `NONCE` where the word of one answer goes.
const PAGE: &str = include_str!("page.html");

/// Answers with the page. It holds no figure, and so asks for no key.
pub(super) async fn answer() -> Response {
    let nonce = format!("{:032x}", rand::rng().random::<u128>());
    (headers(&nonce), Html(PAGE.replace("NONCE", &nonce))).into_response()
}

fn headers(nonce: &str) -> HeaderMap {
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let mut headers: HeaderMap =
        fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers
}
