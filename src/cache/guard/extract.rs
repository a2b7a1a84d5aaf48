//! Takes a question apart: each pass reads tokens that no pass before it has taken.

use super::lexicon::{Language, Lexicon};
use super::signature::{Fact, Signature, Term, TermKind};
use super::text::{Kind, Token};
use super::{code, language, name, quantity, text, time};
use crate::embed::WordVectors;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

pub(super) fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What stands before a "to" that moves nothing, by stem.
pub(super) const STILL: [&str; 21] = [
    "due",
    "ha",
    "has",
    "hav",
    "have",
    "had",
    "need",
    "attribut",
    "contribut",
    "relat",
    "accord",
    "thank",
    "compar",
    "subject",
    "link",
    "ti",
    "expos",
    "exposur",
    "ow",
    "damag",
    "respons",
];

/// A question in the middle of being taken apart.
pub(super) struct Reading<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) lexicon: &'a Lexicon,
    pub(super) language: Option<Language>,
    taken: Vec<bool>,
    /// Tokens that carry nothing.
    pub(super) small: Vec<bool>,
    /// Tokens that are no part of what is asked, as in "could you".
    pub(super) idle: Vec<bool>,
    pub(super) facts: Vec<Fact>,
    /// Where a value or name stands, for the order of "from … to".
    pub(super) anchors: Vec<(usize, Box<str>)>,
    pub(super) frames: Vec<Arc<str>>,
    /// Terms with their place.
    pub(super) terms: Vec<(usize, Term)>,
    pub(super) asides: Vec<(usize, Term)>,
    pub(super) vectors: Option<&'a dyn WordVectors>,
    pub(super) negations: Vec<usize>,
}

pub(super) fn read<'a>(question: &'a str, lexicon: &'a Lexicon, vectors: Option<&'a dyn WordVectors>) -> Signature {
    let tokens = text::tokens(question);
    let detected = language::detect(&tokens, lexicon);
    let (taken, small, idle) = (vec![false; tokens.len()], vec![false; tokens.len()], vec![false; tokens.len()]);
    let mut reading = Reading {
        tokens,
        lexicon,
        language: detected,
        taken,
        small,
        idle,
        facts: Vec::new(),
        anchors: Vec::new(),
        frames: Vec::new(),
        terms: Vec::new(),
        asides: Vec::new(),
        vectors,
        negations: Vec::new(),
    };
    let rest = text::rest(question, &reading.tokens);
    if !rest.is_empty() {
        reading.fact(text::MOST, "what follows", format!("{:016x}", digest(rest)));
    }
    reading.skip_purpose();
    reading.negate();
    reading.yes_or_no();
    code::labels(&mut reading);
    time::read(&mut reading);
    code::codes(&mut reading);
    quantity::read(&mut reading);
    reading.phrases();
    name::words(&mut reading);
    reading.finish(detected)
}

