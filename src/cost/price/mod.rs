//! What a unit of usage costs, by provider and model.

mod rates;
mod table;

pub use rates::{Kind, Rates};

use super::money::Money;
use super::usage::Usage;
use crate::{Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The list that built-in prices come from.
pub(crate) const BUILTIN: &str = include_str!("prices.tsv");

/// One kind of usage on a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// The kind.
    pub kind: Kind,
    /// How many units.
    pub quantity: u64,
    /// Dollars for one.
    pub unit_price: Money,
    /// Dollars for all.
    pub amount: Money,
}

/// A model in a price list.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPrice {
    /// The provider that is paid.
    pub provider: String,
    /// The model, without its provider.
    pub model: String,
    /// The most input that it takes, in tokens, where known.
    pub context: Option<u64>,
    /// What it can do: `vision`, `function_calling`, `reasoning` ...
    pub abilities: Vec<String>,
    /// The prices.
    pub rates: Rates,
    /// The list that they come from.
    pub version: Arc<str>,
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
#[derive(Debug, Clone)]
pub struct PriceTable {
    builtin: Option<&'static table::Table>,
    own: HashMap<(String, String), Arc<ModelPrice>>,
    fallback: Rates,
}

static TABLE: LazyLock<table::Table> = LazyLock::new(|| table::Table::read(BUILTIN));

impl Default for PriceTable {
    fn default() -> Self {
        Self::builtin()
    }
}

impl PriceTable {
    /// The table that comes with the package.
    pub fn builtin() -> Self {
        Self { builtin: Some(&TABLE), ..Self::empty() }
    }

    /// A table without models: everything is an estimate.
    pub fn empty() -> Self {
        Self { builtin: None, own: HashMap::new(), fallback: Rates::fallback() }
    }

    /// Sets or replaces a model's prices.
    ///
    /// # Errors
    /// `InvalidArgument` where the name is not `provider/model`.
    pub fn set(&mut self, name: &str, rates: Rates, context: Option<u64>) -> Result<()> {
        let Some((provider, model)) =
            name.split_once('/').filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
        else {
            return Err(Error::invalid(format!("model {name:?} has no provider: name it provider/model")));
        };
        let known = self.find(name);
        let price = ModelPrice {
            provider: provider.into(),
            model: model.into(),
            context: context.or_else(|| known.as_ref().and_then(|known| known.context)),
            abilities: known.map(|known| known.abilities.clone()).unwrap_or_default(),
            rates,
            version: "own".into(),
        };
        self.own.insert((provider.into(), model.into()), Arc::new(price));
        Ok(())
    }

    /// The model of that name: exactly, by a declared alias of its provider, or bare where only one provider has it.
    pub fn find(&self, name: &str) -> Option<Arc<ModelPrice>> {
        if let Some((provider, model)) = name.split_once('/') {
            let key = (table::provider(provider).to_owned(), model.to_owned());
            let own = self.own.get(&key).or_else(|| self.own.get(&(provider.to_owned(), model.to_owned())));
            if let Some(found) = own.cloned().or_else(|| self.builtin?.get(&key.0, model)) {
                return Some(found);
            }
        }
        let mut own = self.own.values().filter(|price| price.model == name);
        match (own.next(), own.next()) {
            (Some(price), None) => Some(Arc::clone(price)),
            _ => self.builtin?.bare(name),
        }
    }

    /// The model of that name, or a guess.
    pub fn resolve(&self, name: &str) -> Resolved {
        if let Some(price) = self.find(name) {
            return Resolved { price, estimated: false };
        }
        let (provider, model) = name.split_once('/').unwrap_or(("unknown", name));
        tracing::warn!(model = name, "no price is known: the cost is an estimate");
        let price = ModelPrice {
            provider: table::provider(provider).into(),
            model: model.into(),
            context: None,
            abilities: Vec::new(),
            rates: self.fallback.clone(),
            version: "fallback".into(),
        };
        Resolved { price: Arc::new(price), estimated: true }
    }

    /// What the usage is worth at a time.
    pub fn price(&self, name: &str, usage: &Usage, _at: Timestamp) -> Priced {
        let Resolved { price, estimated } = self.resolve(name);
        let lines = price.rates.lines(usage);
        Priced {
            provider: price.provider.clone(),
            model: price.model.clone(),
            estimated,
            version: Arc::clone(&price.version),
            total: lines.iter().map(|line| line.amount).sum(),
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_exactly_by_alias_or_bare() {
        let table = PriceTable::builtin();
        assert_eq!(table.find("deepseek/deepseek-chat").unwrap().provider, "deepseek");
        assert_eq!(table.find("fireworks_ai/kimi-k3").unwrap().provider, "fireworks");
        assert_eq!(table.find("gpt-4").unwrap().provider, "openai");
        for unknown in ["openai/gpt-4-of-my-own", "claude", "openai/", "/", ""] {
            assert!(table.find(unknown).is_none(), "{unknown}");
        }
        assert!(table.resolve("openai/gpt-4-of-my-own").estimated);
    }
}
