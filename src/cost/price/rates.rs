//! The prices of one model, and what a usage is worth by them.

use super::CostLine;
use crate::cost::money::Money;
use crate::cost::usage::{ServiceTier, Usage};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What is counted and paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Input that no other kind is.
    Input,
    /// Input read from the provider's cache.
    CachedInput,
    /// Input written to it for five minutes.
    CacheWrite,
    /// Input written to it for an hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Input that is sound.
    InputAudio,
    /// Output that no other kind is.
    Output,
    /// Output that the model thought.
    Reasoning,
    /// Output that is sound.
    OutputAudio,
    /// Images.
    Image,
    /// Web searches.
    Search,
    /// Calls.
    Request,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
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
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::Image => "image",
            Self::Search => "search",
            Self::Request => "request",
        }
    }

    /// The kind of that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whose price holds where the list has none for this kind.
    fn parent(self) -> Option<Self> {
        match self {
            Self::CacheWrite1h => Some(Self::CacheWrite),
            Self::CachedInput | Self::CacheWrite | Self::InputAudio => Some(Self::Input),
            Self::Reasoning | Self::OutputAudio => Some(Self::Output),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    kind: Kind,
    tier: Option<ServiceTier>,
    /// Holds where the input is longer than this.
    above: u64,
    price: Money,
}

/// The prices of one model: by kind, terms and length of the input.
///
/// ```
/// use headrace::cost::{price::Rates, usage::Usage};
/// let rates = Rates::parse("input=0.000002 input>200000=0.000004 output=0.00001").unwrap();
/// let usage = Usage { input_tokens: 1000, output_tokens: 10, ..Usage::default() };
/// assert_eq!(rates.total(&usage).to_string(), "0.0021");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates(Vec<Rate>);

impl Rates {
    /// What a model without a price is taken to cost: $3 and $15 a million tokens, as a large model does, so that an
    /// estimate is rather too high.
    pub fn fallback() -> Self {
        let rate = |kind, price| Rate { kind, tier: None, above: 0, price: Money::from_attodollars(price) };
        Self(vec![rate(Kind::Input, 3_000_000_000_000), rate(Kind::Output, 15_000_000_000_000)])
    }

    /// Reads `kind[>above][@tier]=dollars`, separated by spaces.
    ///
    /// # Errors
    /// `InvalidArgument` where a part is not of that form.
    pub fn parse(text: &str) -> Result<Self> {
        text.split_whitespace().map(|part| rate(part).ok_or_else(|| bad(part))).collect::<Result<_>>().map(Self)
    }

    /// Adds or replaces one price at the standard terms.
    #[must_use]
    pub fn with(mut self, kind: Kind, price: Money) -> Self {
        self.0.retain(|rate| rate.kind != kind);
        self.0.push(Rate { kind, tier: None, above: 0, price });
        self
    }

    /// Dollars for one unit; `None` where it is not charged for.
    pub fn unit_price(&self, kind: Kind, usage: &Usage) -> Option<Money> {
        let fits = |rate: &&Rate| rate.kind == kind && (rate.above == 0 || usage.input_tokens > rate.above);
        let of = |tier| {
            self.0
                .iter()
                .filter(fits)
                .filter(|rate| rate.tier == tier)
                .max_by_key(|rate| rate.above)
                .map(|rate| rate.price)
        };
        of(usage.service_tier)
            .or_else(|| of(None))
            .or_else(|| kind.parent().and_then(|parent| self.unit_price(parent, usage)))
    }

    /// What the usage is worth, by kind; kinds that were not used, or are not charged for, are left out.
    pub fn lines(&self, usage: &Usage) -> Vec<CostLine> {
        let line = |(kind, quantity)| {
            let unit_price = self.unit_price(kind, usage)?;
            Some(CostLine { kind, quantity, unit_price, amount: unit_price.times(quantity) })
        };
        quantities(usage).into_iter().filter(|(_, quantity)| *quantity > 0).filter_map(line).collect()
    }

    /// The sum of the lines.
    pub fn total(&self, usage: &Usage) -> Money {
        let used = quantities(usage).into_iter().filter(|(_, quantity)| *quantity > 0);
        used.map(|(kind, quantity)| self.unit_price(kind, usage).unwrap_or_default().times(quantity)).sum()
    }
}

/// Splits the usage so that each unit is in one kind.
fn quantities(usage: &Usage) -> [(Kind, u64); 11] {
    let special = usage.cached_input_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens;
    let plain_input = usage.input_tokens.saturating_sub(special);
    let audio_input = usage.input_audio_tokens.min(plain_input);
    let audio_output = usage.output_audio_tokens;
    let reasoning = usage.reasoning_tokens.min(usage.output_tokens.saturating_sub(audio_output));
    [
        (Kind::Input, plain_input - audio_input),
        (Kind::CachedInput, usage.cached_input_tokens),
        (Kind::CacheWrite, usage.cache_write_tokens),
        (Kind::CacheWrite1h, usage.cache_write_1h_tokens),
        (Kind::InputAudio, audio_input),
        (Kind::Output, usage.output_tokens.saturating_sub(audio_output + reasoning)),
        (Kind::Reasoning, reasoning),
        (Kind::OutputAudio, audio_output),
        (Kind::Image, usage.images),
        (Kind::Search, usage.searches),
        (Kind::Request, usage.requests),
    ]
}

fn rate(part: &str) -> Option<Rate> {
    let (name, price) = part.split_once('=')?;
    let (name, tier) = match name.split_once('@') {
        Some((name, tier)) => (name, ServiceTier::parse(tier).ok()?),
        None => (name, None),
    };
    let (kind, above) = match name.split_once('>') {
        Some((kind, above)) => (kind, above.parse().ok()?),
        None => (name, 0),
    };
    Some(Rate { kind: Kind::parse(kind)?, tier, above, price: price.parse().ok()? })
}

fn bad(part: &str) -> Error {
    Error::invalid(format!(
        "price {part:?} is not understood: write kind[>above][@tier]=dollars, as in input@batch=0.000001"
    ))
}
