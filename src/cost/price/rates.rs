//! The prices of one model at one time, and what a usage is worth by them.

use super::UsageKind;
use crate::cost::money::Money;
use crate::usage::{ServiceTier, Usage};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

const PER_MILLION: i128 = 1_000_000;

/// One kind of usage on a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// The kind.
    pub kind: UsageKind,
    /// How many units.
    pub quantity: u64,
    /// Dollars for one.
    pub unit_price: Money,
    /// Dollars for all.
    pub amount: Money,
}

/// A published price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What it is for.
    pub kind: UsageKind,
    /// The terms it holds on; `None` is the standard.
    pub tier: Option<ServiceTier>,
    /// It holds for all of a call whose input is longer than this, in tokens.
    pub above: u64,
    /// Dollars for one unit.
    pub price: Money,
}

/// The prices that hold for some terms and some length of input: one a kind, none where it is not charged for.
#[derive(Debug, Clone, PartialEq)]
struct Band {
    tier: Option<ServiceTier>,
    above: u64,
    prices: [Option<Money>; UsageKind::ALL.len()],
}

/// The prices of one model: by kind, terms and length of the input.
///
/// Written as `kind[>above][@tier]=dollars`, for a million tokens, or for one image, search or request.
///
/// ```
/// use headrace::{cost::price::Rates, usage::Usage};
/// let rates = Rates::parse("input=2 input>200000=4 output=10").unwrap();
/// assert_eq!(rates.total(&Usage::new(1_000, 10)).to_string(), "0.0021");
/// assert_eq!(rates.total(&Usage::new(200_001, 0)).to_string(), "0.800004");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    published: Vec<Rate>,
    /// The longest inputs first.
    bands: Vec<Band>,
}

impl Rates {
    /// From published prices.
    pub fn new(published: Vec<Rate>) -> Self {
        let mut bounds: Vec<_> = published.iter().map(|rate| (rate.tier, rate.above)).collect();
        // A long call on special terms falls back to the standard price of long calls, so each tier has every bound.
        let aboves: Vec<_> = bounds.iter().map(|bound| bound.1).chain([0]).collect();
        bounds.extend(bounds.clone().iter().flat_map(|bound| aboves.iter().map(|above| (bound.0, *above))));
        bounds.extend(aboves.iter().map(|above| (None, *above)));
        bounds.sort_by_key(|(tier, above)| (std::cmp::Reverse(*above), tier.map(ServiceTier::as_str)));
        bounds.dedup();
        let band = |(tier, above)| Band {
            tier,
            above,
            prices: UsageKind::ALL.map(|kind| charged(&published, kind, tier, above)),
        };
        let bands = bounds.into_iter().map(band).collect();
        Self { published, bands }
    }

    /// Reads `kind[>above][@tier]=dollars`, separated by spaces.
    ///
    /// # Errors
    /// `InvalidArgument` where a part is not of that form, or has digits finer than an attodollar for one unit.
    pub fn parse(text: &str) -> Result<Self> {
        text.split_whitespace().map(rate).collect::<Result<_>>().map(Self::new)
    }

