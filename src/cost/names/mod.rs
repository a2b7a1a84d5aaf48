//! One resolver of model names, for prices, footprints, abilities and budgets: from the name that a call uses to the names
//! under which lists may have the model, the nearest first.
//!
//! The rules are data: `rules.toml`, each with its examples.

use crate::lock::Lazy;
use regex::Regex;
use serde::Deserialize;
use std::collections::HashSet;

/// The most names that one leads to: the rules cannot run away.
const MOST_NAMES: usize = 64;

/// What the price of the other name says of the price of this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Nearness {
    /// It is the same.
    #[default]
    Same,
    /// It is near.
    Guess,
}

/// A name under which a list may have the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameVariant {
    /// `provider/model`.
    pub(crate) name: String,
    /// What its price says of the price of the name that was asked for.
    pub(crate) price: Nearness,
}

#[derive(Debug, Deserialize)]
struct File {
    rule: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    from: String,
    to: Vec<String>,
    #[serde(default)]
    price: Nearness,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of the rules walks them"))]
    examples: Vec<(String, String)>,
}

struct Rule {
    from: Regex,
    to: Vec<String>,
    price: Nearness,
}

static RULES: Lazy<Vec<Rule>> = Lazy::new(|| {
    // A file that cannot be read would be a fault of the build: a test reads every rule.
    let rows = file().map(|file| file.rule).unwrap_or_default();
    let rule = |row: Row| Some(Rule { from: whole(&row.from).ok()?, to: row.to, price: row.price });
    rows.into_iter().filter_map(rule).collect()
});

fn file() -> Result<File, toml::de::Error> {
    toml::from_str(include_str!("rules.toml"))
}

fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

/// The names that a name leads to, the nearest first; itself is not among them.
pub(crate) fn candidates(name: &str) -> Vec<NameVariant> {
    let mut seen = HashSet::from([name.to_owned()]);
    let mut found = vec![NameVariant { name: with_known_provider(name), price: Nearness::Same }];
    seen.insert(found[0].name.clone());
    let mut next = 0;
    while let Some(asked) = found.get(next).cloned() {
        next += 1;
        for rule in RULES.iter() {
            let Some(groups) = rule.from.captures(&asked.name) else { continue };
            for to in &rule.to {
                let mut other = String::new();
                groups.expand(to, &mut other);
                let other = with_known_provider(&other);
                if found.len() < MOST_NAMES && seen.insert(other.clone()) {
                    found.push(NameVariant { name: other, price: asked.price.max(rule.price) });
                }
            }
        }
    }
    found.retain(|candidate| candidate.name != name);
    found
}

/// The name with the table's name for its provider.
fn with_known_provider(name: &str) -> String {
    match name.split_once('/') {
        Some((provider, model)) => format!("{}/{model}", super::price::provider_name(provider)),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_led_to_and_every_rule_has_one() {
        for row in file().unwrap().rule {
            whole(&row.from).unwrap();
            assert!(!row.examples.is_empty(), "{} has no example", row.from);
            for (name, expected) in &row.examples {
                let all = candidates(name);
                assert!(all.iter().any(|candidate| candidate.name == *expected), "{name} leads to {all:?}");
            }
        }
    }

    #[test]
    fn what_only_begins_like_a_name_leads_nowhere() {
        for name in ["openai/gpt-4-of-my-own", "openai/gpt-4-and-more", "gpt-4", "", "/", "anthropic/claude-x:y"] {
            assert_eq!(candidates(name), [], "{name}");
        }
    }
}
