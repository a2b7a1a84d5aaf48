//! What a model costs that no list has.

use super::memo::Memo;
use super::{ModelPrice, PricePeriod, PriceTable, Rates, Resolved, builtin};
use crate::Result;
use crate::cost::names::Nearness;
use std::sync::Arc;

/// Dollars for a million tokens of a model that no list has: what GPT-4 Turbo cost (OpenAI, November 2023), above the
/// list prices of nearly all models sold today, so that a guess is rather too high, and never nothing.
pub const FALLBACK: &str = "input=10 output=30";

/// What a model costs that no list has.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Fallback {
    /// A price near it where the kind of its name leads to one, else the price [`FALLBACK`]; marked as an estimate.
    #[default]
    Estimate,
    /// This price, marked as an estimate.
    Rates(Rates),
    /// What this model costs, by its full name, marked as an estimate.
    Like(String),
    /// The call fails with `UnknownModel`.
    Raise,
}

impl PriceTable {
    /// Says what a model costs that no list has.
    ///
    /// # Errors
    /// `UnknownModel` where the model to go by is not in the table, `InvalidArgument` where there is no price.
    ///
    /// ```
    /// use headrace::{cost::price::{Fallback, PriceTable}, usage::Usage};
    /// let mut table = PriceTable::builtin();
    /// table.set_fallback(Fallback::Like("openai/gpt-4".into())).unwrap();
    /// let priced = table.price("acme/new", &Usage::new(500, 200), jiff::Timestamp::now()).unwrap();
    /// assert!(priced.estimated && priced.total.to_string() == "0.027");
    /// table.set_fallback(Fallback::Raise).unwrap();
    /// assert!(table.resolve("acme/new").is_err());
    /// ```
    pub fn set_fallback(&mut self, fallback: Fallback) -> Result<()> {
        match &fallback {
            Fallback::Like(name) => drop(self.get(name)?),
            Fallback::Rates(rates) if rates.is_empty() => {
                return Err(crate::Error::invalid("the fallback has no price: give at least input or output"));
            }
            Fallback::Rates(rates) => rates.check()?,
            Fallback::Estimate | Fallback::Raise => {}
        }
        self.fallback = fallback;
        self.memo = Memo::default();
        Ok(())
    }

    /// The model of that name, or what the fallback says of it.
    ///
    /// # Errors
    /// `UnknownModel` where no list has it and the fallback is to raise.
    pub fn resolve(&self, name: &str) -> Result<Resolved> {
        self.memo.get_or_find(name, || self.look_for(name))
    }

    fn look_for(&self, name: &str) -> Result<Resolved> {
        if let Some(price) = self.find(name) {
            return Ok(Resolved { price, estimated: false });
        }
        let (provider, model) = name.split_once('/').unwrap_or(("unknown", name));
        let mut price = ModelPrice::new(builtin::provider(provider), model);
        match &self.fallback {
            Fallback::Raise => return self.get(name).map(|price| Resolved { price, estimated: false }),
            Fallback::Estimate => match self.led_to(name, Nearness::Guess) {
                Some(near) => return Ok(Resolved { price: near, estimated: true }),
                None => price.periods.extend(PricePeriod::parse(FALLBACK)),
            },
            Fallback::Rates(rates) => {
                price.periods.push(PricePeriod { when: super::Condition::default(), rates: rates.clone() });
            }
            Fallback::Like(other) => {
                let other = self.get(other)?;
                price.periods.clone_from(&other.periods);
                price.max_output = other.max_output;
                price.version = format!("as {}/{}, {}", other.provider, other.model, other.version).into();
            }
        }
        Ok(Resolved { price: Arc::new(price), estimated: true })
    }
}
