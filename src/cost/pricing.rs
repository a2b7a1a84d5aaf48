//! From a model's name and a usage to money and a footprint; what repeats is worked out once.

use super::carbon::{EmissionFactors, Override};
use super::money::Money;
use super::price::PriceTable;
use super::record::Entry;
use super::usage::Usage;
use crate::Result;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
    known: HashMap<String, Arc<Entry>>,
}

impl Pricing {
    pub(crate) fn new(prices: PriceTable) -> Self {
        let held = Held { prices: Arc::new(prices), factors: EmissionFactors::default(), known: HashMap::new() };
        Self { held: RwLock::new(held), next: AtomicU32::new(0) }
    }

    /// The model and what the usage is worth.
    pub(crate) fn price(&self, model: &str, usage: &Usage) -> (Arc<Entry>, Money) {
        let known = self.held.read().known.get(model).cloned();
        let entry = known.unwrap_or_else(|| self.meet(model));
        let amount = entry.rates.total(usage);
        (entry, amount)
    }

    fn meet(&self, name: &str) -> Arc<Entry> {
        let mut held = self.held.write();
        if let Some(entry) = held.known.get(name) {
            return Arc::clone(entry);
        }
        let resolved = held.prices.resolve(name);
        let price = resolved.price;
        let factors = held.factors.of(&price.provider, &price.model);
        let entry = Arc::new(Entry {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            zone: factors.as_ref().map_or_else(String::new, |factors| factors.zone_name.clone()),
            footprint: factors.map(|factors| factors.footprint()),
            provider: price.provider.clone(),
            model: price.model.clone(),
            estimated: resolved.estimated,
            version: price.version.to_string(),
            rates: price.rates.clone(),
        });
        held.known.insert(name.to_owned(), Arc::clone(&entry));
        entry
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
