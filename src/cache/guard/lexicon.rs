//! The guards' knowledge of words, read from text files: what a phrase means, and in which language.

use super::text;
use crate::lock::Lazy;
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

const FILES: [&str; 7] = [
    include_str!("lexicon/units.txt"),
    include_str!("lexicon/topics.txt"),
    include_str!("lexicon/esg.txt"),
    include_str!("lexicon/en.txt"),
    include_str!("lexicon/other.txt"),
    include_str!("lexicon/alike.txt"),
    CONTRASTS,
];
const CONTRASTS: &str = include_str!("lexicon/contrasts.txt");

static STANDARD: Lazy<Arc<Lexicon>> = Lazy::new(|| {
    let mut lexicon = Lexicon::default();
    for file in FILES {
        lexicon.read(file);
    }
    Arc::new(lexicon)
});

/// What a phrase says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A thing, by the name of its synonyms.
    Concept(Arc<str>),
    /// A value of a slot that both questions must name: slot and value.
    Facet(Arc<str>, Arc<str>),
    /// A slot that one question may name alone: then it counts as a word. Slot and value.
    Aside(Arc<str>, Arc<str>),
    /// One of two opposites, which a question may leave out: slot and value.
    Pole(Arc<str>, Arc<str>),
    /// The kind of answer that is asked for.
    Frame(Arc<str>),
    Unit(Arc<str>),
    /// A unit so short that it is one only after a number or after "in".
    ShortUnit(Arc<str>),
    Percent,
    /// A chemical; a slot of its own.
    Gas(Arc<str>),
    /// May be missing where much else is shared.
    Soft(Arc<str>),
    /// Carries little.
    Minor(Arc<str>),
    /// Carries nothing.
    Light,
}

impl Meaning {
    /// The key of the term that a thing of the lexicon becomes; None where it becomes none.
    pub(super) fn thing(&self) -> Option<Box<str>> {
        match self {
            Self::Concept(name) | Self::Soft(name) | Self::Minor(name) => Some(format!("={name}").into()),
            _ => None,
        }
    }
}

/// Phrases of stems, and what each means.
#[derive(Debug, Clone, Default)]
pub(super) struct Lexicon {
    phrases: HashMap<Box<str>, Meaning>,
    /// By language: words that carry nothing, words that negate.
    light: HashMap<Box<str>, Vec<Language>>,
    negation: HashMap<Box<str>, Vec<Language>>,
    /// Things that many questions are about.
    common: HashSet<Box<str>>,
    /// Things that may go without saying.
    unsaid: HashSet<Box<str>>,
    /// Things, each with what is measured of it.
    subjects: HashMap<Box<str>, Arc<str>>,
    /// Things, slots and kinds of answer, each with the things that go without saying beside it.
    implied: HashMap<Box<str>, Vec<Box<str>>>,
    /// Keys of terms, each with the lists of things that exclude one another in which it stands.
    contrasts: HashMap<Box<str>, Vec<u16>>,
    lists: u16,
    /// The same for lists of words that may stand for one another.
    alike: HashMap<Box<str>, Vec<u16>>,
    /// Things that one language says so.
    spoken: HashMap<Box<str>, Vec<Language>>,
}

/// A language that the guards know by its small words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Language {
    English,
    German,
    French,
    Spanish,
    Portuguese,
    Italian,
    Dutch,
}

impl Language {
    fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "en" => Self::English,
            "de" => Self::German,
            "fr" => Self::French,
            "es" => Self::Spanish,
            "pt" => Self::Portuguese,
            "it" => Self::Italian,
            "nl" => Self::Dutch,
            _ => return None,
        })
    }
}

impl Lexicon {
    pub(super) const LONGEST: usize = 6;

    pub(super) fn standard() -> Arc<Self> {
        STANDARD.clone()
    }

