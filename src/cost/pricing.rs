//! From a model's name and a usage to money and a footprint; what repeats is worked out once.

use super::budget::Scope;
use super::carbon::{EmissionFactors, Override};
use super::money::Money;
use super::price::{self, ModelPrice, PriceTable};
use super::record::{Estimated, RateCard};
use crate::Result;
use crate::lock::SharedLock;
use crate::usage::Usage;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// The prices and emission factors that hold now, and the models met so far.
#[derive(Debug)]
pub(crate) struct Pricing {
    held: SharedLock<Held>,
    next: AtomicU32,
}

#[derive(Debug)]
struct Held {
    prices: Arc<PriceTable>,
    factors: EmissionFactors,
    /// By the name that calls use; emptied where prices or factors change.
    known: HashMap<String, Arc<Met>>,
}

/// A model that was met, with a card for each period of its prices and kind of usage that was needed.
#[derive(Debug)]
struct Met {
    price: Arc<ModelPrice>,
    estimated: bool,
    cards: Box<[OnceLock<Arc<RateCard>>]>,
}

impl Met {
    /// The place of the card for a time.
    fn place(&self, time: i64, is_usage_estimated: bool) -> usize {
        2 * self.price.period_at(time) + usize::from(is_usage_estimated)
    }
}

impl Pricing {
    pub(crate) fn new(prices: PriceTable) -> Self {
        let held = Held { prices: Arc::new(prices), factors: EmissionFactors::default(), known: HashMap::new() };
        Self { held: SharedLock::new(held), next: AtomicU32::new(0) }
    }

    /// The model and what the usage is worth at a time, in microseconds since 1970.
    pub(crate) fn price(
        &self,
        model: &str,
        usage: &Usage,
        is_usage_estimated: bool,
        time: i64,
    ) -> Result<(Arc<RateCard>, Money)> {
        let known = {
            let held = self.held.read();
            held.known.get(model).and_then(|met| met.cards.get(met.place(time, is_usage_estimated))?.get().cloned())
        };
        let card = known.map_or_else(|| self.meet(model, is_usage_estimated, time), Ok)?;
        let amount = card.rates.total(usage);
        Ok((card, amount))
    }

    fn meet(&self, name: &str, is_usage_estimated: bool, time: i64) -> Result<Arc<RateCard>> {
        let mut held = self.held.write();
        let met = if let Some(met) = held.known.get(name) {
            Arc::clone(met)
        } else {
            let resolved = held.prices.resolve(name)?;
            if resolved.estimated {
                tracing::warn!(model = name, "no price list has the model: its cost is an estimate");
            }
            let cards = (0..2 * resolved.price.periods.len()).map(|_| OnceLock::new()).collect();
            let met = Arc::new(Met { price: resolved.price, estimated: resolved.estimated, cards });
            held.known.insert(name.to_owned(), Arc::clone(&met));
            met
        };
        let (price, period) = (&met.price, met.price.period_at(time));
        let make = || {
            let factors = held.factors.of(&price.provider, &price.model);
            Arc::new(RateCard {
                number: self.next.fetch_add(1, Ordering::Relaxed),
                zone: factors.as_ref().map_or_else(String::new, |factors| factors.zone_name.clone()),
                footprint: factors.map(|factors| factors.footprint()),
                provider: price.provider.clone(),
                model: price.model.clone(),
                estimated: Estimated { price: met.estimated, usage: is_usage_estimated },
                version: price.version.to_string(),
                rates: price.periods.get(period).map(|period| period.rates.clone()).unwrap_or_default(),
            })
        };
        Ok(met
            .cards
            .get(met.place(time, is_usage_estimated))
            .map_or_else(make, |slot| Arc::clone(slot.get_or_init(make))))
    }

    /// The scope in the names that records have: a budget for `google` must hold the calls of `gemini`.
    pub(crate) fn scope(&self, given: &Scope) -> Scope {
        let mut scope = given.clone();
        if let Some(provider) = &mut scope.provider {
            *provider = price::provider_name(provider).to_owned();
        }
        if let Some(model) = &mut scope.model
            && let Some(found) = self.held.read().prices.find(model)
            // A bare name that a model has is that model at every provider.
            && *model != found.model
        {
            *model = format!("{}/{}", found.provider, found.model);
        }
        scope
    }

    /// Changes emission factors for the calls that follow.
    pub(crate) fn set_factors(&self, change: Override) -> Result<()> {
        let mut held = self.held.write();
        held.factors.set(change)?;
        held.known.clear();
        Ok(())
    }

    pub(crate) fn factors(&self) -> EmissionFactors {
        self.held.read().factors.clone()
    }

    pub(crate) fn prices(&self) -> Arc<PriceTable> {
        Arc::clone(&self.held.read().prices)
    }
}