    /// These prices with others over them: of the kinds that those name, theirs alone hold.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        let named = |kind| over.published.iter().any(|rate| rate.kind == kind);
        let kept = self.published.iter().filter(|rate| !named(rate.kind));
        Self::new(kept.chain(&over.published).copied().collect())
    }

    /// Refuses the price of a part whose whole has none: the rest of the whole would be free.
    ///
    /// # Errors
    /// `InvalidArgument`, naming both.
    pub fn check(&self) -> Result<()> {
        let has = |kind| self.published.iter().any(|rate| rate.kind == kind && rate.above == 0 && rate.tier.is_none());
        let whole = |kind: UsageKind| match kind {
            // What costs something to answer costs something to read.
            UsageKind::Output => Some(UsageKind::Input),
            kind => kind.part_of().map(|whole| whole.part_of().unwrap_or(whole)),
        };
        let unpriced = |rate: &Rate| {
            let whole = whole(rate.kind).filter(|whole| !has(*whole))?;
            Some((rate.kind.as_str(), whole.as_str()))
        };
        match self.published.iter().find_map(unpriced) {
            None => Ok(()),
            Some((part, whole)) => Err(Error::invalid(format!(
                "there is a price for {part} and none for {whole}, which would be free: give {whole} too, or 0 where it \
                 costs nothing"
            ))),
        }
    }

    /// The published prices.
    pub fn published(&self) -> &[Rate] {
        &self.published
    }

    /// Whether there is no price.
    pub fn is_empty(&self) -> bool {
        self.published.is_empty()
    }

    /// Dollars for one unit of a call like this; `None` where it is not charged for.
    pub fn unit_price(&self, kind: UsageKind, usage: &Usage) -> Option<Money> {
        self.band(usage)?.prices[kind as usize]
    }

    /// What the usage is worth, by kind; kinds that were not used, or are not charged for, are left out.
    pub fn lines(&self, usage: &Usage) -> Vec<CostLine> {
        let Some(band) = self.band(usage) else { return Vec::new() };
        let line = |(kind, quantity): (UsageKind, u64)| {
            let unit_price = band.prices[kind as usize]?;
            Some(CostLine { kind, quantity, unit_price, amount: unit_price.times(quantity) })
        };
        quantities(usage).into_iter().filter(|(_, quantity)| *quantity > 0).filter_map(line).collect()
    }

    /// The sum of the lines.
    pub fn total(&self, usage: &Usage) -> Money {
        let Some(band) = self.band(usage) else { return Money::ZERO };
        let of = |(kind, quantity): (UsageKind, u64)| band.prices[kind as usize].unwrap_or_default().times(quantity);
        quantities(usage).into_iter().map(of).sum()
    }

    fn band(&self, usage: &Usage) -> Option<&Band> {
        let fits = |band: &&Band| band.above == 0 || usage.input_tokens > band.above;
        let of = |tier| self.bands.iter().filter(fits).find(|band| band.tier == tier);
        of(usage.service_tier).or_else(|| of(None))
    }
}

/// The price that a kind is charged at: that of the longest bound, there for the terms, else for the standard; where there
/// is none, that of what it is part of. A discount that is told for short inputs is none for long ones.
fn charged(published: &[Rate], kind: UsageKind, tier: Option<ServiceTier>, above: u64) -> Option<Money> {
    let fits = |rate: &&Rate| rate.kind == kind && rate.above <= above && (rate.tier.is_none() || rate.tier == tier);
    let held = published.iter().filter(fits).max_by_key(|rate| (rate.above, rate.tier.is_some()));
    held.map(|rate| rate.price).or_else(|| charged(published, kind.part_of()?, tier, above))
}

/// Splits the usage so that each unit is in one kind; where parts overlap, the earlier kind has it.
pub(crate) fn quantities(usage: &Usage) -> [(UsageKind, u64); UsageKind::ALL.len()] {
    let mut input = usage.input_tokens;
    let mut output = usage.output_tokens;
    let take = |whole: &mut u64, part: u64| {
        let taken = part.min(*whole);
        *whole -= taken;
        taken
    };
    let cached = take(&mut input, usage.cached_input_tokens);
    let written_1h = take(&mut input, usage.cache_write_1h_tokens.min(usage.cache_write_tokens));
    let written = take(&mut input, usage.cache_write_tokens.saturating_sub(usage.cache_write_1h_tokens));
    let input_audio = take(&mut input, usage.input_audio_tokens);
    let input_image = take(&mut input, usage.input_image_tokens);
    let output_audio = take(&mut output, usage.output_audio_tokens);
    let output_image = take(&mut output, usage.output_image_tokens);
    let reasoning = take(&mut output, usage.reasoning_tokens);
    [
        (UsageKind::Input, input),
        (UsageKind::CachedInput, cached),
        (UsageKind::CacheWrite, written),
        (UsageKind::CacheWrite1h, written_1h),
        (UsageKind::InputAudio, input_audio),
        (UsageKind::InputImage, input_image),
        (UsageKind::Output, output),
        (UsageKind::Reasoning, reasoning),
        (UsageKind::OutputAudio, output_audio),
        (UsageKind::OutputImage, output_image),
        (UsageKind::Image, usage.images),
        (UsageKind::Search, usage.searches),
        (UsageKind::Request, usage.requests),
    ]
}

