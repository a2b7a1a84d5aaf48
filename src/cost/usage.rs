//! What a call used, with one meaning for every provider.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The terms on which a provider serves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// Answers within hours, at about half the price.
    Batch,
    /// Slower, cheaper.
    Flex,
    /// Faster, dearer.
    Priority,
}

impl ServiceTier {
    /// Reads `batch`, `flex` or `priority`; what means the standard terms is `None`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        Ok(Some(match text {
            "batch" => Self::Batch,
            "flex" => Self::Flex,
            "priority" | "fast" => Self::Priority,
            "" | "auto" | "default" | "standard" | "on_demand" | "scale" => return Ok(None),
            _ => {
                return Err(Error::invalid(format!(
                    "service tier {text:?} is unknown: give batch, flex, priority, or default"
                )));
            }
        }))
    }

    /// The word that `parse` reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }
}

/// What a call used. Input holds all input (cached, written to a cache, audio), output all output (reasoning, audio).
///
/// ```
/// use headrace::cost::usage::Usage;
/// let usage = Usage { input_tokens: 1000, cached_input_tokens: 800, ..Usage::default() };
/// assert_eq!(usage.requests, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All input.
    pub input_tokens: u64,
    /// All output.
    pub output_tokens: u64,
    /// Input that was read from the provider's prompt cache.
    pub cached_input_tokens: u64,
    /// Input that was written to it for five minutes.
    pub cache_write_tokens: u64,
    /// Input that was written to it for an hour.
    pub cache_write_1h_tokens: u64,
    /// Output that the model thought.
    pub reasoning_tokens: u64,
    /// Input that was sound.
    pub input_audio_tokens: u64,
    /// Output that was sound.
    pub output_audio_tokens: u64,
    /// Images made.
    pub images: u64,
    /// Web searches made.
    pub searches: u64,
    /// Calls.
    pub requests: u64,
    /// The terms; `None` is the standard.
    pub service_tier: Option<ServiceTier>,
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
            images: 0,
            searches: 0,
            requests: 1,
            service_tier: None,
        }
    }
}

impl Usage {
    /// Refuses parts that are larger than their whole.
    ///
    /// # Errors
    /// `InvalidArgument` where the parts of input or output add up to more than it.
    pub fn check(&self) -> Result<()> {
        let written = self.cache_write_tokens.saturating_add(self.cache_write_1h_tokens);
        let parts = [
            ("input", self.input_tokens, "cached and cache-written", self.cached_input_tokens.saturating_add(written)),
            ("input", self.input_tokens, "audio", self.input_audio_tokens),
            ("output", self.output_tokens, "reasoning", self.reasoning_tokens),
            ("output", self.output_tokens, "audio", self.output_audio_tokens),
        ];
        match parts.iter().find(|(_, whole, _, part)| part > whole) {
            None => Ok(()),
            Some((whole_name, whole, part_name, part)) => Err(Error::invalid(format!(
                "{part} {part_name} tokens are more than the {whole} {whole_name} tokens that hold them: \
                 {whole_name}_tokens is all {whole_name}"
            ))),
        }
    }
}
