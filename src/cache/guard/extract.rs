//! Takes a question apart: each pass reads tokens that no pass before it has taken.

use super::lexicon::{Language, Lexicon, Meaning};
use super::place::Place;
use super::signature::{Fact, Signature, Term, TermKind};
use super::text::{Kind, Token};
use super::vector::WordVector;
use super::{code, language, name, quantity, text, time};
use crate::embed::WordVectors;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

const IMPLIED_WEIGHT: f32 = 0.15;
/// The weight of a thing of the lexicon.
const THING_WEIGHT: f32 = 1.0;
/// The weight of a slot that only one question names.
const ASIDE_WEIGHT: f32 = 0.7;
/// The weight of a soft word of the lexicon.
const SOFT_WEIGHT: f32 = 0.35;
/// The weight of a minor word of the lexicon.
const MINOR_WEIGHT: f32 = 0.2;

/// So many words are compared in their order; a question with a document behind it is told by its beginning.
const LONGEST_SAID: usize = 200;

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
    facts: Vec<Fact>,
    /// Where a value or name stands, for the order of "from … to".
    pub(super) anchors: Vec<(usize, Box<str>)>,
    pub(super) frames: Vec<Arc<str>>,
    /// Terms with their place.
    pub(super) terms: Vec<(usize, Term)>,
    asides: Vec<(usize, Term)>,
    pub(super) vectors: Option<&'a dyn WordVectors>,
    pub(super) negations: Vec<usize>,
}

