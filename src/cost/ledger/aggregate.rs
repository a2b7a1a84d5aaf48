//! Sums over records.

use crate::cost::carbon::Range;
use crate::cost::money::Money;
use crate::cost::record::{CostRecord, RateCard};
use hashbrown::HashMap;

/// The sum of some records.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Aggregate {
    /// Calls, cached ones among them.
    pub calls: u64,
    /// Calls that the cache answered.
    pub cache_hits: u64,
    /// Calls of which the price or the usage is an estimate.
    pub estimated: u64,
    /// Input tokens of calls that reached a provider.
    pub input_tokens: u64,
    /// The input tokens that the provider read from its cache.
    pub cached_input_tokens: u64,
    /// Output tokens of calls that reached a provider.
    pub output_tokens: u64,
    /// What was paid.
    pub cost: Money,
    /// What the cache's answers would have cost, and what the choices of routes saved.
    pub saved: Money,
    /// Energy in watt-hours, of models whose size is known.
    pub energy_wh: Range,
    /// Greenhouse gases in grams, of models whose size is known.
    pub co2e_g: Range,
    /// Greenhouse gases that the cache's answers avoided, in grams.
    pub avoided_co2e_g: Range,
    /// Calls whose model's size is unknown: their footprint is in no sum.
    pub unknown_footprint: u64,
}

impl std::ops::AddAssign<&Self> for Aggregate {
    fn add_assign(&mut self, other: &Self) {
        self.calls += other.calls;
        self.cache_hits += other.cache_hits;
        self.estimated += other.estimated;
        self.input_tokens += other.input_tokens;
        self.cached_input_tokens += other.cached_input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost = self.cost + other.cost;
        self.saved = self.saved + other.saved;
        self.energy_wh += other.energy_wh;
        self.co2e_g += other.co2e_g;
        self.avoided_co2e_g += other.avoided_co2e_g;
        self.unknown_footprint += other.unknown_footprint;
    }
}

/// What the store sums by: all else is summed from these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cell {
    /// The start of the span of time, in microseconds since 1970.
    pub start: i64,
    /// The number of the model.
    pub card: u32,
    /// The number of the attribution.
    pub attribution: u32,
}

/// Sums by cell. Calls come in runs, so the cell last used is looked at first.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    places: HashMap<Cell, usize>,
    sums: Vec<(Cell, Aggregate)>,
    last: usize,
}

impl Cells {
    pub(crate) fn at(&mut self, cell: Cell) -> &mut Aggregate {
        if self.sums.get(self.last).is_none_or(|(last, _)| *last != cell) {
            let sums = &mut self.sums;
            self.last = *self.places.entry(cell).or_insert_with(|| {
                sums.push((cell, Aggregate::default()));
                sums.len() - 1
            });
        }
        &mut self.sums[self.last].1
    }

    pub(crate) fn into_vec(self) -> Vec<(Cell, Aggregate)> {
        self.sums
    }
}

impl Aggregate {
    /// Adds one record.
    pub(crate) fn add_record(&mut self, record: &CostRecord) {
        let usage = &record.usage;
        let tokens = (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens);
        self.add(&record.card, record.cache.is_hit(), tokens, record.amount, record.latency_s);
        if !record.cache.is_hit() {
            self.saved += record.saved();
        }
    }

    /// Adds one call; `tokens` are input, cached input and output.
    pub(crate) fn add(
        &mut self,
        card: &RateCard,
        hit: bool,
        tokens: (u64, u64, u64),
        amount: Money,
        latency_s: Option<f64>,
    ) {
        self.calls += 1;
        self.estimated += u64::from(card.estimated.any());
        let impact = card.footprint.as_ref().map(|footprint| footprint.energy_and_gases(tokens.2, latency_s));
        self.unknown_footprint += u64::from(impact.is_none());
        let (energy_wh, co2e_g) = impact.unwrap_or_default();
        if hit {
            self.cache_hits += 1;
            self.saved += amount;
            self.avoided_co2e_g += co2e_g;
        } else {
            self.input_tokens += tokens.0;
            self.cached_input_tokens += tokens.1;
            self.output_tokens += tokens.2;
            self.cost += amount;
            self.energy_wh += energy_wh;
            self.co2e_g += co2e_g;
        }
    }
}
