//! Which model does the work for the least money.

use super::record::{Call, CostRecord};
use super::{Attribution, CostTracker};
use crate::usage::Usage;
use crate::{Error, Result};
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

/// Abilities that the built-in table knows of.
const ABILITIES: [&str; 10] = [
    "audio_input",
    "audio_output",
    "function_calling",
    "pdf_input",
    "prompt_caching",
    "reasoning",
    "response_schema",
    "video_input",
    "vision",
    "web_search",
];

impl CostTracker {
    /// Quotes of the candidates that have what is needed, the cheapest first; equal prices stay in the order given.
    ///
    /// # Errors
    /// `InvalidArgument` where the usage contradicts itself, or neither the table nor a candidate knows an ability.
    pub fn cheapest(&self, candidates: &[String], usage: &Usage, needs: &Needs) -> Result<Vec<CostRecord>> {
        let (prices, who) = (self.prices(), Arc::new(Attribution::default()));
        let known: Vec<_> = candidates.iter().filter_map(|name| Some((name, prices.resolve(name).ok()?))).collect();
        for need in &needs.abilities {
            let has = |price: &super::price::ModelPrice| price.abilities.contains(need);
            if !ABILITIES.contains(&need.as_str()) && !known.iter().any(|(_, found)| has(&found.price)) {
                let list = ABILITIES.join(", ");
                return Err(Error::invalid(format!(
                    "need {need:?} is unknown: give {list}, or an ability of your own"
                )));
            }
        }
        let mut quotes = Vec::new();
        for (name, found) in known {
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
