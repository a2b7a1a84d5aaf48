//! Words that their capitals make another word: "IT" and "it", "the US" and "us", "mW" and "MW".
//!
//! A model without capitals reads them as one. Which they are is in `lexicon/capitals.txt`.

use super::sections;
use super::text::{Kind, Token};
use crate::lock::Lazy;
use hashbrown::HashMap;

const FILE: &str = include_str!("lexicon/capitals.txt");

/// The words of the table, each with its rule. A table that cannot be read parts nothing; a test reads it.
static STANDARD: Lazy<HashMap<&str, CapitalRule>> = Lazy::new(|| parse().unwrap_or_default());

/// When a word in small letters is another word than in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum CapitalRule {
    Capitals,
    CapitalsAmongSmallLetters,
    CapitalLetter,
    ToTheLetter,
}

const RULES: [(&str, CapitalRule); 4] = [
    ("capitals", CapitalRule::Capitals),
    ("capitals among small letters", CapitalRule::CapitalsAmongSmallLetters),
    ("capital letter", CapitalRule::CapitalLetter),
    ("to the letter", CapitalRule::ToTheLetter),
];

fn parse() -> Result<HashMap<&'static str, CapitalRule>, String> {
    sections::read(FILE, &RULES, &[',', ' '])
}

/// A word whose capitals count, and how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cased {
    pub(super) word: Box<str>,
    pub(super) written: Box<str>,
}

/// The words of a question whose capitals count, in their order.
pub(super) fn read(tokens: &[Token<'_>]) -> Box<[Cased]> {
    let words = || tokens.iter().filter(|token| token.kind == Kind::Word);
    let is_small = |token: &Token<'_>| !token.text.contains(char::is_uppercase);
    // Who writes only capitals, or begins every word with one, says nothing by them.
    let shouts = !words().any(|token| token.text.contains(char::is_lowercase));
    let is_title = !words().any(|token| is_small(token) && token.text.len() > 3);
    let has_capitals = !shouts && words().any(Token::is_capital);
    let written = |at: usize, token: &Token<'_>| -> Option<Box<str>> {
        if STANDARD.get(token.text) == Some(&CapitalRule::ToTheLetter) {
            return Some(token.text.into());
        }
        let is_named = at > 0 && tokens[at - 1].lower == "the";
        let small = || is_small(token).then(|| token.lower.as_str().into());
        let capitals = || (token.is_acronym() && !shouts).then(|| token.text.into());
        match STANDARD.get(token.lower.as_str())? {
            // "the us" is a country, whatever its letters.
            CapitalRule::Capitals if is_named && is_small(token) => Some(token.text.to_uppercase().into()),
            CapitalRule::Capitals => capitals().or_else(|| Some(token.lower.as_str().into())),
            CapitalRule::CapitalsAmongSmallLetters => capitals().or_else(|| small().filter(|_| has_capitals)),
            CapitalRule::CapitalLetter => (token.is_capital() && !token.starts && !is_title && !shouts)
                .then(|| token.text.into())
                .or_else(|| small().filter(|_| has_capitals)),
            CapitalRule::ToTheLetter => None,
        }
    };
    let cased = |(at, token): (usize, &Token<'_>)| {
        Some(Cased { word: token.text.to_lowercase().into(), written: written(at, token)? })
    };
    tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word).filter_map(cased).collect()
}

/// A word that both have, and each in other capitals, or in another order of them.
pub(super) fn differs(asked: &[Cased], stored: &[Cased]) -> Option<String> {
    asked.iter().find_map(|mine| {
        let of = |all: &[Cased]| -> Vec<Box<str>> {
            all.iter().filter(|cased| cased.word == mine.word).map(|cased| cased.written.clone()).collect()
        };
        let (ours, theirs) = (of(asked), of(stored));
        let parted = !theirs.is_empty() && !ours.iter().any(|written| theirs.contains(written));
        let moved = ours != theirs && sorted(&ours) == sorted(&theirs);
        let other = theirs.iter().find(|written| **written != mine.written).or(theirs.first())?;
        (parted || moved).then(|| format!("“{}” differs from “{other}”", mine.written))
    })
}

fn sorted(words: &[Box<str>]) -> Vec<&str> {
    let mut words: Vec<&str> = words.iter().map(|word| &**word).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;

    #[test]
    fn the_table_is_whole() {
        parse().unwrap();
    }

    #[test]
    fn every_example_of_the_table_holds() {
        examples::hold(FILE);
    }
}
