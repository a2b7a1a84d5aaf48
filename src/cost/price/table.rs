//! The built-in list, indexed by name.

use super::{ModelPrice, Rates};
use std::collections::HashMap;
use std::sync::Arc;

/// A list, read once; what no call asks for is never parsed.
#[derive(Debug)]
pub(super) struct Table {
    lines: HashMap<(&'static str, &'static str), &'static str>,
    providers: HashMap<&'static str, Vec<&'static str>>,
    version: Arc<str>,
}

impl Table {
    pub(super) fn read(text: &'static str) -> Self {
        let version = text.lines().next().unwrap_or_default().trim_start_matches("# ").replace(' ', "-").into();
        let mut table = Self { lines: HashMap::new(), providers: HashMap::new(), version };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.splitn(3, '\t');
            if let (Some(provider), Some(model), Some(rest)) = (cells.next(), cells.next(), cells.next()) {
                table.lines.insert((provider, model), rest);
                table.providers.entry(model).or_default().push(provider);
            }
        }
        table
    }

    pub(super) fn get(&self, provider: &str, model: &str) -> Option<Arc<ModelPrice>> {
        let mut cells = self.lines.get(&(provider, model))?.split('\t');
        let context = cells.next()?.parse().ok();
        let abilities = cells.next()?.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let rates = Rates::parse(cells.next()?).ok()?;
        let (provider, model) = (provider.to_owned(), model.to_owned());
        Some(Arc::new(ModelPrice { provider, model, context, abilities, rates, version: Arc::clone(&self.version) }))
    }

    /// The model of a name that only one provider has.
    pub(super) fn bare(&self, model: &str) -> Option<Arc<ModelPrice>> {
        match self.providers.get(model)?.as_slice() {
            [provider] => self.get(provider, model),
            _ => None,
        }
    }
}

/// The table's name for a provider.
pub(super) fn provider(name: &str) -> &str {
    match name {
        "bedrock_converse" => "bedrock",
        "cohere_chat" => "cohere",
        "fireworks_ai" => "fireworks",
        "together" => "together_ai",
        "google" | "google_genai" => "gemini",
        "mistralai" => "mistral",
        "x-ai" => "xai",
        "vertex" => "vertex_ai",
        other => other,
    }
}
