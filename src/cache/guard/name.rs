//! The words that no other pass took: names, and words that carry meaning.

use super::extract::Reading;
use super::lexicon::{Language, Meaning};
use super::number;
use super::signature::{Term, TermKind};
use super::text::Kind;
use super::vector::WordVector;
use crate::embed::WordVectors;

/// Prefixes that a hyphen joins to a word to make another one: "non-financial" is no negation.
const PREFIXES: [&str; 14] =
    ["non", "anti", "pre", "post", "re", "co", "sub", "un", "de", "multi", "inter", "cross", "bio", "eco"];
/// Endings of ordinary words, which a capital at the start of a sentence makes no name.
const ORDINARY: [&str; 16] = [
    "tion", "sion", "ment", "ing", "ity", "ness", "ance", "ence", "ed", "ly", "able", "ible", "ive", "ure", "ship",
    "ical",
];

/// Below this weight a word was learned to matter little to a text's meaning: "obtained", "concerned", "various".
const SLIGHT: f32 = 0.7;
/// No word is more than this.
const HEAVIEST: f32 = 1.3;

pub(super) fn words(reading: &mut Reading<'_>) {
    let vectors = reading.vectors;
    let capitals_tell = capitals_tell(reading);
    let mut at = 0;
    while at < reading.tokens.len() {
        let Some(token) = reading.free(at).filter(|token| token.kind == Kind::Word) else {
            at += 1;
            continue;
        };
        let mut stem = token.stem.clone();
        let mut shown = token.text.to_owned();
        let mut count = 1;
        if PREFIXES.contains(&token.lower.as_str())
            && let Some(next) = reading.free(at + 1).filter(|next| next.hyphen && next.kind == Kind::Word)
        {
            stem.push_str(&next.stem);
            shown = format!("{shown}-{}", next.text);
            count = 2;
        }
        let (kind, weight) = kind(reading, at, capitals_tell, vectors);
        let kind = if number::ordinal(&token.lower).is_some() { TermKind::Name } else { kind };
        let vector = match kind {
            // The vector of a rare word is that of its pieces, and "peatland" no synonym of "wetland".
            TermKind::Word | TermKind::Minor if !is_foreign(reading) => vectors
                .and_then(|vectors| vectors.vector(&shown.to_lowercase()))
                .map(|vector: Box<[f32]>| WordVector::new(&vector)),
            _ => None,
        };
        reading.take(at, count);
        let term = Term::new(stem.into(), shown.into(), kind, vector, weight);
        reading.term(at, term);
        at += count;
    }
}

/// Whether a capital means something here: not in German, nor where most words have one.
fn capitals_tell(reading: &Reading<'_>) -> bool {
    let inside = || reading.tokens.iter().filter(|token| token.kind == Kind::Word && !token.starts);
    let known = |stem: &str| matches!(reading.lexicon.meaning(stem), Some(Meaning::Light | Meaning::Minor(_)));
    // Small words give a title away: names are seldom made of them.
    let shouted = inside().filter(|token| token.is_capital() && !token.is_acronym() && known(&token.stem)).count();
    reading.language != Some(Language::German) && shouted < 2
}

/// The vectors know English; the words of other languages are compared by their letters.
fn is_foreign(reading: &Reading<'_>) -> bool {
    reading.language.is_some_and(|language| language != Language::English)
}

fn kind(reading: &Reading<'_>, at: usize, capitals_tell: bool, vectors: Option<&dyn WordVectors>) -> (TermKind, f32) {
    let token = &reading.tokens[at];
    let named = token.is_capital() && !token.starts;
    if is_foreign(reading) && !named && token.text.chars().all(char::is_alphabetic) {
        return (TermKind::Word, 1.0);
    }
    let has_digit = token.text.chars().any(|letter| letter.is_ascii_digit());
    let inner_capital = token.text.chars().skip(1).any(char::is_uppercase);
    if has_digit || inner_capital || (token.is_capital() && !token.text.is_ascii()) {
        return (TermKind::Name, 1.0);
    }
    let ordinary = ORDINARY.iter().any(|ending| token.lower.len() > ending.len() + 2 && token.lower.ends_with(ending));
    let weight = vectors.and_then(|vectors| {
        let singular = || token.lower.strip_suffix('s').and_then(|singular| vectors.weight(singular));
        vectors.weight(&token.lower).or_else(singular)
    });
    let common = vectors.is_none() || weight.is_some();
    if token.is_capital() && capitals_tell {
        let next = reading.tokens.get(at + 1);
        let named_on = next.is_some_and(|next| next.is_capital() && !next.starts && !next.is_acronym());
        if !token.starts || named_on || !(common || ordinary) {
            return (TermKind::Name, 1.0);
        }
    }
    // A word that the vocabulary knows by its pieces only is rare, and tells much, if it is no name.
    if !common && (token.is_capital() || !token.text.chars().all(char::is_alphabetic)) && !ordinary {
        return (TermKind::Name, 1.0);
    }
    // Whatever is not so is told from what is: "non-recovery".
    if token.lower == "non" && reading.tokens.get(at + 1).is_some_and(|next| next.hyphen) {
        return (TermKind::Word, 1.0);
    }
    let adverb = token.lower.ends_with("ly") && token.lower.len() > 4;
    let weight = weight.unwrap_or(1.0);
    if adverb || weight < SLIGHT {
        return (TermKind::Minor, weight.min(SLIGHT) / 2.0);
    }
    (if common { TermKind::Word } else { TermKind::Rare }, weight.min(HEAVIEST))
}
