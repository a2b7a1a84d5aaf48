//! The providers that are known by name, as data.

use crate::lock::Lazy;
use crate::wire::{self, Protocol, Quirks};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a provider is shown its key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "String")]
pub enum Authentication {
    /// `Authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// The key alone, in a header of this name.
    Header(String),
}

impl From<String> for Authentication {
    fn from(name: String) -> Self {
        if name == "bearer" { Self::Bearer } else { Self::Header(name) }
    }
}

/// A provider that is known by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderRow {
    /// The name before the slash of its models, as in `openai`.
    pub name: String,
    /// Its name as its makers write it.
    pub title: String,
    /// The URL before the protocol's path; empty where every customer has an address of his own.
    #[serde(default)]
    pub base_url: String,
    /// Where what is said here is from.
    pub source: String,
    /// The protocol's name.
    protocol: String,
    /// The environment variables that may hold its key, the usual one first; none where it needs no key.
    #[serde(default)]
    pub key_variables: Vec<String>,
    /// How it is shown its key.
    #[serde(default)]
    pub authentication: Authentication,
    /// Sent with every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What it does differently within its protocol.
    #[serde(default)]
    pub quirks: Quirks,
    /// Whether it takes many requests as one batch, at a lower price.
    #[serde(default)]
    pub batches: bool,
}

impl ProviderRow {
    /// The protocol that it speaks.
    #[must_use]
    pub fn protocol(&self) -> &'static dyn Protocol {
        protocol(&self.protocol).unwrap_or(&wire::openai_chat::PROTOCOL)
    }
}

/// The protocol of a name.
#[must_use]
pub fn protocol(name: &str) -> Option<&'static dyn Protocol> {
    wire::protocols().into_iter().find(|protocol| protocol.name() == name)
}

/// The providers that are known by name, the cloud's before the local ones.
///
/// ```
/// let known = headrace::provider::registry();
/// let anthropic = known.iter().find(|row| row.name == "anthropic").unwrap();
/// assert_eq!(anthropic.key_variables, ["ANTHROPIC_API_KEY"]);
/// ```
#[must_use]
pub fn registry() -> &'static [ProviderRow] {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct File {
        provider: Vec<ProviderRow>,
    }
    // A test reads the file; it is part of the program.
    static ROWS: Lazy<Vec<ProviderRow>> =
        Lazy::new(|| toml::from_str::<File>(include_str!("registry.toml")).unwrap_or_default().provider);
    &ROWS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{HttpProvider, HttpProviderConfig};
    use std::collections::HashSet;

    #[test]
    fn every_row_can_be_asked() {
        toml::from_str::<toml::Value>(include_str!("registry.toml")).unwrap();
        assert!(registry().len() >= 17);
        let mut names = HashSet::new();
        let mut variables = HashSet::new();
        for row in registry() {
            assert!(names.insert(&row.name) && !row.name.contains('/'), "{}", row.name);
            assert!(row.key_variables.iter().all(|variable| variables.insert(variable)), "{}", row.name);
            assert_eq!(row.protocol().name(), row.protocol, "{}", row.name);
            let mut config = HttpProviderConfig::of_row(row, Some("sk-1"));
            assert_eq!(row.base_url.is_empty(), HttpProvider::new(config.clone()).is_err(), "{}", row.name);
            if row.base_url.is_empty() {
                config.base_url = "https://acme.example/openai?api-version=1".into();
                HttpProvider::new(config).unwrap();
                continue;
            }
            assert!(row.source.starts_with("https://"), "{}", row.name);
            let is_local = row.base_url.starts_with("http://127.0.0.1:");
            assert!(is_local == row.key_variables.is_empty(), "{}", row.name);
            assert!(is_local || row.base_url.starts_with("https://"), "{}", row.name);
        }
    }
}
