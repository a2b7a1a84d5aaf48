//! What a unit of usage costs, by provider, model and time: a built-in table, and the user's own prices over it.

#![deny(clippy::disallowed_types, clippy::float_arithmetic)]

mod builtin;
mod fallback;
mod kind;
mod memo;
mod period;
mod rates;
mod resource;
mod toml_file;

pub use fallback::{FALLBACK, Fallback};
pub use kind::UsageKind;
pub use period::{Condition, PricePeriod};
pub use rates::{CostLine, Rate, Rates, listed, per_unit};

use super::money::Money;
use super::names::{self, Nearness};
use crate::lock::Lazy;
use crate::usage::Usage;
use crate::{Error, Result};
use hashbrown::HashMap;
use jiff::Timestamp;
use memo::Memo;
use std::sync::Arc;

/// A model in a price list.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPrice {
    /// The provider that is paid.
    pub provider: String,
    /// The model, without its provider.
    pub model: String,
    /// What it is for: `chat`, `embedding`, `image_generation` ...; where known.
    pub mode: Option<String>,
    /// The most input that it takes, in tokens, where known.
    pub context: Option<u64>,
    /// The most output that it gives, in tokens, where known.
    pub max_output: Option<u64>,
    /// What it can do: `vision`, `function_calling`, `reasoning` ...
    pub abilities: Vec<String>,
    /// Who published the prices.
    pub source: Arc<str>,
    /// The list that they come from: its date and sources.
    pub version: Arc<str>,
    /// The prices; of those that hold at a time, the last counts.
    pub periods: Vec<PricePeriod>,
}

impl ModelPrice {
    /// The place in `periods` of what held at a time, in microseconds since 1970.
    pub fn period_at(&self, micros: i64) -> usize {
        period::place(&self.periods, micros)
    }

    /// The prices that held at a time.
    pub fn rates(&self, at: Timestamp) -> &Rates {
        static NONE: Lazy<Rates> = Lazy::new(Rates::default);
        self.periods.get(self.period_at(at.as_microsecond())).map_or(&NONE, |period| &period.rates)
    }
}

/// What a usage is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Priced {
    /// The provider that is paid.
    pub provider: String,
    /// The model, without its provider.
    pub model: String,
    /// Whether the price is a guess, as no list has the model.
    pub estimated: bool,
    /// The list that the price comes from.
    pub version: Arc<str>,
    /// The amount by kind.
    pub lines: Vec<CostLine>,
    /// The sum of the lines.
    pub total: Money,
}

/// A model found, or guessed.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The model and its prices.
    pub price: Arc<ModelPrice>,
    /// Whether it is a guess.
    pub estimated: bool,
}

/// Prices by `provider/model`. A clone is a table of its own.
///
/// ```
/// use headrace::{cost::price::PriceTable, usage::Usage};
/// let (table, now) = (PriceTable::builtin(), jiff::Timestamp::now());
/// assert_eq!(table.price("openai/gpt-4", &Usage::new(500, 200), now).unwrap().total.to_string(), "0.027");
/// assert!(table.price("openai/gpt-4-and-more", &Usage::new(1, 1), now).unwrap().estimated);
/// ```
#[derive(Debug, Clone, Default)]
pub struct PriceTable {
    is_builtin: bool,
    own: HashMap<String, Arc<ModelPrice>>,
    fallback: Fallback,
    memo: Memo,
}

impl PriceTable {
    /// The table that comes with the package; `docs/prices.md` has its sources and rules.
    #[must_use]
    pub fn builtin() -> Self {
        Self { is_builtin: true, ..Self::default() }
    }