fn rate(part: &str) -> Result<Rate> {
    let read = || {
        let (name, price) = part.split_once('=')?;
        let (name, tier) = match name.split_once('@') {
            Some((name, tier)) => (name, ServiceTier::parse(tier).ok()?),
            None => (name, None),
        };
        let (kind, above) = match name.split_once('>') {
            Some((kind, above)) => (kind, above.parse().ok()?),
            None => (name, 0),
        };
        Some((UsageKind::parse(kind)?, tier, above, price))
    };
    let (kind, tier, above, price) = read().ok_or_else(|| {
        Error::invalid(format!(
            "price {part:?} is not understood: write kind[>above][@tier]=dollars, as in input>200000@batch=1.25"
        ))
    })?;
    Ok(Rate { kind, tier, above, price: per_unit(kind, price.parse()?)? })
}

/// Dollars for one unit, from how lists tell it: for a million tokens, or for one image, search or request.
///
/// # Errors
/// `InvalidArgument` for a negative price, and where one token would cost a fraction of an attodollar.
pub fn per_unit(kind: UsageKind, listed: Money) -> Result<Money> {
    let parts = if kind.is_tokens() { PER_MILLION } else { 1 };
    let atto = listed.attodollars();
    if atto < 0 {
        return Err(Error::invalid(format!("a price of {listed} dollars is negative: give 0 for what is free")));
    }
    if atto % parts != 0 {
        return Err(Error::invalid(format!(
            "a price of {listed} dollars a million has more than 12 decimals: round it"
        )));
    }
    Ok(Money::from_attodollars(atto / parts))
}

/// The inverse of [`per_unit`].
pub fn listed(kind: UsageKind, unit_price: Money) -> Money {
    if kind.is_tokens() { unit_price.times(PER_MILLION as u64) } else { unit_price }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usages() -> impl Strategy<Value = Usage> {
        let tier = prop_oneof![Just(None), Just(Some(ServiceTier::Batch)), Just(Some(ServiceTier::Flex))];
        ([0..400_000_u64, 0..400_000, 0..400_000, 0..400_000, 0..400_000, 0..400_000, 0..400_000], tier).prop_map(
            |([input, output, cached, written, hour, audio, reasoning], service_tier)| Usage {
                cached_input_tokens: cached,
                cache_write_tokens: written,
                cache_write_1h_tokens: hour,
                input_audio_tokens: audio,
                reasoning_tokens: reasoning,
                service_tier,
                ..Usage::new(input, output)
            },
        )
    }

    proptest! {
        #[test]
        fn a_bill_adds_up_and_counts_each_token_once(usage in usages()) {
            let rates = Rates::parse(
                "input=3 cached_input=0.3 cache_write=3.75 output=15 input>200000=6 output>200000=22.5 input@batch=1.5 request=0.01",
            ).unwrap();
            let lines = rates.lines(&usage);
            prop_assert_eq!(lines.iter().map(|line| line.amount).sum::<Money>(), rates.total(&usage));
            let counted = |kinds: &[UsageKind]| lines.iter().filter(|line| kinds.contains(&line.kind)).map(|line| line.quantity).sum::<u64>();
            prop_assert_eq!(counted(&UsageKind::ALL[..6]), usage.input_tokens);
            prop_assert_eq!(counted(&UsageKind::ALL[6..10]), usage.output_tokens);
        }
    }

    #[test]
    fn what_is_not_priced_apart_is_charged_as_its_whole() {
        let rates = Rates::parse("input=2 output=8 input@batch=1 input>100=4").unwrap();
        let price = |kind, tier, input| {
            rates
                .unit_price(kind, &Usage { service_tier: tier, ..Usage::new(input, 0) })
                .map(|price| listed(kind, price).to_string())
        };
        assert_eq!(price(UsageKind::CacheWrite1h, None, 1).as_deref(), Some("2"));
        assert_eq!(price(UsageKind::CachedInput, Some(ServiceTier::Batch), 1).as_deref(), Some("1"));
        assert_eq!(price(UsageKind::Reasoning, Some(ServiceTier::Flex), 1).as_deref(), Some("8"));
        assert_eq!(price(UsageKind::Input, Some(ServiceTier::Batch), 101).as_deref(), Some("4"));
        assert_eq!(price(UsageKind::Input, None, 100).as_deref(), Some("2"));
        assert_eq!(price(UsageKind::Input, None, 101).as_deref(), Some("4"));
        assert_eq!(price(UsageKind::Request, None, 1), None);
        assert!(Rates::parse("input=0.0000000000001").is_err() && Rates::parse("inputs=1").is_err());
        assert!(Rates::parse("input=-1").is_err());
    }
}
