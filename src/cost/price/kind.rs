//! What is counted and paid for.

use serde::{Deserialize, Serialize};

/// One kind of usage: each unit of a call is of just one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageKind {
    /// Input that no other kind is.
    Input,
    /// Input read from the provider's cache.
    CachedInput,
    /// Input written to it for five minutes.
    CacheWrite,
    /// Input written to it for an hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Input that is audio.
    InputAudio,
    /// Input that is images.
    InputImage,
    /// Output that no other kind is.
    Output,
    /// Output that is the model's reasoning.
    Reasoning,
    /// Output that is audio.
    OutputAudio,
    /// Output that is images, by the token.
    OutputImage,
    /// Images made, by the image.
    Image,
    /// Web searches.
    Search,
    /// Requests.
    Request,
}

impl UsageKind {
    /// Every kind, in the order of a bill.
    pub const ALL: [Self; 13] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::InputImage,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
        Self::OutputImage,
        Self::Image,
        Self::Search,
        Self::Request,
    ];

    /// The word for it in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image",
            Self::Image => "image",
            Self::Search => "search",
            Self::Request => "request",
        }
    }

    /// The kind of that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it is counted in tokens, which lists price by the million; the others are priced by one.
    pub fn is_tokens(self) -> bool {
        !matches!(self, Self::Image | Self::Search | Self::Request)
    }

    /// Whose price holds where the list has none for this kind: what a provider does not price apart is charged as
    /// what it is part of.
    pub(super) fn part_of(self) -> Option<Self> {
        match self {
            Self::CacheWrite1h => Some(Self::CacheWrite),
            Self::CachedInput | Self::CacheWrite | Self::InputAudio | Self::InputImage => Some(Self::Input),
            Self::Reasoning | Self::OutputAudio | Self::OutputImage => Some(Self::Output),
            Self::Input | Self::Output | Self::Image | Self::Search | Self::Request => None,
        }
    }
}