    /// A table without models: everything is an estimate.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a model, in place of one of the same name.
    ///
    /// # Errors
    /// `InvalidArgument` where it has no prices, or its name is not `provider/model`.
    pub fn insert(&mut self, model: ModelPrice) -> Result<()> {
        let name = format!("{}/{}", model.provider, model.model);
        if model.provider.is_empty() || model.model.is_empty() {
            return Err(Error::invalid(format!("model {name:?} has no provider or no name: name it provider/model")));
        }
        if model.periods.iter().all(|period| period.rates.is_empty()) {
            return Err(Error::invalid(format!("model {name:?} has no price: give at least input or output")));
        }
        for period in &model.periods {
            period.rates.check().map_err(|error| Error::invalid(format!("model {name:?}: {error}")))?;
        }
        self.own.insert(name, Arc::new(model));
        self.memo = Memo::default();
        Ok(())
    }

    /// Sets a model's prices: for all time, or where the period has a condition, for the times that meet it. The kinds that
    /// are not named keep their prices of that time, and what is known of the model otherwise stays; `context` replaces its
    /// context length.
    ///
    /// # Errors
    /// `InvalidArgument` where the name is not `provider/model`, there is no price, or one for a part alone.
    pub fn set(&mut self, name: &str, period: PricePeriod, context: Option<u64>) -> Result<()> {
        let listed = self.listed(name);
        let (provider, model) = split(name)?;
        let (provider, model) = match &listed {
            Some(known) => (known.provider.clone(), known.model.clone()),
            None => (builtin::provider(provider).to_owned(), model.to_owned()),
        };
        // A name that another one's row stands for gets a row of its own.
        let known = listed.or_else(|| self.find(name)).map(Arc::unwrap_or_clone);
        let mut held = known.unwrap_or_else(|| ModelPrice::new(&provider, &model));
        (held.provider, held.model) = (provider, model);
        if period.rates.is_empty() {
            return Err(Error::invalid(format!("model {name:?} has no price: give at least input or output")));
        }
        let start = period.when.since.unwrap_or_else(Timestamp::now);
        let rates = held.rates(start).with(&period.rates);
        if period.when == Condition::default() {
            held.periods.clear();
        }
        held.periods.push(PricePeriod { rates, ..period });
        held.context = context.or(held.context);
        (held.source, held.version) = ("own".into(), "own".into());
        self.insert(held)
    }

    /// Puts another table's own models over these.
    pub fn extend(&mut self, other: Self) {
        self.own.extend(other.own);
        self.memo = Memo::default();
    }

