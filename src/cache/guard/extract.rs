//! Takes a question apart: each pass reads tokens that no pass before it has taken.

use super::lexicon::{Language, Lexicon};
use super::signature::{Fact, Signature, Term, TermKind};
use super::text::Token;
use super::{capital, code, language, name, quantity, text, time};
use crate::embed::WordVectors;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

pub(super) fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

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
    reading.signs();
    reading.companies();
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

    /// Whether one of its terms has this key.
    pub(super) fn says(&self, key: &str) -> bool {
        self.terms.iter().any(|(_, term)| &*term.key == key)
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
        self.spans();
        self.terms.sort_by_key(|(at, _)| *at);
        self.set_places();
        for (_, term) in &mut self.terms {
            term.contrasts = self.lexicon.contrasts(&term.key).into();
            term.alike = self.lexicon.alike(&term.key).into();
        }
        for negation in &self.negations {
            // "did not submit the form" denies what "failed to provide the form" does.
            for (_, term) in self.terms.iter_mut().filter(|(at, _)| at >= negation) {
                term.negated = true;
                if !term.is_minor() && term.kind != TermKind::Name {
                    break;
                }
            }
        }
        self.mode();
        self.categories();
        self.imply();
        self.simplify();
        self.unsaid_frames();
        self.subjects();
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
        let cased = capital::read(&self.tokens);
        let (negations, frame) = (self.negations.len(), self.frame());
        let wording = self.wording();
        let (names, starts) = (self.names(), self.starts());
        let terms = self.terms.into_iter().map(|(_, term)| term).collect();
        Signature {
            facts: self.facts,
            terms,
            asides,
            language,
            frames: self.frames,
            negations,
            names,
            starts,
            ordered,
            frame,
            wording,
            cased,
            text: None,
        }
    }
}
