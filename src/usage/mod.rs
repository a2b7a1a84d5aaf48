//! What a call used, with one meaning whoever answered: input is all input, output is all output.

#![deny(clippy::disallowed_types, clippy::float_arithmetic)]

mod count;
mod families;
mod place;
mod report;
mod response;
mod stream;
mod tier;
mod tools;
mod whole;

pub use report::UsageReport;
pub use tier::ServiceTier;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Tokens and fees of one call. `input_tokens` has its parts in it, and so has `output_tokens`.
///
/// ```
/// use headrace::usage::Usage;
/// let usage = Usage { cached_input_tokens: 800, ..Usage::new(1000, 50) };
/// assert_eq!(usage.total_tokens(), 1050);
/// assert!(usage.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All input: cached reads, cache writes, audio and images in it.
    pub input_tokens: u64,
    /// All output: reasoning, audio and images in it.
    pub output_tokens: u64,
    /// Input read from the provider's prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_input_tokens: u64,
    /// Input written to the provider's prompt cache, for however long.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// The part of the cache writes that is for an hour; the rest is for five minutes.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h_tokens: u64,
    /// Output that is the model's reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// Input that is audio and was not read from the cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_audio_tokens: u64,
    /// Output that is audio.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_audio_tokens: u64,
    /// Input that is images and was not read from the cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_image_tokens: u64,
    /// Output that is images.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_image_tokens: u64,
    /// Images made, where a provider charges by the image.
    #[serde(skip_serializing_if = "is_zero")]
    pub images: u64,
    /// Web searches that the provider made.
    #[serde(skip_serializing_if = "is_zero")]
    pub searches: u64,
    /// Requests, for fees a request.
    #[serde(skip_serializing_if = "is_one")]
    pub requests: u64,
    /// The terms; `None` is the standard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
}

// A ledger of millions of calls need not say of each that it had no audio.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input_tokens: 0,
            output_tokens: 0,
            cached_input_tokens: 0,
            cache_write_tokens: 0,
            cache_write_1h_tokens: 0,
            reasoning_tokens: 0,
            input_audio_tokens: 0,
            output_audio_tokens: 0,
            input_image_tokens: 0,
            output_image_tokens: 0,
            images: 0,
            searches: 0,
            requests: 1,
            service_tier: None,
        }
    }
}

impl Usage {
    /// A plain call.
    #[must_use]
    pub fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self { input_tokens, output_tokens, ..Self::default() }
    }

    /// Input and output.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Refuses parts that are larger than their whole.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the part.
    pub fn check(&self) -> Result<()> {
        let cached = self.cached_input_tokens.saturating_add(self.cache_write_tokens);
        let parts = [
            ("cached_input_tokens with cache_write_tokens", cached, "input_tokens", self.input_tokens),
            ("cache_write_1h_tokens", self.cache_write_1h_tokens, "cache_write_tokens", self.cache_write_tokens),
            ("input_audio_tokens", self.input_audio_tokens, "input_tokens", self.input_tokens),
            ("input_image_tokens", self.input_image_tokens, "input_tokens", self.input_tokens),
            ("reasoning_tokens", self.reasoning_tokens, "output_tokens", self.output_tokens),
            ("output_audio_tokens", self.output_audio_tokens, "output_tokens", self.output_tokens),
            ("output_image_tokens", self.output_image_tokens, "output_tokens", self.output_tokens),
        ];
        match parts.into_iter().find(|(_, part, _, whole)| part > whole) {
            None => Ok(()),
            Some((part, tokens, whole, all)) => Err(Error::invalid(format!(
                "{part} is {tokens} and {whole} {all}: the whole has its parts in it, so give at least {tokens} as {whole}"
            ))),
        }
    }
}
