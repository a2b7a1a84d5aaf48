//! Where in a question a word stands: beside which words, and how what is before it relates to it.

use super::extract::{Reading, digest};
use super::signature::{Term, TermKind};
use super::small_words::ARTICLES;

/// How far before a thing the word stands that relates something to it.
const REACH: usize = 7;

/// What stands before a "to" that moves nothing, by stem.
const STILL: [&str; 21] = [
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

/// Where a term stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// Digests of the words before and after it, names and small words before them left out; 0 at an end or a comma.
    beside: [u32; 2],
    /// A digest of the last word of a phrase: of what it is a kind.
    head: Option<u32>,
    pub(super) relation: Option<Relation>,
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

/// How what a question asks for relates to a thing that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Before,
    After,
    During,
    Including,
    Excluding,
    Only,
    To,
    From,
    Against,
}

impl Relation {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "before" | "pre" | "prior" => Self::Before,
            "after" | "post" => Self::After,
            "during" => Self::During,
            "including" | "includes" | "include" => Self::Including,
            "excluding" | "excludes" | "exclude" | "without" | "except" => Self::Excluding,
            "only" | "solely" | "exclusively" => Self::Only,
            _ => return None,
        })
    }

    /// Whether one of two questions asks for something else than the other: where a thing goes and when are two subjects.
    pub(super) fn parts(self, other: Self) -> bool {
        let moves = |relation: Self| matches!(relation, Self::To | Self::From);
        self != other && moves(self) == moves(other)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::During => "during",
            Self::Including => "including",
            Self::Excluding => "excluding",
            Self::Only => "only",
            Self::To => "to",
            Self::From => "from",
            Self::Against => "against",
        }
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
            let relation = self.relation_after(end).or_else(|| self.relation(at)).or_else(|| self.movement(at));
            Place { beside: [before.map_or(0, digest), after.map_or(0, digest)], head, relation }
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

    /// "counting offsets only", "with offsets included"
    fn relation_after(&self, end: usize) -> Option<Relation> {
        let next = self.tokens.get(end).filter(|next| !next.apart)?;
        let ends = self.tokens.get(end + 1).is_none_or(|after| after.apart);
        match next.lower.as_str() {
            "only" if ends => Some(Relation::Only),
            "included" if ends => Some(Relation::Including),
            "excluded" if ends => Some(Relation::Excluding),
            _ => None,
        }
    }

    /// "paid to the parent", "received from the parent"
    fn movement(&self, at: usize) -> Option<Relation> {
        let before = |at: usize| at.checked_sub(1).filter(|_| !self.tokens[at].apart);
        let mut lead = before(at)?;
        if ARTICLES.contains(&self.lower(Some(lead))) || self.lower(Some(lead)) == "our" {
            lead = before(lead)?;
        }
        match self.lower(Some(lead)) {
            "from" => Some(Relation::From),
            "against" => Some(Relation::Against),
            "at" if self.lower(lead.checked_sub(1)) == "directed" => Some(Relation::Against),
            "to" => {
                before(lead).filter(|before| !STILL.contains(&self.tokens[*before].stem.as_str())).map(|_| Relation::To)
            }
            _ => None,
        }
    }

    fn relation(&self, at: usize) -> Option<Relation> {
        let reach = (at.saturating_sub(REACH)..at).rev();
        // A comma ends what a word relates to.
        let near = reach.take_while(|before| !self.tokens[before + 1].apart);
        near.into_iter().find_map(|before| Relation::read(&self.tokens[before].lower))
    }
}
