//! The one error type of the core. Every message says what was given, what was expected and what to do.

use std::time::Duration;

/// The result of everything in the core that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, a variant for each exception that Python sees.
///
/// ```
/// let error = headrace::Error::invalid("priority 9 is unknown: give critical, high, normal or low, or 0 to 3");
/// assert!(matches!(error, headrace::Error::InvalidArgument(_)));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The queue holds as much as it may.
    #[error("{0}")]
    QueueFull(String),
    /// The queue was closed.
    #[error("{0}")]
    QueueClosed(String),
    /// The lease ended before it was acked, nacked or extended.
    #[error("{0}")]
    LeaseLost(String),
    /// The request went to the dead letters.
    #[error("{0}")]
    RequestFailed(String),
    /// The request was cancelled.
    #[error("{0}")]
    RequestCancelled(String),
    /// The call does not fit into a budget.
    #[error("{0}")]
    BudgetExceeded(String),
    /// No provider serves the model.
    #[error("{0}")]
    UnknownModel(String),
    /// A provider did not answer, or answered with an error.
    #[error(transparent)]
    Provider(Box<ProviderError>),
    /// An embedding is not a finite, non-zero vector of the expected dimension.
    #[error("{0}")]
    Embedding(String),
    /// The time that the caller allowed is over.
    #[error("{0}")]
    Timeout(String),
    /// A file or server that keeps state did not do what was asked.
    #[error("{0}")]
    Store(String),
    /// A setting is unknown or has no valid value.
    #[error("{0}")]
    Config(String),
    /// An argument has a value that is not allowed.
    #[error("{0}")]
    InvalidArgument(String),
}

impl Error {
    /// An argument that is out of its range.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidArgument(message.into())
    }
}

impl Error {
    /// The kind of failure in one word, for counts and traces: it holds nothing of the call.
    ///
    /// ```
    /// assert_eq!(headrace::Error::Timeout("no answer within 5 s: raise timeout=".into()).kind(), "timeout");
    /// ```
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::QueueFull(_) => "queue_full",
            Self::QueueClosed(_) => "queue_closed",
            Self::LeaseLost(_) => "lease_lost",
            Self::RequestFailed(_) => "request_failed",
            Self::RequestCancelled(_) => "request_cancelled",
            Self::BudgetExceeded(_) => "budget_exceeded",
            Self::UnknownModel(_) => "unknown_model",
            Self::Provider(error) => error.kind.name(),
            Self::Embedding(_) => "embedding",
            Self::Timeout(_) => "timeout",
            Self::Store(_) => "store",
            Self::Config(_) => "config",
            Self::InvalidArgument(_) => "invalid_argument",
        }
    }
}

impl ProviderErrorKind {
    /// Its name, for counts and traces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Authentication => "authentication",
            Self::ContextLength => "context_length",
            Self::Billing => "billing",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
        }
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        Self::Provider(Box::new(error))
    }
}

/// Which kind of failure a provider reported.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderErrorKind {
    /// HTTP 429: too many requests or tokens.
    RateLimited,
    /// HTTP 401 or 403: the key is missing, wrong or lacks a right.
    Authentication,
    /// The messages, with what may be answered, are longer than the model takes: HTTP 413, or told in words.
    ContextLength,
    /// HTTP 402, or the account's credit or quota is used up: nothing will be served before somebody pays.
    Billing,
    /// No connection, a time-out, HTTP 5xx, or a reply that cannot be read.
    Unavailable,
    /// Any other refusal, for example HTTP 400.
    Rejected,
}

/// A failed call to a provider.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct ProviderError {
    /// The kind of failure.
    pub kind: ProviderErrorKind,
    /// The name of the provider, as in `openai`.
    pub provider: String,
    /// What happened and what to do; never holds a key.
    pub message: String,
    /// The HTTP status, where there was a reply.
    pub status_code: Option<u16>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// The provider's name for the request.
    pub request_id: Option<String>,
    /// Whether the same call may succeed later.
    pub is_retryable: bool,
}

impl ProviderError {
    /// The name of the exception that Python sees.
    #[must_use]
    pub fn exception(&self) -> &'static str {
        match self.kind {
            ProviderErrorKind::RateLimited => "RateLimited",
            ProviderErrorKind::Authentication => "AuthenticationError",
            ProviderErrorKind::ContextLength => "ContextLengthExceeded",
            ProviderErrorKind::Unavailable => "ProviderUnavailable",
            // OpenAI tells a quota that is used up as HTTP 429.
            ProviderErrorKind::Billing if self.status_code == Some(429) => "RateLimited",
            ProviderErrorKind::Billing | ProviderErrorKind::Rejected => "ProviderError",
        }
    }
}
