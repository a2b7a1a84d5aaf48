//! What a stream says of itself before its first word.

use super::Response;
use crate::cost::CacheUse;
use crate::cost::money::Money;

/// What is known of an answer before its first word: where it comes from. What it costs is known at its end.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Where it comes from.
    pub cache: CacheUse,
    /// How near the cached question is, for an answer by similarity.
    pub similarity: Option<f32>,
    /// The model that makes it, as `provider/model`.
    pub model: String,
    /// How often a provider was asked.
    pub attempts: u32,
    /// What the cache saved.
    pub saved: Money,
}

impl Opening {
    pub(super) fn of(response: &Response) -> Self {
        Self {
            cache: response.cache,
            similarity: response.similarity,
            model: response.model.clone(),
            attempts: response.attempts,
            saved: response.saved,
        }
    }

    /// The provider that makes it.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.model.split_once('/').map_or("", |(provider, _)| provider)
    }
}