    fn read(&mut self, file: &str) {
        let mut section = Vec::new();
        for line in file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = header.splitn(2, ' ').collect();
            } else if let Some((name, phrases)) = line.split_once(" = ") {
                let argument = section.get(1).copied().unwrap_or_default();
                self.add(section.first().copied().unwrap_or_default(), argument, name, phrases.split(','));
            } else {
                self.lists += 1;
                let keys: Vec<_> = line.split(',').filter_map(|thing| self.thing(thing)).collect();
                let of = if section == ["alike"] { &mut self.alike } else { &mut self.contrasts };
                for key in keys {
                    of.entry(key).or_default().push(self.lists);
                }
            }
        }
    }

    /// The key of the term that a phrase becomes, if it becomes one; a phrase that nothing knew is a thing from here on.
    fn thing(&mut self, phrase: &str) -> Option<Box<str>> {
        let stems = key(phrase);
        match self.phrases.get(&stems) {
            Some(meaning) => meaning.thing(),
            None if stems.contains(' ') => {
                let name: Arc<str> = phrase.trim().into();
                self.phrases.insert(stems, Meaning::Concept(name.clone()));
                Some(format!("={name}").into())
            }
            None => Some(stems),
        }
    }

    fn add<'a>(&mut self, section: &str, argument: &str, name: &str, phrases: impl Iterator<Item = &'a str>) {
        let (name, slot): (Arc<str>, Arc<str>) = (name.into(), argument.into());
        let language = Language::from_code(argument);
        for phrase in phrases {
            let listed = match section {
                "common" => Some(&mut self.common),
                "unsaid" => Some(&mut self.unsaid),
                _ => None,
            };
            if let Some(listed) = listed {
                listed.insert(phrase.trim().into());
                continue;
            }
            if section == "implied" {
                self.implied.entry((&*name).into()).or_default().push(phrase.trim().into());
                continue;
            }
            if section == "subject" {
                self.subjects.insert(phrase.trim().into(), name.clone());
                continue;
            }
            let key = key(phrase);
            if section == "concept" {
                self.spoken.entry(key.clone()).or_default().extend(language);
            }
            let meaning = match section {
                "concept" => Meaning::Concept(name.clone()),
                "facet" => Meaning::Facet(slot.clone(), name.clone()),
                "aside" => Meaning::Aside(slot.clone(), name.clone()),
                "pole" => Meaning::Pole(slot.clone(), name.clone()),
                "frame" => Meaning::Frame(slot.clone()),
                "unit" => Meaning::Unit(name.clone()),
                "short" => Meaning::ShortUnit(name.clone()),
                "percent" => Meaning::Percent,
                "gas" => Meaning::Gas(name.clone()),
                "soft" => Meaning::Soft(name.clone()),
                "minor" => Meaning::Minor(name.clone()),
                "negation" => {
                    self.negation.entry(key).or_default().extend(language);
                    continue;
                }
                "light" => {
                    self.light.entry(key.clone()).or_default().push(language.unwrap_or(Language::English));
                    if language.is_some() {
                        continue;
                    }
                    Meaning::Light
                }
                // A test refuses a file with another section.
                _ => continue,
            };
            self.phrases.entry(key).or_insert(meaning);
        }
    }

    /// Adds phrases that mean one thing, over whatever they meant.
    pub(super) fn add_synonyms(&mut self, phrases: &[&str]) {
        let Some(name) = phrases.first().map(|first| Arc::<str>::from(*first)) else { return };
        for phrase in phrases {
            self.phrases.insert(key(phrase), Meaning::Concept(name.clone()));
        }
    }

    /// Adds terms of a slot: two questions must name the same ones.
    pub(super) fn add_slot(&mut self, slot: &str, terms: &[&str]) {
        let slot: Arc<str> = slot.into();
        for term in terms {
            self.phrases.insert(key(term), Meaning::Facet(slot.clone(), (*term).into()));
        }
    }

    /// The slots that its phrases name.
    #[cfg(test)]
    pub(super) fn slots(&self) -> impl Iterator<Item = &str> {
        self.phrases.values().filter_map(|meaning| match meaning {
            Meaning::Facet(slot, _) | Meaning::Aside(slot, _) | Meaning::Pole(slot, _) => Some(&**slot),
            _ => None,
        })
    }

    /// The meaning of a phrase of stems with one space between.
    pub(super) fn meaning(&self, stems: &str) -> Option<&Meaning> {
        self.phrases.get(stems)
    }

    /// Whether many questions are about this thing, so that sharing it says little.
    pub(super) fn is_common(&self, name: &str) -> bool {
        self.common.contains(name)
    }

    /// Whether this thing may go without saying.
    pub(super) fn is_unsaid(&self, name: &str) -> bool {
        self.unsaid.contains(name)
    }

    /// What is measured where this thing is asked for.
    pub(super) fn subject(&self, name: &str) -> Option<&str> {
        self.subjects.get(name).map(|subject| &**subject)
    }

    /// The lists of things that exclude one another in which a term's key stands.
    pub(super) fn contrasts(&self, key: &str) -> &[u16] {
        self.contrasts.get(key).map_or(&[], Vec::as_slice)
    }

    /// The lists of words that may stand for one another in which a term's key stands.
    pub(super) fn alike(&self, key: &str) -> &[u16] {
        self.alike.get(key).map_or(&[], Vec::as_slice)
    }

    /// The things that go without saying beside this one.
    pub(super) fn implied(&self, sign: &str) -> &[Box<str>] {
        self.implied.get(sign).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_light(&self, stem: &str, language: Language) -> bool {
        self.light.get(stem).is_some_and(|languages| languages.contains(&language))
    }

    pub(super) fn is_negation(&self, stem: &str, language: Language) -> bool {
        self.negation.get(stem).is_some_and(|languages| languages.contains(&language))
    }

    /// The languages that have this small word, or this thing.
    pub(super) fn languages(&self, stem: &str) -> &[Language] {
        self.light.get(stem).or_else(|| self.spoken.get(stem)).map_or(&[], Vec::as_slice)
    }
}

