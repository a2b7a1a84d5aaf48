//! One line of figures: the calls that agree in operation, model, cache and outcome.

use super::durations::DurationHistogram;
use crate::cost::CacheUse;
use crate::cost::money::Money;
use std::time::Duration;

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// An answer, whole or as a stream.
    Chat,
    /// Vectors.
    Embeddings,
}

impl Operation {
    /// Its name in OpenTelemetry's conventions.
    ///
    /// ```
    /// assert_eq!(headrace::metrics::Operation::Embeddings.name(), "embeddings");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

/// Numbers of tokens, in the buckets of OpenTelemetry's conventions: powers of four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenHistogram {
    /// How many calls fell in each bucket; the last one has no bound.
    pub counts: [u64; Self::BOUNDS.len() + 1],
    /// All tokens.
    pub total: u64,
}

impl TokenHistogram {
    /// The most tokens that each bucket takes, but the last.
    pub const BOUNDS: [u64; 14] =
        [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];

    /// Counts a call.
    ///
    /// ```
    /// use headrace::metrics::TokenHistogram;
    /// let mut tokens = TokenHistogram::default();
    /// tokens.record(5);
    /// assert_eq!((tokens.total, tokens.counts[2]), (5, 1));
    /// ```
    pub fn record(&mut self, tokens: u64) {
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < tokens);
        self.counts[bucket] += 1;
        self.total = self.total.saturating_add(tokens);
    }
}

/// The figures of the calls that agree in operation, provider, model, cache and outcome.
#[derive(Debug, Clone)]
pub struct CallSeries {
    /// What was asked for.
    pub operation: Operation,
    /// The provider; `headrace` where the call came to none.
    pub provider: String,
    /// The model, without its provider; `other` where it is not told apart.
    pub model: String,
    /// Where the answer came from.
    pub cache: CacheUse,
    /// What the calls failed by; None: they did not.
    pub error: Option<&'static str>,
    /// From the call to its last word, turns and retries included; there is one for each call.
    pub duration: DurationHistogram,
    /// Of streams: from the call to the first word.
    pub first_chunk: DurationHistogram,
    /// How long they waited for their turns, all together.
    pub waited: Duration,
    /// How often a provider was asked.
    pub attempts: u64,
    /// Attempts beyond the first of a call.
    pub retries: u64,
    /// Input tokens a provider billed.
    pub input_tokens: TokenHistogram,
    /// Output tokens a provider billed.
    pub output_tokens: TokenHistogram,
    /// What they cost.
    pub cost: Money,
    /// What the cache saved.
    pub saved: Money,
}

impl CallSeries {
    pub(super) fn new(
        operation: Operation,
        provider: &str,
        model: &str,
        cache: CacheUse,
        error: Option<&'static str>,
    ) -> Self {
        Self {
            operation,
            provider: provider.to_owned(),
            model: model.to_owned(),
            cache,
            error,
            duration: DurationHistogram::coarse(),
            first_chunk: DurationHistogram::coarse(),
            waited: Duration::ZERO,
            attempts: 0,
            retries: 0,
            input_tokens: TokenHistogram::default(),
            output_tokens: TokenHistogram::default(),
            cost: Money::ZERO,
            saved: Money::ZERO,
        }
    }

    /// How many calls it counts.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.duration.count()
    }
}