impl Reading<'_> {
    pub(super) fn is_free(&self, at: usize) -> bool {
        self.taken.get(at).is_some_and(|taken| !taken)
    }

    pub(super) fn take(&mut self, from: usize, count: usize) {
        self.taken[from..from + count].fill(true);
    }

    /// The token there, unless it was taken.
    pub(super) fn free(&self, at: usize) -> Option<&Token<'_>> {
        self.is_free(at).then(|| &self.tokens[at])
    }

    /// The lower case of the token there; empty past the ends.
    pub(super) fn lower(&self, at: Option<usize>) -> &str {
        at.and_then(|at| self.tokens.get(at)).map_or("", |token| token.lower.as_str())
    }

    pub(super) fn fact(&mut self, at: usize, slot: &str, value: impl Into<Box<str>>) {
        let fact = Fact { slot: slot.into(), value: value.into(), is_pole: false, is_aside: false };
        self.anchors.push((at, format!("{slot} {}", fact.value).into()));
        self.facts.push(fact);
    }

    pub(super) fn term(&mut self, at: usize, term: Term) {
        if term.kind == TermKind::Name {
            self.anchors.push((at, term.key.clone()));
        }
        self.terms.push((at, term));
    }

    /// Where the words stand that bound an amount.
    pub(super) fn bounds(&self) -> Vec<usize> {
        self.anchors.iter().filter(|(_, key)| key.starts_with("bound ")).map(|(at, _)| *at).collect()
    }

    /// Where a movement goes: what stands after "to", and what stands after "from".
    fn ends(&self) -> [Option<Box<str>>; 2] {
        let terms = self.terms.iter().map(|(at, term)| (*at, term.key.clone()));
        let mut things: Vec<_> = self.anchors.iter().cloned().chain(terms).collect();
        things.sort();
        let after = |words: &[&str]| {
            // "due to" and "has to" move nothing.
            let moves = |at: usize| {
                let before = at.checked_sub(1).map_or("", |before| self.tokens[before].stem.as_str());
                !STILL.contains(&before)
            };
            let mark = (0..self.tokens.len())
                .rev()
                .find(|&at| words.contains(&self.tokens[at].lower.as_str()) && moves(at))?;
            // What moves stands right there, but for an article: "to find Acme's savings" is no movement.
            let near = mark + 1..=mark + 2;
            things.iter().find(|(at, _)| near.contains(at)).map(|(_, key)| key.clone())
        };
        [after(&["to", "into", "nach", "zu"]), after(&["from", "von", "aus"])]
    }

    /// What something has an effect on: "X affects Y", "the impact of X on Y", "the effect X has on Y", "Y is affected by X".
    fn affected(&self) -> Option<Vec<Box<str>>> {
        let at = self.tokens.iter().position(|token| {
            matches!(
                token.lower.as_str(),
                "affect"
                    | "affects"
                    | "affected"
                    | "effect"
                    | "effects"
                    | "impact"
                    | "impacts"
                    | "influence"
                    | "influences"
            )
        })?;
        let terms = self.terms.iter().filter(|(_, term)| !term.is_minor()).map(|(at, term)| (*at, term.key.clone()));
        let mut things: Vec<_> = terms.collect();
        things.sort();
        // A name may have two words.
        let within = |from: usize, to: usize| {
            things.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, key)| key.clone()).collect::<Vec<_>>()
        };
        let after = |mark: usize| within(mark + 1, mark + 4);
        let found = match (self.lower(Some(at)), self.lower(Some(at + 1))) {
            ("affected", next) if next == "by" || self.small.get(at + 1) != Some(&false) => {
                within(at.saturating_sub(4), at)
            }
            ("affect" | "affects" | "affected", _) => after(at),
            _ => after((at..self.tokens.len()).find(|on| self.lower(Some(*on)) == "on")?),
        };
        Some(found)
    }

    fn order(&self) -> Vec<Box<str>> {
        let mut anchors = self.anchors.clone();
        anchors.sort();
        anchors.dedup();
        if anchors.len() < 2 {
            return Vec::new();
        }
        if let Some(than) = self.tokens.iter().position(|token| matches!(token.lower.as_str(), "than" | "als")) {
            // What is compared is of one kind: "Acme's fines higher than Globex's", but not "more than 45 in 2023".
            let kind = |key: &str| key.split_once(' ').map(|(slot, _)| slot.to_owned());
            let (before, after): (Vec<_>, Vec<_>) = anchors.into_iter().partition(|(at, _)| *at < than);
            let kinds = |of: &[(usize, Box<str>)]| of.iter().map(|(_, key)| kind(key)).collect::<Vec<_>>();
            let (left, right) = (kinds(&before), kinds(&after));
            let both = |key: &str| left.contains(&kind(key)) && right.contains(&kind(key));
            // "higher in 2022 than in 2019" is a rise from 2019 to 2022.
            let is_year = |(_, key): &(usize, Box<str>)| key.starts_with("year ");
            let years = before.iter().filter(|at| is_year(at)).count() == 1
                && after.iter().filter(|at| is_year(at)).count() == 1;
            let (first, last) = if years { (after, before) } else { (before, after) };
            let is_kept = |key: &str| both(key) && (!years || key.starts_with("year "));
            return first.into_iter().chain(last).map(|(_, key)| key).filter(|key| is_kept(key)).collect();
        }
        let between = |from: usize, to: usize| {
            // "Article 6 to Article 8"
            let is_label = to == from + 3 && self.tokens[to - 1].kind == Kind::Word && self.tokens[to].is_number();
            (to == from + 2 || is_label)
                && matches!(self.lower(Some(from + 1)), "to" | "into" | "bis" | "nach" | "à" | "a" | "hasta")
        };
        let pairs = anchors.windows(2).filter(|pair| between(pair[0].0, pair[1].0));
        pairs.flat_map(|pair| [pair[0].1.clone(), pair[1].1.clone()]).collect()
    }

    /// A digest of the small words in their order, with a place for each of the others.
    fn frame(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (token, &small) in self.tokens.iter().zip(&self.small) {
            if small { token.lower.hash(&mut hasher) } else { 0_u8.hash(&mut hasher) }
        }
        hasher.finish()
    }

    fn finish(mut self, language: Option<Language>) -> Signature {
        let ordered = self.order();
        let (ends, affected) = (self.ends(), self.affected());
        self.terms.sort_by_key(|(at, _)| *at);
        self.set_places();
        for (_, term) in &mut self.terms {
            term.contrasts = self.lexicon.contrasts(&term.key).into();
            term.alike = self.lexicon.alike(&term.key).into();
        }
        for negation in &self.negations {
            // "did not submit the form" denies what "failed to provide the form" does.
            for (_, term) in self.terms.iter_mut().filter(|(at, _)| at > negation) {
                term.negated = true;
                if !term.is_minor() {
                    break;
                }
            }
        }
        self.mode();
        self.categories();
        self.imply();
        self.simplify();
        self.unsaid_frames();
        self.facts.sort();
        self.facts.dedup();
        self.frames.sort();
        self.frames.dedup();
        let facts = &self.facts;
        let is_fact = |aside: &Term| {
            let said = |fact: &Fact| aside.key.strip_prefix('=') == Some(&format!("{} {}", fact.slot, fact.value));
            facts.iter().any(said)
        };
        let asides: Vec<Term> =
            std::mem::take(&mut self.asides).into_iter().map(|(_, aside)| aside).filter(is_fact).collect();
        let (negations, frame) = (self.negations.len(), self.frame());
        let wording = self.wording();
        let terms = self.terms.into_iter().map(|(_, term)| term).collect();
        Signature {
            facts: self.facts,
            terms,
            asides,
            language,
            frames: self.frames,
            negations,
            ordered,
            ends,
            affected: affected.unwrap_or_default(),
            frame,
            wording,
            text: None,
        }
    }
}