pub(super) fn read<'a>(question: &'a str, lexicon: &'a Lexicon, vectors: Option<&'a dyn WordVectors>) -> Signature {
    let tokens = text::tokens(question);
    let detected = language::detect(&tokens, lexicon);
    let (taken, small) = (vec![false; tokens.len()], vec![false; tokens.len()]);
    let mut reading = Reading {
        tokens,
        lexicon,
        language: detected,
        taken,
        small,
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

    /// A slot that one question may name alone.
    fn aside(&mut self, at: usize, slot: &Arc<str>, value: &Arc<str>, shown: Box<str>) {
        self.fact(at, slot, &**value);
        if let Some(fact) = self.facts.last_mut() {
            fact.is_aside = true;
        }
        let aside = self.thing(&format!("{slot} {value}").into(), shown, TermKind::Concept, ASIDE_WEIGHT);
        self.asides.push((at, aside));
    }

    /// What a figure is divided by: the word after "per".
    fn divisor(&self, at: usize) -> Arc<str> {
        let stem = self.tokens.get(at).map_or("", |token| token.stem.as_str());
        let known = match self.lexicon.meaning(stem) {
            Some(Meaning::Unit(unit) | Meaning::ShortUnit(unit)) => return unit.clone(),
            Some(meaning) => meaning.thing(),
            None => None,
        };
        known.as_deref().map_or(stem, |thing| thing.trim_start_matches('=')).into()
    }

    /// Tonnes may go without saying; what a figure is divided by may not, nor any other unit.
    fn unit(&mut self, at: usize, unit: &Arc<str>, shown: Box<str>) {
        let divides = at > 0 && (self.tokens[at - 1].lower == "per" || self.tokens[at].hyphen);
        if divides || &**unit != "t" {
            self.fact(at, "unit", &**unit);
        } else {
            self.aside(at, &"unit".into(), unit, shown);
        }
    }

    /// Whether a word follows, as in "mean age".
    fn is_followed(&self, at: usize) -> bool {
        let next = self.tokens.get(at + 1);
        next.is_some_and(|next| next.kind == Kind::Word && !next.apart && !matches!(next.lower.as_str(), "by" | "when"))
    }

    /// In brackets, or between commas: "(t)".
    fn is_alone(&self, at: usize) -> bool {
        self.tokens[at].apart && self.tokens.get(at + 1).is_none_or(|next| next.apart)
    }

    /// A thing of the lexicon.
    fn thing(&self, name: &Arc<str>, shown: Box<str>, kind: TermKind, weight: f32) -> Term {
        let vector = self.vectors.and_then(|vectors| vectors.vector(&shown)).map(|vector| WordVector::new(&vector));
        let (is_common, is_unsaid) = (self.lexicon.is_common(name), self.lexicon.is_unsaid(name));
        let stems = text::stems(&shown);
        Term {
            key: format!("={name}").into(),
            shown,
            stems,
            kind,
            vector,
            negated: false,
            weight,
            is_common,
            is_unsaid,
            contrasts: Box::default(),
            alike: Box::default(),
            place: Place::default(),
        }
    }

    /// The longest phrases of the lexicon, from the left.
    fn phrases(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            at += self.phrase(at).unwrap_or(1);
        }
    }

    fn phrase(&mut self, at: usize) -> Option<usize> {
        if self.free(at).is_some_and(|token| token.text == "%") {
            self.aside(at, &"measure".into(), &"share".into(), "percent".into());
            self.take(at, 1);
            return Some(1);
        }
        let bound = match self.free(at).map(|token| token.text) {
            Some(">" | "≥") => Some("above"),
            Some("<" | "≤") => Some("below"),
            _ => None,
        };
        if let Some(bound) = bound {
            self.fact(at, "bound", bound);
            self.take(at, 1);
            return Some(1);
        }
        let reach = at..self.tokens.len().min(at + Lexicon::LONGEST);
        let free = reach
            .take_while(|&next| {
                self.is_free(next) && (next == at || !(self.tokens[next - 1].possessive || self.tokens[next].apart))
            })
            .count();
        let mut key = String::new();
        let mut ends = Vec::with_capacity(free);
        for token in &self.tokens[at..at + free] {
            if !key.is_empty() {
                key.push(' ');
            }
            key.push_str(&token.stem);
            ends.push(key.len());
        }
        let lexicon = self.lexicon;
        // "Which location" asks for a place, "Which location-based target" does not.
        let whole = |count: usize, meaning: &Meaning| {
            !matches!(meaning, Meaning::Frame(_))
                || self.tokens.get(at + count).is_none_or(|next| !next.hyphen || next.kind != Kind::Word)
        };
        let found = (1..=free)
            .rev()
            .filter_map(|count| lexicon.meaning(&key[..ends[count - 1]]).map(|meaning| (count, meaning)))
            .find(|(count, meaning)| whole(*count, meaning));
        if found.is_none_or(|(count, _)| count == 1) && self.is_free(at) && self.is_foreign_light(at) {
            self.take(at, 1);
            self.small[at] = true;
            return Some(1);
        }
        let (count, meaning) = found?;
        let shown: Box<str> =
            self.tokens[at..at + count].iter().map(|token| token.lower.as_str()).collect::<Vec<_>>().join(" ").into();
        let named = count == 1 && self.ends_name(at);
        // "Ostrand Maritime ships" are no maritime ships.
        if count > 1 && self.ends_name(at) && !self.tokens[at + count - 1].is_capital() {
            return None;
        }
        let after_number = at > 0 && self.tokens[at - 1].is_number();
        let last_of_in =
            at > 0 && self.tokens[at - 1].lower == "in" && self.tokens[at].starts == self.tokens[at - 1].starts;
        match meaning {
            Meaning::Light if count == 1 && (self.is_named(at) || self.is_compound(at)) => return None,
            // An average of something, and no meaning of a word.
            Meaning::Light
                if &*shown == "mean"
                    && self.lower(at.checked_sub(1)) != "i"
                    && (self.is_followed(at) || self.tokens[at].apart) =>
            {
                self.fact(at, "measure", "average");
            }
            Meaning::Light => self.small[at..at + count].fill(true),
            Meaning::Concept(name) => {
                let kind = if named { TermKind::Name } else { TermKind::Concept };
                let term = self.thing(name, shown, kind, THING_WEIGHT);
                self.term(at, term);
            }
            Meaning::Soft(name) => {
                let term = self.thing(name, shown, TermKind::Minor, SOFT_WEIGHT);
                self.term(at, term);
            }
            Meaning::Minor(name) => {
                let term = self.thing(name, shown, TermKind::Minor, MINOR_WEIGHT);
                self.term(at, term);
            }
            Meaning::Aside(slot, value) if &**slot == "divisor" && &**value == "per" => {
                self.aside(at, slot, &self.divisor(at + count), shown)
            }
            Meaning::Aside(slot, value) => self.aside(at, slot, value, shown),
            // "under 50" bounds, "under GRI 305" does not.
            Meaning::Facet(slot, _) if &**slot == "bound" && !self.bounds(at + count) => {}
            Meaning::Facet(slot, value) => self.fact(at, slot, &**value),
            Meaning::Pole(slot, value) => {
                let value = (&**value).into();
                self.facts.push(Fact { slot: slot.clone(), value, is_pole: true, is_aside: false });
            }
            Meaning::Frame(kind) => {
                self.small[at..at + count].fill(true);
                // "who" after a noun tells more about it, and asks for nothing.
                let relative = matches!(&*shown, "who" | "whom" | "whose" | "when" | "where");
                // Lower than in 2015 is measured against a base year.
                let against = matches!(&*shown, "vs" | "versus")
                    && self
                        .tokens
                        .get(at + 1..)
                        .unwrap_or_default()
                        .iter()
                        .take(3)
                        .any(|next| next.is_number() || matches!(next.lower.as_str(), "year" | "baseline"));
                let early = (!relative || self.asks_at(at)) && !against;
                let counts_units = matches!(&**kind, "count" | "quantity") && self.next_is_unit(at + count);
                if early && !counts_units {
                    self.frames.push(kind.clone());
                }
            }
            Meaning::Unit(unit) => {
                if shown.contains("co2") {
                    let term = self.thing(&"emissions".into(), shown.clone(), TermKind::Concept, THING_WEIGHT);
                    self.term(at, term);
                }
                self.unit(at, unit, shown);
            }
            Meaning::ShortUnit(unit) if after_number || last_of_in || self.is_alone(at) => self.unit(at, unit, shown),
            Meaning::ShortUnit(_) => return None,
            Meaning::Percent => self.aside(at, &"measure".into(), &"share".into(), shown),
            // "CO2" is often said for all greenhouse gases.
            Meaning::Gas(gas) if &**gas == "CO2" => self.aside(at, &"chemical".into(), gas, shown),
            Meaning::Gas(gas) => self.fact(at, "chemical", &**gas),
        }
        self.take(at, count);
        Some(count)
    }

    /// Whether a thing of the lexicon is part of a name here: "Steel" in "Thornbury Steel", but not in "EU Taxonomy".
    fn ends_name(&self, at: usize) -> bool {
        let goes_on = |at: usize| {
            let token = &self.tokens[at];
            token.is_capital() && !token.starts && !token.apart && !token.hyphen && !self.tokens[at - 1].possessive
        };
        let belongs = |before: &usize| goes_on(before + 1) && self.tokens[*before].is_capital();
        let Some(first) = (0..at).rev().take_while(belongs).last() else { return false };
        let token = &self.tokens[first];
        !token.is_acronym() && self.lexicon.meaning(&token.stem).is_none()
    }

    /// A small word of another language than English: of the question's, or of any where that is open.
    fn is_foreign_light(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        match self.language {
            Some(Language::English) => false,
            Some(language) => self.lexicon.is_light(&token.stem, language),
            None => {
                !token.is_acronym()
                    && self.lexicon.meaning(&token.stem).is_none()
                    && !self.lexicon.languages(&token.stem).is_empty()
            }
        }
    }

    /// A small word that is written as a name: "US" is no "us", "IT" no "it".
    fn is_named(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        token.is_acronym()
            && token.text.len() > 1
            && self.tokens.iter().any(|other| other.text.chars().any(char::is_lowercase))
    }

    /// Whether a longer word is part of one with a hyphen: "business-critical" is not "critical".
    fn is_compound(&self, at: usize) -> bool {
        const SHORT: usize = 5;
        let is_joined = self.tokens.get(at + 1).is_some_and(|next| next.hyphen && next.kind == Kind::Word);
        is_joined && self.tokens[at].text.len() > SHORT
    }

    /// Whether an amount follows, and not a year.
    fn bounds(&self, at: usize) -> bool {
        let places = self.facts_at(at);
        // "under 1.5 °C" is a scenario.
        let degrees = (at..=at + 2).any(|at| self.tokens.get(at).is_some_and(|token| token.text.starts_with('°')));
        !degrees && ["number", "percentage", "unit"].iter().any(|slot| places.contains(slot))
    }

    /// The slots that were read from the token there.
    fn facts_at(&self, at: usize) -> Vec<&str> {
        let anchors = self.anchors.iter().filter(|(place, _)| *place == at);
        anchors.filter_map(|(_, key)| key.split_once(' ').map(|(slot, _)| slot)).collect()
    }

    fn next_is_unit(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| matches!(self.lexicon.meaning(&token.stem), Some(Meaning::Unit(_))))
    }

    /// What a slot or a word says along with itself may be left out: a scope's number is one of emissions.
    fn imply(&mut self) {
        let signs = self.facts.iter().flat_map(|fact| [fact.slot.to_string(), format!("{} {}", fact.slot, fact.value)]);
        let words = self.terms.iter().filter_map(|(_, term)| Some(term.key.strip_prefix('=')?.to_owned()));
        let frames = self.frames.iter().map(ToString::to_string);
        let signs: Vec<String> = signs.chain(words).chain(frames).collect();
        for implied in signs.iter().flat_map(|sign| self.lexicon.implied(sign)) {
            for term in self.terms.iter_mut().chain(&mut self.asides).map(|(_, term)| term) {
                if term.key.strip_prefix('=') == Some(&**implied) {
                    term.kind = TermKind::Minor;
                    term.weight = IMPLIED_WEIGHT;
                }
            }
        }
    }

    /// Slots that say the same in another way: the last day of December is the year's end, two units make an intensity.
    fn simplify(&mut self) {
        let has = |slot: &str, value: &str| self.facts.iter().any(|fact| &*fact.slot == slot && &*fact.value == value);
        if has("day", "31") && has("month", "December") && self.facts.iter().any(|fact| &*fact.slot == "year") {
            self.facts.retain(|fact| !matches!(&*fact.slot, "day" | "month"));
        }
        // Scope 1 is what is direct, scopes 2 and 3 are what is indirect.
        if self.facts.iter().any(|fact| &*fact.slot == "scope") {
            self.facts.retain(|fact| &*fact.slot != "direct");
        }
        // Emissions are given in tonnes where nobody says otherwise.
        if self.terms.iter().any(|(_, term)| &*term.key == "=emissions") {
            self.facts.retain(|fact| (&*fact.slot, &*fact.value) != ("unit", "t"));
        }
        // Whoever names a refrigerant need not say that it is one.
        let named = |fact: &Fact| {
            (&*fact.slot == "chemical" && &*fact.value != "refrigerants")
                || (&*fact.slot == "code" && fact.value.starts_with("R-"))
        };
        if self.facts.iter().any(named) {
            self.facts.retain(|fact| (&*fact.slot, &*fact.value) != ("chemical", "refrigerants"));
        }
        // And carbon is priced by the tonne.
        if self.terms.iter().any(|(_, term)| &*term.key == "=carbon price") {
            self.facts.retain(|fact| (&*fact.slot, &*fact.value) != ("unit", "t"));
        }
        // Both sexes side by side are all people.
        let sexes = self.facts.iter().filter(|fact| &*fact.slot == "gender").map(|fact| &*fact.value);
        if sexes.collect::<std::collections::BTreeSet<_>>().len() > 1 {
            self.facts.retain(|fact| &*fact.slot != "gender");
        }
        // A global warming potential is one over a hundred years where nobody says otherwise.
        if self.terms.iter().any(|(_, term)| &*term.key == "=global warming potential") {
            let is_usual = |fact: &Fact| {
                matches!((&*fact.slot, &*fact.value), ("number" | "unit", "100" | "year") | ("bound", "above"))
            };
            self.facts.retain(|fact| !is_usual(fact));
        }
        let starts = |words: &[&str]| words.contains(&self.lower(Some(0)));
        let has_change = self.facts.iter().any(|fact| &*fact.slot == "change");
        let works_out =
            self.tokens.iter().any(|token| ["calculat", "measur", "comput", "determin"].contains(&token.stem.as_str()));
        let explains = self.tokens.iter().any(|token| ["explain", "attribut"].contains(&token.stem.as_str()));
        if explains && has_change {
            self.frames.push("reason".into());
        } else if starts(&["how", "explain"])
            && works_out
            && !self.frames.iter().any(|frame| matches!(&**frame, "count" | "quantity"))
        {
            self.frames.push("procedure".into());
        }
        if self.facts.iter().filter(|fact| &*fact.slot == "unit").count() > 1 {
            self.facts.retain(|fact| &*fact.value != "intensity");
        }
    }

    /// Where a movement goes: what stands after "to", and what stands after "from".
    fn ends(&self) -> [Option<Box<str>>; 2] {
        let terms = self.terms.iter().map(|(at, term)| (*at, term.key.clone()));
        let mut things: Vec<_> = self.anchors.iter().cloned().chain(terms).collect();
        things.sort();
        let after = |words: &[&str]| {
            let mark = self.tokens.iter().rposition(|token| words.contains(&token.lower.as_str()))?;
            // What moves stands right there, but for an article: "to find Acme's savings" is no movement.
            let near = mark + 1..=mark + 2;
            things.iter().find(|(at, _)| near.contains(at)).map(|(_, key)| key.clone())
        };
        [after(&["to", "into", "nach", "zu"]), after(&["from", "von", "aus"])]
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
            return before.into_iter().chain(after).map(|(_, key)| key).filter(|key| both(key)).collect();
        }
        let between = |from: usize, to: usize| {
            to == from + 2 && matches!(self.lower(Some(from + 1)), "to" | "into" | "bis" | "nach" | "à" | "a" | "hasta")
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
        let ends = self.ends();
        self.terms.sort_by_key(|(at, _)| *at);
        let (places, asides) = (self.places(&self.terms), self.places(&self.asides));
        for ((_, aside), place) in self.asides.iter_mut().zip(asides) {
            aside.place = place;
        }
        for ((_, term), place) in self.terms.iter_mut().zip(places) {
            term.contrasts = self.lexicon.contrasts(&term.key).into();
            term.alike = self.lexicon.alike(&term.key).into();
            term.place = place;
        }
        for negation in &self.negations {
            if let Some((_, head)) = self.terms.iter_mut().find(|(at, _)| at > negation) {
                head.negated = true;
            }
        }
        self.imply();
        self.simplify();
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
        let said = self.tokens.iter().take(LONGEST_SAID).map(|token| digest(&token.stem) as u32).collect();
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
            frame,
            said,
            text: None,
        }
    }
}
