//! What came of one request.

use crate::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Where the answer came from, as far as the target says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum CacheKind {
    /// The target says nothing about a cache.
    #[default]
    Unsaid = 0,
    /// Computed anew.
    Miss = 1,
    /// Found by its exact key.
    Exact = 2,
    /// Found by similarity.
    Semantic = 3,
}

impl CacheKind {
    /// The kind of a name as in the header `x-headrace-cache`; any other is `Unsaid`.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "miss" => Self::Miss,
            "exact" => Self::Exact,
            "semantic" => Self::Semantic,
            _ => Self::Unsaid,
        }
    }

    /// Whether the cache gave the answer.
    #[must_use]
    pub fn is_hit(self) -> bool {
        matches!(self, Self::Exact | Self::Semantic)
    }
}

/// What came of one request. Everything but `error` is optional: a target says what it knows.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// A short name of what failed, as in `http_429`, `timeout` or `BudgetExceeded`; `None` is success.
    pub error: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// When the target really began, where that is not when it was called: time before counts as the generator's lag.
    pub started: Option<Instant>,
    /// From the call to the first token.
    pub first_token: Option<Duration>,
    /// The gaps between tokens.
    pub token_gaps: Vec<Duration>,
    /// Tokens in, out, and of the ones in those read from a provider's cache.
    pub tokens: Option<(u64, u64, u64)>,
    /// What it cost, in attodollars (10^-18 USD).
    pub cost: Option<i128>,
    /// Where the answer came from.
    pub cache: CacheKind,
    /// The answer, to see whether it is the right one.
    pub text: Option<String>,
    /// How often the target tried again.
    pub retries: u32,
    /// Other measurements by name, as in `queue_wait_ms`.
    pub extra: Vec<(String, f64)>,
}

impl Observation {
    /// Success, and nothing more to say.
    #[must_use]
    pub fn ok() -> Self {
        Self::default()
    }

    /// A failure.
    #[must_use]
    pub fn failed(kind: impl Into<String>) -> Self {
        Self { error: Some(kind.into()), ..Self::default() }
    }

    /// Makes it a failure of the name that Python sees, as in `QueueFull`.
    pub fn fail(&mut self, error: &Error) {
        let kind = match error {
            Error::QueueFull(_) => "QueueFull",
            Error::QueueClosed(_) => "QueueClosed",
            Error::LeaseLost(_) => "LeaseLost",
            Error::RequestFailed(_) => "RequestFailed",
            Error::RequestCancelled(_) => "RequestCancelled",
            Error::BudgetExceeded(_) => "BudgetExceeded",
            Error::UnknownModel(_) => "UnknownModel",
            Error::Provider(inner) => {
                self.status = inner.status_code;
                inner.exception()
            }
            Error::Embedding(_) => "EmbeddingError",
            Error::Timeout(_) => "Timeout",
            Error::Store(_) => "StoreError",
            Error::Config(_) => "ConfigError",
            Error::InvalidArgument(_) => "ValueError",
        };
        self.error = Some(kind.into());
    }
}
