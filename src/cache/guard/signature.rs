//! What a question asks, taken apart.

use super::capital::Cased;
use super::lexicon::Language;
use super::place::Place;
use super::text;
use super::vector::WordVector;
use super::wording::Wording;
use std::sync::Arc;

/// What a question asks, taken apart once; cheap to compare and to keep beside an entry.
#[derive(Debug, Clone, Default)]
pub struct Signature {
    /// Values of slots, sorted, each once.
    pub(super) facts: Vec<Fact>,
    /// Names and words that carry meaning, in the order written.
    pub(super) terms: Vec<Term>,
    /// Slots that one question may name alone, as the words that they then are.
    pub(super) asides: Vec<Term>,
    pub(super) language: Option<Language>,
    pub(super) frames: Vec<Arc<str>>,
    pub(super) negations: usize,
    /// The words of names.
    pub(super) names: Vec<ProperName>,
    /// Digests of the first letters of every word.
    pub(super) starts: Box<[u32]>,
    /// What stands on the two sides of "from … to" or "than", in the order written.
    pub(super) ordered: Vec<Box<str>>,
    /// A digest of the small words with places for the others: two questions that differ in one word have the same.
    pub(super) frame: u64,
    pub(super) wording: Wording,
    /// Words whose capitals count.
    pub(super) cased: Box<[Cased]>,
    /// The question itself, kept where the user's own check wants it.
    pub(super) text: Option<Box<str>>,
}

/// A word of a name.
#[derive(Debug, Clone)]
pub(super) struct ProperName {
    pub(super) shown: Box<str>,
    /// A digest of its first letters: "Brackwell", "brackwell's".
    pub(super) start: u32,
    /// The same of the word of the name before it; 0 where it is the first.
    pub(super) after: u32,
}

/// The slot of what is measured, which the words say too.
pub(super) const SUBJECT: &str = "subject";

/// A slot and its value, as in year and 2023.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fact {
    pub(super) slot: Arc<str>,
    pub(super) value: Box<str>,
    pub(super) is_pole: bool,
    /// One question may name it alone; it then counts as a word.
    pub(super) is_aside: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TermKind {
    /// A thing of the lexicon.
    Concept,
    /// A name, or another word that nothing else can stand for.
    Name,
    Word,
    /// A word that the vocabulary knows by its pieces only: a rare one, or a slip of the pen.
    Rare,
    /// Carries little.
    Minor,
}

#[derive(Debug, Clone)]
pub(super) struct Term {
    /// What it is compared by: a concept's name, or a stem.
    pub(super) key: Box<str>,
    pub(super) shown: Box<str>,
    /// The stems of the words it was said in.
    pub(super) stems: Box<[Box<str>]>,
    pub(super) kind: TermKind,
    pub(super) vector: Option<WordVector>,
    pub(super) negated: bool,
    /// How much of the question it is: 1 for a thing of the lexicon, less for a word that tells little.
    pub(super) weight: f32,
    /// Many questions are about it, so that sharing it says little; lacking it says as much as ever.
    pub(super) is_common: bool,
    /// It may go without saying, as staff in "hours worked by staff", where nothing is said in its place.
    pub(super) is_unsaid: bool,
    /// The lists of things that exclude one another in which it stands.
    pub(super) contrasts: Box<[u16]>,
    /// The lists of words that may stand for one another in which it stands.
    pub(super) alike: Box<[u16]>,
    /// Where in the question it stands.
    pub(super) place: Place,
}

impl Term {
    /// A term whose place and lists are not read yet.
    pub(super) fn new(key: Box<str>, shown: Box<str>, kind: TermKind, vector: Option<WordVector>, weight: f32) -> Self {
        Self {
            key,
            stems: text::stems(&shown.to_lowercase()),
            shown,
            kind,
            vector,
            negated: false,
            weight,
            is_common: false,
            is_unsaid: false,
            contrasts: Box::default(),
            alike: Box::default(),
            place: Place::default(),
        }
    }

    /// The cosine of two words; None where one has no vector.
    pub(super) fn cosine(&self, other: &Self) -> Option<f32> {
        Some(self.vector.as_ref()?.cosine(other.vector.as_ref()?))
    }

    /// Whether the lexicon knows it as a thing of its own.
    pub(super) fn is_thing(&self) -> bool {
        self.kind == TermKind::Concept
    }

    /// Whether the lexicon knows it, be it a thing or a word that carries little.
    pub(super) fn is_known(&self) -> bool {
        self.key.starts_with('=')
    }

    /// Whether it is a word that the lexicon does not know.
    pub(super) fn is_word(&self) -> bool {
        matches!(self.kind, TermKind::Word | TermKind::Rare)
    }

    /// Whether the lexicon says that one may stand for the other.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.alike.iter().any(|list| other.alike.contains(list))
    }

    pub(super) fn is_minor(&self) -> bool {
        self.kind == TermKind::Minor
    }
}

impl Signature {
    /// Whether it is in another language than English, as far as its small words tell.
    pub(crate) fn is_foreign(&self) -> bool {
        self.language.is_some_and(|language| language != Language::English)
    }

    /// Whether it is in another language than the other, where both can be told.
    pub(crate) fn speaks_otherwise(&self, other: &Self) -> bool {
        matches!((self.language, other.language), (Some(one), Some(other)) if one != other)
    }

    /// Whether it names this value, in whatever writing: "23" and "CSR 23" say 2023 where they may, and "ESRS E1" what "E1-6" does.
    pub(super) fn names_fact(&self, fact: &Fact) -> bool {
        let of = |slot: &'static str| self.facts.iter().filter(move |other| &*other.slot == slot);
        let leads_to =
            |short: &str, long: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with(['-', '.']));
        match &*fact.slot {
            "year"
                if of("number").chain(of("code")).any(|other| fact.value.strip_prefix("20") == Some(&*other.value)) =>
            {
                true
            }
            "code"
                if of("code").any(|code| leads_to(&code.value, &fact.value) || leads_to(&fact.value, &code.value)) =>
            {
                true
            }
            slot => self.facts.iter().any(|other| &*other.slot == slot && other.value == fact.value),
        }
    }

    /// Whether one of its terms has this key.
    pub(super) fn says(&self, key: &str) -> bool {
        self.terms.iter().any(|term| &*term.key == key)
    }

    /// The slots and words that are compared, for people: `year 2023`, `name acme`.
    ///
    /// ```
    /// use headrace::cache::guard::Guards;
    /// let signature = Guards::standard().signature("Scope 1 emissions of Acme in 2023?");
    /// assert_eq!(signature.describe(), ["scope 1", "year 2023", "minor word emissions", "name Acme"]);
    /// ```
    pub fn describe(&self) -> Vec<String> {
        let facts =
            self.facts.iter().filter(|fact| &*fact.slot != SUBJECT).map(|fact| format!("{} {}", fact.slot, fact.value));
        let frames = self.frames.iter().map(|frame| format!("asks for {frame}"));
        let negations = (self.negations > 0).then(|| "negation".to_owned());
        let terms = self.terms.iter().map(|term| match term.kind {
            TermKind::Name => format!("name {}", term.shown),
            TermKind::Concept => format!("word {}", term.key),
            TermKind::Word | TermKind::Rare => format!("word {}", term.shown),
            TermKind::Minor => format!("minor word {}", term.shown),
        });
        facts.chain(frames).chain(negations).chain(terms).collect()
    }
}
