//! What each slot parts, read from `lexicon/slots.txt`.

use super::sections;
use crate::lock::Lazy;
use hashbrown::HashMap;

const FILE: &str = include_str!("lexicon/slots.txt");

/// A table that cannot be read makes every slot strict; a test reads it.
static STANDARD: Lazy<Policy> = Lazy::new(|| Policy::parse(FILE).unwrap_or_default());

/// What a slot parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Two questions must name the same values, or neither any.
    Equal,
    /// Where both name one they must name the same; one may leave it out.
    Named,
    /// It parts two that each name a value that the other lacks.
    Rival,
    /// It parts none: who reads the wording sees it.
    Wording,
}

const RULES: [(&str, Rule); 4] =
    [("equal", Rule::Equal), ("named", Rule::Named), ("rival", Rule::Rival), ("wording", Rule::Wording)];

/// The rules of the slots.
#[derive(Debug, Default)]
pub(super) struct Policy {
    rules: HashMap<&'static str, Rule>,
}

impl Policy {
    pub(super) fn standard() -> &'static Self {
        &STANDARD
    }

    /// The rule of a slot; one that the table does not know is a user's own, and strict.
    pub(super) fn rule(&self, slot: &str) -> Rule {
        self.rules.get(slot).copied().unwrap_or(Rule::Equal)
    }

    fn parse(file: &'static str) -> Result<Self, String> {
        Ok(Self { rules: sections::read(file, &RULES, &[','])? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Guards, examples, lexicon::Lexicon};
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let policy = Policy::parse(FILE).unwrap();
        let guards = Guards::standard();
        let mut slots: Vec<String> = Lexicon::standard().slots().map(str::to_owned).collect();
        for (_, one, other) in examples::of(FILE) {
            for text in [one, other] {
                slots.extend(guards.signature(text).facts.iter().map(|fact| fact.slot.to_string()));
            }
        }
        let unknown: Vec<_> = slots.iter().filter(|slot| !policy.rules.contains_key(slot.as_str())).collect();
        assert!(unknown.is_empty(), "slots without a rule: {unknown:?}");
    }

    #[test]
    fn every_example_of_the_table_holds() {
        examples::hold(FILE);
    }
}
