//! One call, as the ledger keeps it.

use super::attribution::Attribution;
use super::carbon::{Footprint, Impact};
use super::money::Money;
use super::price::{CostLine, Rates};
use crate::usage::{Usage, UsageReport};
use std::sync::Arc;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheUse {
    /// From a provider, which was paid.
    #[default]
    Miss,
    /// From the cache, for the same question.
    Exact,
    /// From the cache, for a question of the same meaning.
    Semantic,
}

impl CacheUse {
    /// Reads `exact` or `semantic`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Exact, Self::Semantic].into_iter().find(|kind| kind.as_str() == Some(text))
    }

    /// `exact`, `semantic`, or nothing.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Miss => None,
            Self::Exact => Some("exact"),
            Self::Semantic => Some("semantic"),
        }
    }

    /// Whether the cache answered.
    pub fn is_hit(self) -> bool {
        self != Self::Miss
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Self {
        [Self::Miss, Self::Exact, Self::Semantic].into_iter().find(|kind| *kind as u8 == number).unwrap_or_default()
    }
}

/// A call that is over.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The model, as `provider/model`.
    pub model: &'a str,
    /// What it used; of a cached answer, what it would have used.
    pub usage: &'a Usage,
    /// When, in microseconds since 1970; `None` is now.
    pub time: Option<i64>,
    /// Where the answer came from.
    pub cache: CacheUse,
    /// Seconds that the provider took, where measured.
    pub latency_s: Option<f64>,
    /// How often the provider was asked.
    pub attempts: u32,
    /// Whether the usage is an estimate, as the provider gave none.
    pub is_usage_estimated: bool,
    /// What the provider says that it cost.
    pub told_cost: Option<Money>,
    /// What a route's choice of the model saved against its dearest candidate.
    pub saved_by_route: Option<Money>,
}

impl<'a> Call<'a> {
    /// A call that a provider answered just now.
    pub fn new(model: &'a str, usage: &'a Usage) -> Self {
        Self {
            model,
            usage,
            time: None,
            cache: CacheUse::Miss,
            latency_s: None,
            attempts: 1,
            is_usage_estimated: false,
            told_cost: None,
            saved_by_route: None,
        }
    }

    /// A call that a provider answered just now, with what its reply says of the usage.
    pub fn reported(model: &'a str, report: &'a UsageReport) -> Self {
        Self {
            is_usage_estimated: report.is_estimated,
            told_cost: report.cost_usd.as_deref().and_then(Money::nearest),
            ..Self::new(model, &report.usage)
        }
    }
}

/// What of a record is an estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Estimated {
    /// The price: no list has the model.
    pub price: bool,
    /// The usage: the provider gave none.
    pub usage: bool,
}

impl Estimated {
    /// Whether anything is.
    pub fn any(self) -> bool {
        self.price || self.usage
    }

    pub(crate) fn number(self) -> u8 {
        u8::from(self.price) | u8::from(self.usage) << 1
    }

    pub(crate) fn from_number(number: u8) -> Self {
        Self { price: number & 1 > 0, usage: number & 2 > 0 }
    }
}

/// The model behind some records, with all that was known of it when they were written.
#[derive(Debug)]
pub struct RateCard {
    /// Its number in the ledger.
    pub number: u32,
    /// The provider that was paid.
    pub provider: String,
    /// The model, without its provider.
    pub model: String,
    /// What of its records is an estimate.
    pub estimated: Estimated,
    /// Which price list it came from.
    pub version: String,
    /// The zone whose electricity is counted.
    pub zone: String,
    /// How to work out energy and carbon; `None` where the model's size is unknown.
    pub footprint: Option<Footprint>,
    /// The prices that held; none where the records keep their own lines.
    pub(crate) rates: Rates,
}

/// One call in the ledger.
#[derive(Debug, Clone)]
pub struct CostRecord {
    /// Its number, unique in the ledger; zero for a quote.
    pub id: u64,
    /// When, in microseconds since 1970.
    pub time: i64,
    /// The model.
    pub card: Arc<RateCard>,
    /// Who it was for.
    pub attribution: Arc<Attribution>,
    /// What it used.
    pub usage: Usage,
    /// What the usage is worth: the cost of a paid call, the saving of a cached answer.
    pub amount: Money,
    /// What the provider says that the call cost.
    pub told_cost: Option<Money>,
    /// What a route's choice of the model saved against its dearest candidate.
    pub saved_by_route: Option<Money>,
    /// The amount by kind of usage, where it was read from a file.
    pub(crate) written_lines: Option<Arc<[CostLine]>>,
    /// Where the answer came from.
    pub cache: CacheUse,
    /// Seconds that the provider took, where measured.
    pub latency_s: Option<f64>,
    /// How often the provider was asked.
    pub attempts: u32,
}

impl CostRecord {
    /// The amount by kind of usage. In memory it is worked out again, from the prices that held.
    pub fn lines(&self) -> Arc<[CostLine]> {
        self.written_lines.clone().unwrap_or_else(|| self.card.rates.lines(&self.usage).into())
    }

    /// Whether the price or the usage is an estimate.
    pub fn is_estimated(&self) -> bool {
        self.card.estimated.any()
    }

    /// What was paid.
    pub fn cost(&self) -> Money {
        if self.cache.is_hit() { Money::ZERO } else { self.amount }
    }

    /// What was saved: what the cache's answer would have cost, or what a route's choice was below its dearest candidate.
    pub fn saved(&self) -> Money {
        if self.cache.is_hit() { self.amount } else { self.saved_by_route.unwrap_or(Money::ZERO) }
    }

    /// What the call did to the planet; nothing for a cached answer, unknown where the model's size is.
    pub fn impact(&self) -> Option<Impact> {
        if self.cache.is_hit() { Some(Impact::default()) } else { self.full_impact() }
    }

    /// What a cached answer avoided.
    pub fn avoided(&self) -> Option<Impact> {
        if self.cache.is_hit() { self.full_impact() } else { Some(Impact::default()) }
    }

    fn full_impact(&self) -> Option<Impact> {
        Some(self.card.footprint.as_ref()?.impact(self.usage.output_tokens, self.latency_s))
    }
}
