//! Where in a question a word stands: beside which words.

use super::extract::{Reading, digest};
use super::signature::{Term, TermKind};
use super::small_words::ARTICLES;

/// Where a term stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// Digests of the words before and after it, names and small words before them left out; 0 at an end or a comma.
    beside: [u32; 2],
    /// A digest of the last word of a phrase: of what it is a kind.
    head: Option<u32>,
}

impl Place {
    /// Whether it is the other one's place: before the same word, or after it.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        // "audit committee" stands where "disclosure" does before "committee".
        let is_kind = |phrase: &Self, word: &Self| phrase.head.is_some_and(|head| head == word.beside[1]);
        self.beside.iter().zip(&other.beside).any(|(one, two)| one == two && *one != 0)
            || is_kind(self, other)
            || is_kind(other, self)
    }
}

impl Reading<'_> {
    /// Notes where the terms and the asides stand.
    pub(super) fn set_places(&mut self) {
        let passed_over = self.passed_over();
        let (terms, asides) = (self.places(&self.terms, &passed_over), self.places(&self.asides, &passed_over));
        for ((_, term), place) in self.terms.iter_mut().chain(&mut self.asides).zip(terms.into_iter().chain(asides)) {
            term.place = place;
        }
    }

    fn places(&self, terms: &[(usize, Term)], passed_over: &[bool]) -> Vec<Place> {
        let digest = |place: usize| digest(&self.tokens[place].stem) as u32;
        let counts = |place: &usize| !passed_over[*place];
        let joined = |from: usize, to: usize| !self.tokens[from + 1..=to].iter().any(|token| token.apart);
        let place = |at: usize, end: usize| {
            let before = (0..at).rev().find(counts).filter(|before| joined(*before, at));
            let after = (end..self.tokens.len()).find(counts).filter(|after| joined(end - 1, *after));
            let head = (end > at + 1).then(|| digest(end - 1));
            Place { beside: [before.map_or(0, digest), after.map_or(0, digest)], head }
        };
        let ends = |at: usize, words: usize| (at + words.max(1)).min(self.tokens.len());
        terms.iter().map(|(at, term)| place(*at, ends(*at, term.stems.len()))).collect()
    }

    /// Articles, names and values, and the small words that lead to these.
    fn passed_over(&self) -> Vec<bool> {
        let mut passed: Vec<bool> = self.tokens.iter().map(|token| ARTICLES.contains(&token.lower.as_str())).collect();
        let names = self.terms.iter().filter(|(_, term)| term.kind == TermKind::Name).map(|(at, _)| *at);
        // What follows the tokens that are read has an anchor behind them.
        let anchors = self.anchors.iter().map(|(at, _)| *at).filter(|at| *at < self.tokens.len());
        for at in names.chain(anchors) {
            passed[at] = true;
        }
        for at in (1..passed.len()).rev() {
            let leads = matches!(self.tokens[at - 1].lower.as_str(), "of" | "in" | "at" | "by" | "for" | "from");
            passed[at - 1] |= leads && passed[at];
        }
        passed
    }
}
