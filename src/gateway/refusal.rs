//! What a caller is told where there is no answer: in the shape and the status codes of the protocol that he spoke.

use crate::wire::{Protocol, ToldError};
use crate::{Error, ProviderError, ProviderErrorKind};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// How long to wait where nobody knows better.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), retry_after: None }
    }

    pub(super) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// A request that is not what the protocol asks for.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message)
    }

    /// The error, told in the words of a protocol.
    fn told(&self) -> ToldError {
        // The kinds of OpenAI; Anthropic's follow from the status.
        let kind = match self.status.as_u16() {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            400..500 => "invalid_request_error",
            _ => "api_error",
        };
        ToldError {
            message: self.message.clone(),
            code: Some(self.code.clone()),
            kind: Some(kind.to_owned()),
            status: Some(self.status.as_u16()),
            ..ToldError::default()
        }
    }

    /// The reply.
    pub(super) fn into_response(self, protocol: &dyn Protocol) -> Response {
        let mut response = (self.status, Json(protocol.write_error(&self.told()))).into_response();
        if let Some(wait) = self.retry_after {
            // Whole seconds are what every client reads.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (status, code) = match &error {
            Error::Provider(provider) => return Self::of_provider(provider),
            Error::InvalidArgument(_) => (StatusCode::BAD_REQUEST, "invalid_value"),
            Error::UnknownModel(_) => (StatusCode::NOT_FOUND, "model_not_found"),
            Error::BudgetExceeded(_) => (StatusCode::PAYMENT_REQUIRED, "budget_exceeded"),
            Error::QueueFull(_) => (StatusCode::TOO_MANY_REQUESTS, "queue_full"),
            Error::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Error::QueueClosed(_) => (StatusCode::SERVICE_UNAVAILABLE, "queue_closed"),
            Error::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        };
        let refusal = Self::new(status, code, error.to_string());
        if matches!(error, Error::QueueFull(_)) { refusal.after(USUAL_WAIT) } else { refusal }
    }
}

impl Refusal {
    fn of_provider(error: &ProviderError) -> Self {
        let told = error.status_code.unwrap_or_default();
        let (status, code) = match error.kind {
            ProviderErrorKind::RateLimited => (429, "rate_limit_exceeded"),
            ProviderErrorKind::ContextLength => (400, "context_length_exceeded"),
            // The caller's own key and account are not at fault.
            ProviderErrorKind::Authentication => (502, "provider_authentication"),
            ProviderErrorKind::Billing => (502, "provider_billing"),
            ProviderErrorKind::Rejected if told == 404 => (404, "model_not_found"),
            ProviderErrorKind::Rejected if (400..500).contains(&told) => (told, "provider_rejected"),
            ProviderErrorKind::Rejected => (400, "provider_rejected"),
            ProviderErrorKind::Unavailable if matches!(told, 408 | 504) => (504, "provider_timeout"),
            ProviderErrorKind::Unavailable if told == 503 || error.retry_after.is_some() => {
                (503, "provider_unavailable")
            }
            ProviderErrorKind::Unavailable => (502, "provider_unavailable"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let refusal = Self::new(status, code, error.to_string());
        let wait = error.retry_after.or((status == StatusCode::TOO_MANY_REQUESTS).then_some(USUAL_WAIT));
        Self { retry_after: wait, ..refusal }
    }
}
