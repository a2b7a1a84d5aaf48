//! `headrace.toml`: every section and key, read with line and column.
//!
//! No key of a provider stands in it, only the name of the environment variable that holds one.

mod room;

pub use room::{
    BudgetSection, CacheSection, ClientSection, CostsSection, LimitSection, LimitsSection, ProviderSection,
    VerifierMode, VerifierName,
};
pub use room::{QueueSection, RouteSection, ServerSection};

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileConfig {
    /// Where and how the endpoint listens.
    pub server: ServerSection,
    /// What is asked; none takes those whose keys the environment holds.
    pub providers: Vec<ProviderSection>,
    /// How calls are made.
    pub client: ClientSection,
    /// What answers again.
    pub cache: CacheSection,
    /// Where calls wait.
    pub queue: QueueSection,
    /// What counts the money.
    pub costs: CostsSection,
    /// What may leave the queue at once and in a minute.
    pub limits: LimitsSection,
    /// What may be spent.
    pub budgets: Vec<BudgetSection>,
    /// Models to ask where one fails, by model.
    pub fallbacks: BTreeMap<String, Vec<String>>,
    /// Names of one's own for several models.
    pub routes: BTreeMap<String, RouteSection>,
}

impl FileConfig {
    /// Reads a file; `name` is its name, for messages.
    ///
    /// # Errors
    /// `Config`, with line and column: a key is unknown or has no valid value.
    ///
    /// ```
    /// use headrace::gateway::config::FileConfig;
    /// let config = FileConfig::read("[server]\nport = 9000\n", "headrace.toml").unwrap();
    /// assert_eq!((config.server.port, config.server.host.as_str()), (9000, "127.0.0.1"));
    /// let error = FileConfig::read("[server]\nprot = 9000\n", "headrace.toml").unwrap_err();
    /// assert!(error.to_string().starts_with("headrace.toml, line 2, column 1: unknown field `prot`"));
    /// ```
    pub fn read(text: &str, name: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            // Its own form shows the line, which may hold what is nobody's business.
            let (line, column) = error.span().map_or((1, 1), |span| position(text, span.start));
            Error::Config(format!("{name}, line {line}, column {column}: {}", error.message()))
        })
    }

    /// As JSON, with the defaults of what is not given.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The line and the column of a byte, each from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_fault_is_told_and_its_line_is_not_shown() {
        let cases = [
            ("[server]\nport = \"high\"", 2, "invalid type"),
            ("[server]\nport = 70000", 2, "invalid value"),
            ("[[providers]]\nname = \"openai\"\napi_key = \"sk-secret\"", 3, "unknown field `api_key`"),
            ("[cach]\n", 1, "unknown field `cach`"),
            ("[server\nport = 1", 1, ""),
            ("[cache]\nembedder = \"word2vec\"", 2, "unknown variant"),
        ];
        for (text, line, words) in cases {
            let Err(Error::Config(message)) = FileConfig::read(text, "f.toml") else { panic!("{text}") };
            assert!(message.starts_with(&format!("f.toml, line {line}, column ")), "{message}");
            assert!(message.contains(words) && !message.contains("sk-secret"), "{message}");
        }
    }

    #[test]
    fn what_is_read_is_written_and_read_again() {
        let text = include_str!("example.toml");
        let config = FileConfig::read(text, "example.toml").unwrap();
        let again: FileConfig = serde_json::from_value(config.to_json()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn the_example_has_every_key() {
        let example: toml::Value = toml::from_str(include_str!("example.toml")).unwrap();
        let all = FileConfig {
            providers: vec![ProviderSection::default()],
            budgets: vec![BudgetSection::default()],
            ..FileConfig::default()
        };
        let Value::Object(sections) = all.to_json() else { panic!() };
        for (section, keys) in &sections {
            let found = example.get(section).unwrap_or_else(|| panic!("[{section}] is missing"));
            let found = found.as_array().map_or(found, |list| &list[0]);
            for key in keys.as_array().map_or(keys, |list| &list[0]).as_object().unwrap().keys() {
                assert!(found.get(key).is_some(), "{section}.{key} is missing");
            }
        }
    }
}
