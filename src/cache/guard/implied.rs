//! What goes without saying beside what is said, and slots that say one thing twice.

use super::extract::Reading;
use super::signature::{Fact, Term, TermKind};
use std::sync::Arc;

/// The weight of a word that goes without saying.
const IMPLIED_WEIGHT: f32 = 0.15;

impl Reading<'_> {
    /// What a slot or a word says along with itself may be left out: a scope's number is one of emissions.
    pub(super) fn imply(&mut self) {
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

    /// A unit that may go without saying, and then parts nobody; beside another unit it still is another.
    fn unsaid_unit(&mut self, unit: &str) {
        for fact in self.facts.iter_mut().filter(|fact| (&*fact.slot, &*fact.value) == ("unit", unit)) {
            fact.is_aside = true;
        }
        self.asides.retain(|(_, aside)| aside.key.strip_prefix("=unit ") != Some(unit));
    }

    /// Slots that say the same in another way: the last day of December is the year's end, two units make an intensity.
    pub(super) fn simplify(&mut self) {
        let has = |slot: &str, value: &str| self.facts.iter().any(|fact| &*fact.slot == slot && &*fact.value == value);
        if has("day", "31") && has("month", "December") && self.facts.iter().any(|fact| &*fact.slot == "year") {
            self.facts.retain(|fact| !matches!(&*fact.slot, "day" | "month"));
        }
        // Scope 1 is what is direct, scopes 2 and 3 are what is indirect.
        if self.facts.iter().any(|fact| &*fact.slot == "scope") {
            self.facts.retain(|fact| &*fact.slot != "direct");
        }
        // Emissions are given in tonnes where nobody says otherwise.
        if self.says("=emissions") {
            self.unsaid_unit("t");
        }
        // "How much of the waste, in tonnes" asks for no share.
        let is_of = |term: &Term| &*term.shown == "how much of";
        if self.facts.iter().any(|fact| &*fact.slot == "unit") && self.asides.iter().any(|(_, term)| is_of(term)) {
            self.asides.retain(|(_, term)| !is_of(term));
            self.facts.retain(|fact| (&*fact.slot, &*fact.value) != ("measure", "share"));
        }
        // Noise is given in decibels where nobody says otherwise.
        if self.says("=noise") {
            self.unsaid_unit("dB");
        }
        // Whoever names a refrigerant need not say that it is one.
        let named = |fact: &Fact| {
            (&*fact.slot == "chemical" && &*fact.value != "refrigerants")
                || (&*fact.slot == "code"
                    && fact.value.starts_with('R')
                    && fact.value[1..].starts_with(|next: char| next.is_ascii_digit()))
        };
        if self.facts.iter().any(named) {
            self.facts.retain(|fact| (&*fact.slot, &*fact.value) != ("chemical", "refrigerants"));
        }
        // And carbon is priced by the tonne.
        if self.says("=carbon price") {
            self.unsaid_unit("t");
        }
        // Both sexes side by side are all people.
        let sexes = self.facts.iter().filter(|fact| &*fact.slot == "gender").map(|fact| &*fact.value);
        if sexes.collect::<std::collections::BTreeSet<_>>().len() > 1 {
            self.facts.retain(|fact| &*fact.slot != "gender");
            // "The difference in pay between women and men" is the pay gap.
            let is_difference = |frame: &Arc<str>| &**frame == "difference";
            let pay = self.terms.iter_mut().find(|(_, term)| &*term.key == "=pay");
            if let Some((_, pay)) = pay.filter(|_| self.frames.iter().any(is_difference)) {
                pay.key = "=pay gap".into();
                self.frames.retain(|frame| !is_difference(frame));
            }
        }
        // A change from the year before is one from year to year.
        let changes = self.says("=trend") || self.facts.iter().any(|fact| &*fact.slot == "change");
        if changes && self.facts.iter().any(|fact| &*fact.slot == "year") {
            for fact in
                self.facts.iter_mut().filter(|fact| &*fact.slot == "time reference" && &*fact.value == "last year")
            {
                fact.value = "year on year".into();
            }
        }
        // A global warming potential is one over a hundred years where nobody says otherwise.
        if self.says("=global warming potential") {
            let is_usual = |fact: &Fact| {
                matches!((&*fact.slot, &*fact.value), ("number" | "unit", "100" | "year") | ("bound", "above"))
            };
            self.facts.retain(|fact| !is_usual(fact));
        }
        let divides = self.facts.iter().any(|fact| &*fact.slot == "divisor");
        if divides || self.facts.iter().filter(|fact| &*fact.slot == "unit").count() > 1 {
            self.facts.retain(|fact| &*fact.value != "intensity");
        }
    }
}