fn key(phrase: &str) -> Box<str> {
    let stems = text::tokens(phrase).into_iter().filter(|token| !token.stem.is_empty()).map(|token| token.stem);
    stems.collect::<Vec<_>>().join(" ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_and_line_is_known() {
        const SECTIONS: [&str; 19] = [
            "concept", "facet", "aside", "pole", "frame", "soft", "minor", "light", "implied", "unsaid", "common",
            "subject", "negation", "unit", "short", "percent", "gas", "contrast", "alike",
        ];
        let mut unknown = Vec::new();
        for file in FILES {
            let mut section = "";
            for line in file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                    let (name, argument) = header.split_once(' ').unwrap_or((header, ""));
                    section = name;
                    let takes_slot = matches!(name, "facet" | "aside" | "pole" | "frame");
                    let is_fit = if takes_slot {
                        !argument.is_empty()
                    } else {
                        argument.is_empty() || Language::from_code(argument).is_some()
                    };
                    if !SECTIONS.contains(&name) || !is_fit {
                        unknown.push(line);
                    }
                } else if section.is_empty() || line.contains(" = ") == matches!(section, "contrast" | "alike") {
                    unknown.push(line);
                }
            }
        }
        assert!(unknown.is_empty(), "{unknown:#?}");
    }

    #[test]
    fn no_list_of_contrasts_names_one_thing_twice() {
        let lexicon = Lexicon::standard();
        let lists = CONTRASTS.lines().filter(|line| line.contains(',') && !line.starts_with('#'));
        let mut twice = Vec::new();
        for list in lists {
            let mut keys: Vec<Box<str>> = list
                .split(',')
                .map(|thing| lexicon.meaning(&key(thing)).and_then(Meaning::thing).unwrap_or_else(|| key(thing)))
                .collect();
            keys.sort();
            let all = keys.len();
            keys.dedup();
            if keys.len() < all {
                twice.push(list);
            }
        }
        assert!(twice.is_empty(), "{twice:#?}");
    }
}
