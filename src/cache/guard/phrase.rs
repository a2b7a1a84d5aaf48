//! The phrases of the lexicon in a question: things, values of slots, units, kinds of answer, words that carry little.

use super::extract::Reading;
use super::lexicon::{Language, Lexicon, Meaning};
use super::number;
use super::signature::{Fact, Term, TermKind};
use super::small_words::IS;
use super::text::Kind;
use super::vector::WordVector;
use std::sync::Arc;

/// Words that ask which of two is ahead.
const COMPARES: [&str; 10] =
    ["higher", "greater", "larger", "bigger", "more", "lower", "smaller", "less", "fewer", "better"];
/// The weight of a thing of the lexicon.
const THING_WEIGHT: f32 = 1.0;
/// The weight of a slot that only one question names.
const ASIDE_WEIGHT: f32 = 0.7;
/// The weight of a soft word of the lexicon.
const SOFT_WEIGHT: f32 = 0.35;
/// The weight of a minor word of the lexicon.
const MINOR_WEIGHT: f32 = 0.2;

impl Reading<'_> {
    /// A slot that one question may name alone.
    pub(super) fn aside(&mut self, at: usize, slot: &Arc<str>, value: &Arc<str>, shown: Box<str>) {
        self.fact(at, slot, &**value);
        if let Some(fact) = self.facts.last_mut() {
            fact.is_aside = true;
        }
        let aside = self.thing(&format!("{slot} {value}").into(), shown, TermKind::Concept, ASIDE_WEIGHT);
        self.asides.push((at, aside));
    }

    /// One of two opposites.
    fn pole(&mut self, slot: &Arc<str>, value: &Arc<str>) {
        let value = (&**value).into();
        self.facts.push(Fact { slot: slot.clone(), value, is_pole: true, is_aside: false });
    }

    /// What a figure is divided by: the word after "per".
    fn divisor(&self, at: usize) -> Arc<str> {
        let stem = |at: usize| self.tokens.get(at).map_or("", |token| token.stem.as_str());
        let at = at + usize::from(stem(at).len() > 2 && number::zeros(stem(at)).is_some());
        let stem = stem(at);
        let pair = self.tokens.get(at + 1).map_or_else(String::new, |next| format!("{stem} {}", next.stem));
        let known = match self.lexicon.meaning(&pair).or_else(|| self.lexicon.meaning(stem)) {
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
        next.is_some_and(|next| {
            next.kind == Kind::Word && !next.apart && !matches!(next.lower.as_str(), "by" | "when" | "that")
        })
    }

    /// In brackets, or between commas: "(t)".
    fn is_alone(&self, at: usize) -> bool {
        self.tokens[at].apart && self.tokens.get(at + 1).is_none_or(|next| next.apart)
    }

    /// A thing of the lexicon.
    fn thing(&self, name: &Arc<str>, shown: Box<str>, kind: TermKind, weight: f32) -> Term {
        let vector = self.vectors.and_then(|vectors| vectors.vector(&shown)).map(|vector| WordVector::new(&vector));
        let (is_common, is_unsaid) = (self.lexicon.is_common(name), self.lexicon.is_unsaid(name));
        Term { is_common, is_unsaid, ..Term::new(format!("={name}").into(), shown, kind, vector, weight) }
    }

    /// The longest phrases of the lexicon, from the left.
    pub(super) fn phrases(&mut self) {
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
        // "5+ sites": the plus stands right behind a number, and before nothing that it adds.
        let is_open = self.free(at).is_some_and(|token| token.text == "+" && token.glued)
            && at.checked_sub(1).is_some_and(|before| self.is_amount(before))
            && !self.tokens.get(at + 1).is_some_and(|next| next.is_number() || next.glued);
        if is_open {
            self.fact(at, "bound", "above");
            self.take(at, 1);
            return Some(1);
        }
        let bound = match self.free(at).map(|token| token.text) {
            Some(">" | "≥" | ">=") => Some("above"),
            Some("<" | "≤" | "<=") => Some("below"),
            _ => None,
        };
        if let Some(bound) = bound {
            // "Outlook > Teams" leads from one to the other.
            if self.is_amount(at + 1) {
                self.fact(at, "bound", bound);
            }
            self.take(at, 1);
            return Some(1);
        }
        if self.takes_off(at) {
            self.aside(at, &"add or remove".into(), &"remove".into(), "off".into());
            self.take(at, 1);
            return Some(1);
        }
        if let Some(change) = self.up_or_down(at) {
            let shown = self.tokens[at].lower.as_str().into();
            self.aside(at, &"change".into(), &change.into(), shown);
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
            // "Total's emissions" are no total emissions.
            _ if count == 1 && self.is_owner(at) => return None,
            Meaning::Light if count == 1 && (self.is_named(at) || self.is_compound(at)) => return None,
            // An average of something, and no meaning of a word.
            Meaning::Light
                if &*shown == "mean"
                    && self.lower(at.checked_sub(1)) != "i"
                    && (self.is_followed(at) || self.tokens[at].apart) =>
            {
                self.fact(at, "measure", "average");
            }
            Meaning::Light => {
                self.small[at..at + count].fill(true);
                self.idle[at..at + count].fill(count > 1);
            }
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
                self.aside(at, slot, &self.divisor(at + count), shown);
            }
            Meaning::Aside(slot, value) => self.aside(at, slot, value, shown),
            // "under 50" bounds, "under GRI 305" does not.
            Meaning::Facet(slot, value)
                if &**slot == "bound"
                    && !self.is_amount(at + count)
                    && !(shown.starts_with("or ") && (at.saturating_sub(3)..at).any(|at| self.is_amount(at))) =>
            {
                // "below the living wage" bounds by a thing; "under a contract" and "over the year" do not.
                if !matches!(&*shown, "under" | "over" | "up to" | "within" | "or less" | "or more" | "or fewer") {
                    self.pole(slot, value);
                }
            }
            Meaning::Facet(slot, value) => self.fact(at, slot, &**value),
            Meaning::Pole(slot, value) => self.pole(slot, value),
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
                // "Acme vs Globex: higher share" asks which of them.
                let against = against
                    || (matches!(&*shown, "vs" | "versus")
                        && self.tokens.iter().any(|token| COMPARES.contains(&token.lower.as_str())));
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

    /// Whether something is said to be its own, and it is written as a name inside a sentence.
    fn is_owner(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let is_name = token.is_capital() && !token.starts && !token.is_acronym();
        token.possessive && is_name && !self.tokens[at - 1].is_capital()
    }

    /// Whether a longer word is part of one with a hyphen: "business-critical" is not "critical".
    fn is_compound(&self, at: usize) -> bool {
        const SHORT: usize = 5;
        let is_joined = self.tokens.get(at + 1).is_some_and(|next| next.hyphen && next.kind == Kind::Word);
        is_joined && self.tokens[at].text.len() > SHORT
    }

    /// "taken off the list": the verb may stand far before.
    fn takes_off(&self, at: usize) -> bool {
        let takes = |at: usize| matches!(self.lower(Some(at)), "take" | "takes" | "took" | "taken" | "come" | "comes");
        self.free(at).is_some_and(|token| token.lower == "off") && (0..at).any(takes)
    }

    /// "drove it up 7 %", "down by 3", "23% up"; but "make up 20 %" tells a share.
    fn up_or_down(&self, at: usize) -> Option<&'static str> {
        let change = match self.free(at)?.lower.as_str() {
            "up" => "increase",
            "down" => "decrease",
            _ => return None,
        };
        let is_amount = |at: usize| self.facts_at(at).iter().any(|slot| matches!(*slot, "number" | "percentage"));
        let forms = ["mak", "made", "take", "took", "tak", "add", "set", "sign", "split", "break", "broken"];
        let is_formed = at > 0 && forms.contains(&self.tokens[at - 1].stem.as_str());
        let between =
            ["by", "more", "less", "than", "over", "under", "at", "least", "most", "about", "nearly", "almost"];
        let next = (at + 1..self.tokens.len().min(at + 4)).find(|&next| !between.contains(&self.lower(Some(next))));
        let next = next.unwrap_or(at);
        let is_told = at > 0 && IS.contains(&self.lower(Some(at - 1)));
        let is_told = is_told && !matches!(self.lower(Some(at + 1)), "to" | "for");
        // "What drove turnover down in 2022?"
        let drives = |at: usize| {
            matches!(self.lower(Some(at)), "drove" | "drives" | "driven" | "brought" | "brings" | "pushed" | "sent")
        };
        let is_driven = (0..at).any(drives) && self.lower(Some(at + 1)) != "to";
        (!is_formed && (is_told || is_driven || is_amount(next) || (at > 1 && is_amount(at - 2)))).then_some(change)
    }

    /// Whether an amount follows, and not a year.
    fn is_amount(&self, at: usize) -> bool {
        let is_currency = self.tokens.get(at).is_some_and(|token| {
            matches!(self.lexicon.meaning(&token.stem), Some(Meaning::Unit(_) | Meaning::ShortUnit(_)))
        });
        let places = self.facts_at(at + usize::from(is_currency));
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
}
