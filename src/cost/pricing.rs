//! From a model's name and a usage to money and a footprint; what repeats is worked out once.

use super::budget::Scope;
use super::carbon::{EmissionFactors, Override};
use super::money::Money;
use super::price::{self, ModelPrice, PriceTable};
use super::record::Entry;
use crate::usage::Usage;
use crate::Result;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// The prices and emission factors that hold now, and the models met so far.
#[derive(Debug)]
pub(crate) struct Pricing {
    held: RwLock<Held>,
    next: AtomicU32,
}

#[derive(Debug)]
struct Held {
    prices: Arc<PriceTable>,
    factors: EmissionFactors,
    /// By the name that calls use; emptied where prices or factors change.
    known: HashMap<String, Arc<Met>>,
}

/// A model that was met, with an entry for each period of its prices that was needed.
#[derive(Debug)]
struct Met {
    price: Arc<ModelPrice>,
    estimated: bool,
    entries: Box<[OnceLock<Arc<Entry>>]>,
}

impl Pricing {
    pub(crate) fn new(prices: PriceTable) -> Self {
        let held = Held { prices: Arc::new(prices), factors: EmissionFactors::default(), known: HashMap::new() };
        Self { held: RwLock::new(held), next: AtomicU32::new(0) }
    }

    /// The model and what the usage is worth at a time, in microseconds since 1970.
    pub(crate) fn price(&self, model: &str, usage: &Usage, time: i64) -> Result<(Arc<Entry>, Money)> {
        let known = {
            let held = self.held.read();
            held.known.get(model).and_then(|met| met.entries.get(met.price.period_at(time))?.get().cloned())
        };
        let entry = known.map_or_else(|| self.meet(model, time), Ok)?;
        let amount = entry.rates.total(usage);
        Ok((entry, amount))
    }

    fn meet(&self, name: &str, time: i64) -> Result<Arc<Entry>> {
        let mut held = self.held.write();
        let met = if let Some(met) = held.known.get(name) {
            Arc::clone(met)
        } else {
            let resolved = held.prices.resolve(name)?;
            if resolved.estimated {
                tracing::warn!(model = name, "no price list has the model: its cost is an estimate");
            }
            let entries = resolved.price.periods.iter().map(|_| OnceLock::new()).collect();
            let met = Arc::new(Met { price: resolved.price, estimated: resolved.estimated, entries });
            held.known.insert(name.to_owned(), Arc::clone(&met));
            met
        };
        let (price, place) = (&met.price, met.price.period_at(time));
        let make = || {
            let factors = held.factors.of(&price.provider, &price.model);
            Arc::new(Entry {
                number: self.next.fetch_add(1, Ordering::Relaxed),
                zone: factors.as_ref().map_or_else(String::new, |factors| factors.zone_name.clone()),
                footprint: factors.map(|factors| factors.footprint()),
                provider: price.provider.clone(),
                model: price.model.clone(),
                estimated: met.estimated,
                version: price.version.to_string(),
                rates: price.periods.get(place).map(|period| period.rates.clone()).unwrap_or_default(),
            })
        };
        Ok(met.entries.get(place).map_or_else(make, |slot| Arc::clone(slot.get_or_init(make))))
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