    /// The model of that name: exactly, by a declared other name of it or of its provider, or bare where only one
    /// provider has it; else by what kind of name it is (fine-tuned, dated, with a region's prefix, a reseller's: the rules of
    /// `names/rules.toml`). A name that only begins like one is unknown.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Arc<ModelPrice>> {
        self.listed(name).or_else(|| self.led_to(name, Nearness::Same))
    }

    /// The model whose price is that of the name, or near it.
    pub(super) fn led_to(&self, name: &str, price: Nearness) -> Option<Arc<ModelPrice>> {
        let plain = resource::plain(name);
        let name = plain.as_deref().unwrap_or(name);
        let mut candidates = names::candidates(name).into_iter().filter(|candidate| candidate.price == price);
        let found = candidates.find_map(|candidate| self.listed(&candidate.name))?;
        Some(as_asked(name, found))
    }

    /// The model that a list has under that name.
    fn listed(&self, name: &str) -> Option<Arc<ModelPrice>> {
        let table = self.is_builtin.then(builtin::table);
        let exact = |provider: &str, model: &str| {
            let name = format!("{provider}/{model}");
            let builtin = || table.and_then(|table| table.get(provider, model).or_else(|| table.other(&name)));
            self.own.get(&name).cloned().or_else(builtin)
        };
        if let Some((provider, model)) = name.split_once('/') {
            let found = exact(provider, model).or_else(|| exact(builtin::provider(provider), model));
            if found.is_some() {
                return found;
            }
        }
        let mut own = self.own.values().filter(|price| price.model == name);
        match (own.next(), own.next()) {
            (Some(price), None) => Some(Arc::clone(price)),
            (None, _) => table.and_then(|table| table.other(name).or_else(|| table.bare(name))),
            _ => None,
        }
        .map(|found| self.own.get(&format!("{}/{}", found.provider, found.model)).cloned().unwrap_or(found))
        .or_else(|| self.listed(&resource::plain(name)?))
        .or_else(|| self.find_in_other_case(name))
    }

    /// The one model of a provider whose name is the same but for capitals.
    fn find_in_other_case(&self, name: &str) -> Option<Arc<ModelPrice>> {
        let (provider, model) = name.split_once('/')?;
        let provider = provider.to_ascii_lowercase();
        let provider = builtin::provider(&provider);
        let is_same =
            |known: &(&str, &str)| known.1.eq_ignore_ascii_case(model) && known.0.eq_ignore_ascii_case(provider);
        let own = self.own.values().map(|price| (price.provider.as_str(), price.model.as_str()));
        let builtin = self.is_builtin.then(|| builtin::table().rows()).into_iter().flatten();
        let mut same = own.chain(builtin).filter(is_same);
        let first = same.next()?;
        // The user's own price of a model stands beside the table's.
        (same.all(|other| other == first) && first != (provider, model))
            .then(|| self.listed(&format!("{}/{}", first.0, first.1)))?
    }

    /// The model of that name.
    ///
    /// # Errors
    /// `UnknownModel`, with names that are near.
    pub fn get(&self, name: &str) -> Result<Arc<ModelPrice>> {
        self.find(name).ok_or_else(|| {
            let wanted = name.rsplit('/').next().unwrap_or(name).to_lowercase();
            let is_near = |known: &String| !wanted.is_empty() && known.to_lowercase().contains(&wanted);
            let near: Vec<_> = self.names().into_iter().filter(is_near).take(5).collect();
            let hint = if near.is_empty() { String::new() } else { format!(" (near: {})", near.join(", ")) };
            Error::UnknownModel(format!(
                "no price list has the model {name:?}{hint}: name it provider/model, or add it with PriceTable.set or a \
                 TOML file"
            ))
        })
    }

    /// The full name of every model, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let builtin = self.is_builtin.then(|| builtin::table().names());
        let mut names: Vec<_> = builtin.into_iter().flatten().chain(self.own.keys().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What the usage is worth at a time.
    ///
    /// # Errors
    /// As [`PriceTable::resolve`].
    pub fn price(&self, name: &str, usage: &Usage, at: Timestamp) -> Result<Priced> {
        let Resolved { price, estimated } = self.resolve(name)?;
        let rates = price.rates(at);
        Ok(Priced {
            provider: price.provider.clone(),
            model: price.model.clone(),
            estimated,
            version: Arc::clone(&price.version),
            lines: rates.lines(usage),
            total: rates.total(usage),
        })
    }
}

impl ModelPrice {
    /// A model of which nothing is known.
    #[must_use]
    pub fn new(provider: &str, model: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            mode: None,
            context: None,
            max_output: None,
            abilities: Vec::new(),
            source: "fallback".into(),
            version: "fallback".into(),
            periods: Vec::new(),
        }
    }
}

/// The row under the name that is paid for: of another provider's model, the name that was asked for.
fn as_asked(name: &str, found: Arc<ModelPrice>) -> Arc<ModelPrice> {
    let Some((provider, model)) = name.split_once('/') else { return found };
    let provider = builtin::provider(provider);
    if found.provider == provider && !found.model.starts_with(builtin::REGIONAL) {
        return found;
    }
    Arc::new(ModelPrice { provider: provider.to_owned(), model: model.to_owned(), ..Arc::unwrap_or_clone(found) })
}

/// The table's name for a provider that goes by several: `gemini` for `google`.
#[must_use]
pub fn provider_name(name: &str) -> &str {
    builtin::provider(name)
}

fn split(name: &str) -> Result<(&str, &str)> {
    name.split_once('/').filter(|(provider, model)| !provider.is_empty() && !model.is_empty()).ok_or_else(|| {
        Error::invalid(format!("model {name:?} has no provider: name it provider/model, such as openai/gpt-4o"))
    })
}

#[cfg(test)]
mod tests;
