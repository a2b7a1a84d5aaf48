//! Which model does the work for the least money.

use super::record::{Call, CostRecord};
use super::usage::Usage;
use super::{Attribution, CostTracker};
use crate::Result;
use std::sync::Arc;

/// What a model must have.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Room for this many input tokens; at least the usage's own.
    pub context: Option<u64>,
    /// Abilities as the price table names them: `vision`, `function_calling`, `reasoning` ...
    pub abilities: Vec<String>,
    /// Whether a model without a known price may be chosen.
    pub allow_estimated: bool,
}

impl CostTracker {
    /// Quotes of the candidates that have what is needed, the cheapest first; equal prices stay in the order given.
    ///
    /// # Errors
    /// `InvalidArgument` where the usage contradicts itself.
    pub fn cheapest(&self, candidates: &[String], usage: &Usage, needs: &Needs) -> Result<Vec<CostRecord>> {
        let (prices, who) = (self.prices(), Arc::new(Attribution::default()));
        let mut quotes = Vec::new();
        for name in candidates {
            let Ok(found) = prices.resolve(name) else { continue };
            let room = needs.context.unwrap_or(0).max(usage.input_tokens);
            let fits = found.price.context.is_none_or(|context| context >= room)
                && needs.abilities.iter().all(|ability| found.price.abilities.contains(ability))
                && (needs.allow_estimated || !found.estimated);
            if fits {
                quotes.push(self.quote(Call::new(name, usage), &who)?);
            }
        }
        quotes.sort_by_key(|quote| quote.amount);
        Ok(quotes)
    }
}
