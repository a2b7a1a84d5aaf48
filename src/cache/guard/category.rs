//! The fifteen categories of scope 3, by their number and by their name.
//!
//! Source: GHG Protocol, Corporate Value Chain (Scope 3) Accounting and Reporting Standard, table 5.3.

use super::extract::Reading;
use super::signature::{Fact, SUBJECT, TermKind};

struct Category {
    number: &'static str,
    stream: Option<&'static str>,
    /// The keys of terms that all have to be there.
    names: &'static [&'static str],
}

const fn category(number: &'static str, stream: Option<&'static str>, names: &'static [&'static str]) -> Category {
    Category { number, stream, names }
}

const UP: Option<&str> = Some("upstream");
const DOWN: Option<&str> = Some("downstream");

const CATEGORIES: [Category; 14] = [
    category("1", None, &["=purchased goods"]),
    category("2", None, &["=capital goods"]),
    category("4", UP, &["=transport"]),
    category("5", None, &["=operational waste"]),
    category("6", None, &["=business travel"]),
    category("7", None, &["=commuting"]),
    category("8", UP, &["=leased assets"]),
    category("9", DOWN, &["=transport"]),
    category("10", None, &["=processing of sold products"]),
    category("11", None, &["=use of sold products"]),
    category("12", None, &["=end of life"]),
    category("13", DOWN, &["=leased assets"]),
    category("15", None, &["=financed emissions"]),
    category("15", None, &["financ"]),
];

impl Reading<'_> {
    /// What is measured: a company's name says nothing of it.
    pub(super) fn subjects(&mut self) {
        let things = self.terms.iter().filter(|(_, term)| term.kind != TermKind::Name);
        let subjects: Vec<Box<str>> =
            things.filter_map(|(_, term)| Some(self.lexicon.subject(term.key.strip_prefix('=')?)?.into())).collect();
        self.facts.extend(subjects.into_iter().map(|value| Fact {
            slot: SUBJECT.into(),
            value,
            is_pole: true,
            is_aside: false,
        }));
    }

    /// Where emissions are asked for, a category's name is its number, and its scope goes without saying.
    pub(super) fn categories(&mut self) {
        let scopes = || self.facts.iter().filter(|fact| &*fact.slot == "scope");
        let is_numbered = self.facts.iter().any(|fact| &*fact.slot == "category");
        let is_emitted = self.says("=emissions") || self.says("=financed emissions");
        if scopes().any(|scope| &*scope.value != "3") || !(is_emitted || is_numbered || scopes().next().is_some()) {
            return;
        }
        for category in &CATEGORIES {
            let number =
                Fact { slot: "category".into(), value: category.number.into(), is_pole: false, is_aside: false };
            let is_stream = |fact: &Fact| &*fact.slot == "stream" && Some(&*fact.value) == category.stream;
            let is_named = category.names.iter().all(|name| self.says(name))
                && (category.stream.is_none() || self.facts.iter().any(is_stream));
            if is_named && (!is_numbered || self.facts.contains(&number)) {
                self.facts.retain(|fact| !is_stream(fact) && *fact != number);
                self.facts.push(number);
                self.terms.retain(|(_, term)| !category.names.contains(&&*term.key));
            }
        }
        if self.facts.iter().any(|fact| &*fact.slot == "category") {
            self.facts.retain(|fact| &*fact.slot != "scope");
        }
    }
}
