//! The words that no other pass took: names, and words that carry meaning.

use super::extract::{Reading, digest};
use super::lexicon::{Language, Meaning};
use super::signature::{ProperName, Term, TermKind};
use super::text::{Kind, Token};
use super::vector::WordVector;
use super::wording::LONGEST;
use super::{number, text};
use crate::embed::WordVectors;
use crate::lock::Lazy;
use hashbrown::HashMap;

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

/// Legal forms, which end a company's name and say nothing else, by stem.
const FORMS: [&str; 16] =
    ["ag", "se", "sa", "nv", "bv", "plc", "inc", "ltd", "llc", "corp", "gmbh", "spa", "oyj", "asa", "limited", "kgaa"];

/// So many letters tell a name from another, however it ends: "Poland" and "Polish", "Brackwell" and "brackwel".
const START: usize = 6;
/// Words that set one company of a name apart from another, by stem; alone they say nothing.
const PARTS: [&str; 5] = ["group", "hold", "international", "company", "corporat"];

/// Names of one place, by the first of its line.
static PLACES: Lazy<HashMap<&str, &str>> = Lazy::new(|| {
    let lines = include_str!("lexicon/places.txt").lines().filter(|line| !line.starts_with('#'));
    let names = |line: &'static str| line.split(", ").map(move |name| (name, line.split(',').next().unwrap_or(name)));
    lines.flat_map(names).collect()
});

fn start(token: &Token<'_>) -> u32 {
    let word = PLACES.get(token.lower.as_str()).copied().unwrap_or(&token.lower);
    let letters: String = word.chars().map(text::plain).take(START).collect();
    digest(&letters) as u32
}

impl Reading<'_> {
    /// Takes the words of companies that are called by ordinary words: "Waste Management's", "Water Corp", "did Green
    /// Power": two capitals or more in a row that own something, have a legal form or do something.
    pub(super) fn companies(&mut self) {
        if !capitals_tell(self) {
            return;
        }
        let goes_on = |at: usize| {
            let (token, before) = (&self.tokens[at], &self.tokens[at - 1]);
            token.is_capital() && !token.apart && !token.hyphen && !before.possessive && before.is_capital()
        };
        let mut at = 0;
        let mut runs = Vec::new();
        while at < self.tokens.len() {
            let end = (at + 1..self.tokens.len()).find(|next| !goes_on(*next)).unwrap_or(self.tokens.len());
            runs.push(at..end);
            at = end;
        }
        for run in runs.into_iter().filter(|run| run.len() > 1) {
            // "Report Acme Cement's figure", but "Waste Management's figure".
            let is_verb = |at: &usize| {
                let token = &self.tokens[*at];
                token.starts && !matches!(self.lexicon.meaning(&token.stem), Some(Meaning::Concept(_)))
            };
            let from = run.clone().find(|at| !is_verb(at)).unwrap_or(run.end);
            let (count, last) = (run.end - from, run.end - 1);
            let is_form = FORMS.contains(&self.tokens[last].stem.as_str());
            let acts = matches!(self.lower(from.checked_sub(1)), "does" | "do" | "did" | "has" | "have");
            let is_plain = (from..run.end).any(|at| !self.tokens[at].is_acronym() && self.is_free(at));
            if count > 1 && is_plain && (self.tokens[last].possessive || is_form || acts) {
                let words = if is_form { count - 1 } else { count };
                for at in (from..from + words).filter(|at| self.is_free(*at)).collect::<Vec<_>>() {
                    let token = &self.tokens[at];
                    let term = Term::new(token.stem.as_str().into(), token.text.into(), TermKind::Name, None, 1.0);
                    self.take(at, 1);
                    self.term(at, term);
                }
                if is_form && self.is_free(last) {
                    self.take(last, 1);
                    self.small[last] = true;
                }
            }
        }
    }

    /// The words of names that a capital gives away inside a sentence; what is written in capitals only may be short
    /// for anything.
    pub(super) fn names(&self) -> Vec<ProperName> {
        if !capitals_tell(self) {
            return Vec::new();
        }
        let is_name = |at: usize| {
            let token = &self.tokens[at];
            let is_plain =
                token.is_capital() && !token.is_acronym() && token.text.chars().skip(1).all(char::is_lowercase);
            is_plain && token.text.chars().count() > 2
        };
        let named = self.terms.iter().filter(|(_, term)| term.kind == TermKind::Name).map(|(at, _)| *at);
        let mut places: Vec<usize> = named.filter(|at| *at < self.tokens.len() && is_name(*at)).collect();
        let goes_on = |at: &usize| {
            let next = self.tokens.get(at + 1).filter(|next| !next.apart && next.is_capital());
            next.is_some_and(|next| PARTS.contains(&next.stem.as_str())).then_some(at + 1)
        };
        let parts: Vec<usize> = places.iter().filter_map(goes_on).collect();
        places.extend(parts);
        let before = |at: usize| at.checked_sub(1).filter(|before| places.contains(before) && !self.tokens[at].apart);
        let name = |at: &usize| ProperName {
            shown: self.tokens[*at].text.into(),
            start: start(&self.tokens[*at]),
            after: before(*at).map_or(0, |before| start(&self.tokens[before])),
        };
        places.iter().map(name).collect()
    }

    /// Digests of the first letters of every word.
    pub(super) fn starts(&self) -> Box<[u32]> {
        self.tokens.iter().filter(|token| token.kind == Kind::Word).take(LONGEST).map(start).collect()
    }
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
