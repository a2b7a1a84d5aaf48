//! The table that comes with the package, indexed by name. What no call asks for is never parsed.

use super::{ModelPrice, PricePeriod};
use crate::lock::Lazy;
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// Written by `scripts/refresh_prices.py`; `docs/prices.md` has its format and sources.
static TEXT: &str = include_str!("prices.tsv");

static TABLE: Lazy<Table> = Lazy::new(|| Table::read(TEXT));

#[derive(Debug)]
pub(super) struct Table {
    rows: HashMap<(&'static str, &'static str), &'static str>,
    other_names: HashMap<&'static str, (&'static str, &'static str)>,
    /// Every provider.
    places: HashSet<&'static str>,
    /// Who has a model of that name; whether only models.dev says so.
    providers: HashMap<&'static str, Vec<(&'static str, bool)>>,
    /// The day on which the table was written.
    day: &'static str,
    /// The lists by their letter.
    lists: Vec<(char, &'static str)>,
}

/// The table, indexed at its first use.
pub(super) fn table() -> &'static Table {
    &TABLE
}

/// What one list puts before the names of models that cost the same in every region.
pub(super) const REGIONAL: &str = "regional.";

/// Cells of a row after provider and model.
const OTHER_NAMES: usize = 5;

impl Table {
    fn read(text: &'static str) -> Self {
        let mut heads = text.lines().map_while(|line| line.strip_prefix("# "));
        let count = text.len() / 128;
        let mut table = Self {
            rows: HashMap::with_capacity(count),
            other_names: HashMap::with_capacity(count),
            places: HashSet::new(),
            providers: HashMap::with_capacity(count),
            day: heads.next().unwrap_or_default(),
            lists: heads.filter_map(list).collect(),
        };
        // One list names so what a call in any region of Bedrock costs; no call does.
        let (regional, plain): (Vec<_>, Vec<_>) = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .partition(|line| line.split_once('\t').is_some_and(|(_, rest)| rest.starts_with(REGIONAL)));
        plain.into_iter().for_each(|line| table.add(line, ""));
        regional.into_iter().for_each(|line| table.add(line, REGIONAL));
        table
    }

    /// Adds a line, without the prefix of its model where no other line is so named.
    fn add(&mut self, line: &'static str, prefix: &'static str) {
        let mut cells = line.splitn(3, '\t');
        let (Some(provider), Some(name), Some(rest)) = (cells.next(), cells.next(), cells.next()) else { return };
        let short = name.strip_prefix(prefix).unwrap_or(name);
        let model = if self.rows.contains_key(&(provider, short)) { name } else { short };
        if model != name {
            self.other_names.insert(name, (provider, model));
        }
        self.rows.insert((provider, model), rest);
        self.places.insert(provider);
        self.providers.entry(model).or_default().push((provider, rest.starts_with("m\t")));
        let names = rest.split('\t').nth(OTHER_NAMES).unwrap_or_default().split(' ');
        self.other_names.extend(names.filter(|name| !name.is_empty()).map(|name| (name, (provider, model))));
    }

    /// The model of that provider.
    pub(super) fn get(&self, provider: &str, model: &str) -> Option<Arc<ModelPrice>> {
        let rest = *self.rows.get(&(provider, model))?;
        let mut cells = rest.split('\t');
        let mut cell = || cells.next().unwrap_or_default();
        let (source, mode, context, max_output, abilities, _names) = (cell(), cell(), cell(), cell(), cell(), cell());
        Some(Arc::new(ModelPrice {
            provider: provider.to_owned(),
            model: model.to_owned(),
            mode: Some(mode).filter(|mode| !mode.is_empty()).map(str::to_owned),
            context: context.parse().ok(),
            max_output: max_output.parse().ok(),
            abilities: abilities.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            version: format!("{} ({})", self.day, self.sources(source)).into(),
            source: self.sources(source).into(),
            // A row that cannot be read would be a fault of the build: a test reads them all.
            periods: cells.filter_map(|text| PricePeriod::parse(text).ok()).collect(),
        }))
    }

    /// The model of a declared other name.
    pub(super) fn other(&self, name: &str) -> Option<Arc<ModelPrice>> {
        self.other_names.get(name).and_then(|(provider, model)| self.get(provider, model))
    }

    /// The model of a name that only one provider has. Resellers that models.dev alone knows do not count where
    /// another list has the name. What begins with a provider is no bare name: `anthropic/x` is never a reseller's.
    pub(super) fn bare(&self, model: &str) -> Option<Arc<ModelPrice>> {
        if model.split_once('/').is_some_and(|(place, _)| self.places.contains(provider(place))) {
            return None;
        }
        let all = self.providers.get(model)?;
        let listed: Vec<_> = all.iter().filter(|(_, is_weak)| !is_weak).collect();
        match (listed.as_slice(), all.as_slice()) {
            ([(provider, _)], _) | ([], [(provider, _)]) => self.get(provider, model),
            _ => None,
        }
    }

    /// The lists that a row comes from.
    fn sources(&self, letters: &str) -> String {
        let names: Vec<_> =
            self.lists.iter().filter(|(letter, _)| letters.contains(*letter)).map(|(_, name)| *name).collect();
        names.join(", ")
    }

    /// Every provider with its model.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.rows.keys().copied()
    }

    /// Every `provider/model`.
    pub(super) fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.rows.keys().map(|(provider, model)| format!("{provider}/{model}"))
    }
}

/// A list's letter and name, from a line of the head.
fn list(line: &'static str) -> Option<(char, &'static str)> {
    let (letter, name) = line.split_once(' ')?;
    Some((letter.parse().ok()?, name))
}

/// The table's name for a provider, where it goes by several: LiteLLM's, genai-prices' and those in use.
pub(super) fn provider(name: &str) -> &str {
    match name {
        "alibaba" | "alibaba-cloud" => "dashscope",
        "aws" | "bedrock_converse" | "amazon-bedrock" | "amazon_bedrock" => "bedrock",
        "azure_text" | "azure_openai" | "azure-openai" => "azure",
        "cloudflare-workers-ai" => "cloudflare",
        "cohere_chat" => "cohere",
        "fireworks_ai-embedding-models" | "fireworks_ai" | "fireworks-ai" => "fireworks",
        "github-copilot" => "github_copilot",
        "google" | "google_genai" | "google-genai" | "google_ai_studio" => "gemini",
        "meta" => "meta_llama",
        "mistralai" => "mistral",
        "moonshotai" => "moonshot",
        "novita-ai" => "novita",
        "text-completion-openai" => "openai",
        "together" | "togetherai" | "together-ai" => "together_ai",
        "vercel" => "vercel_ai_gateway",
        "vertex" | "vertexai" | "google-vertex" | "google-vertex-anthropic" | "vertex-ai" => "vertex_ai",
        "voyageai" => "voyage",
        "x-ai" | "x_ai" => "xai",
        "z-ai" | "z_ai" => "zai",
        // LiteLLM has a provider for each family of models there.
        family if family.starts_with("vertex_ai-") => "vertex_ai",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads() {
        let table = table();
        assert!(table.rows.len() > 5000);
        for ((provider, model), rest) in &table.rows {
            let periods = rest.split('\t').skip(OTHER_NAMES + 1);
            assert!(periods.clone().count() > 0, "{provider}/{model} has no price");
            for text in periods {
                PricePeriod::parse(text).unwrap_or_else(|error| panic!("{provider}/{model}: {error}"));
            }
        }
        for (name, (provider, model)) in &table.other_names {
            assert!(table.rows.contains_key(&(*provider, *model)), "{name}");
        }
    }
}
