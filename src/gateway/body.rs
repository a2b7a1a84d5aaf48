//! The body of a request, within bounds of size and time.

use super::Gateway;
use super::refusal::Refusal;
use crate::wire::json;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use http_body_util::LengthLimitError;
use serde_json::Value;
use std::error::Error as _;

impl Gateway {
    /// The body as JSON.
    pub(super) async fn read_json(&self, body: Body) -> Result<Value, Refusal> {
        let bytes = self.read(body).await?;
        json::parse(&bytes).map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, "invalid_json", not_json(&why)))
    }

    async fn read(&self, body: Body) -> Result<Bytes, Refusal> {
        let (most, patience) = (self.config().max_body_bytes, self.config().body_timeout);
        let read = tokio::time::timeout(patience, to_bytes(body, most)).await.map_err(|_| {
            let seconds = patience.as_secs_f64();
            let message = format!("the body did not come within {seconds} s: send it in one go");
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
        })?;
        read.map_err(|error| {
            if error.source().and_then(|source| source.downcast_ref::<LengthLimitError>()).is_some() {
                let message = format!("the body has more than {most} bytes: send less, or raise max_body_bytes");
                return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message);
            }
            Refusal::invalid("the body broke off: send it whole")
        })
    }
}

fn not_json(why: &str) -> String {
    format!("the body is no JSON ({why}): send an object")
}
