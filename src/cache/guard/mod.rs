//! Guards: similar is not the same. They compare what two questions ask, slot by slot, and say why they refuse.
//!
//! A question is taken apart once into a [`Signature`]: values of slots (years, scopes, units, codes, …), names, the
//! words that carry meaning, the kind of answer asked for, its negations and its language. Two signatures are then
//! compared in microseconds. What words mean is in the text files of `lexicon/`; what they do is in the passes of
//! `extract`.

mod align;
mod asks;
mod capital;
mod category;
mod code;
mod compare;
mod digit;
mod direction;
mod evidence;
#[cfg(test)]
mod examples;
mod extract;
mod implied;
mod language;
mod lexicon;
mod manner;
mod mode;
mod name;
mod negation;
mod number;
mod own;
mod phrase;
mod place;
mod policy;
mod quantity;
mod sections;
mod sign;
mod signature;
mod small_words;
mod span;
mod text;
mod time;
mod vector;
mod wording;

pub use own::FactCheck;
pub use signature::Signature;

use crate::Result;
use crate::embed::WordVectors;
use lexicon::Lexicon;
use std::sync::Arc;

/// What two questions are compared by. Cloning is cheap.
///
/// ```
/// use headrace::cache::guard::{Guards, Verdict};
///
/// let guards = Guards::standard();
/// let stored = guards.signature("What were Acme's scope 1 emissions in 2023?");
/// let asked = guards.signature("Acme scope 1 emissions in 2024");
/// let Verdict::Blocked { reason } = guards.compare(&asked, &stored) else { panic!() };
/// assert_eq!(reason, "year 2024 differs from 2023");
/// ```
#[derive(Debug, Clone)]
pub struct Guards {
    lexicon: Arc<Lexicon>,
    vectors: Option<Arc<dyn WordVectors>>,
    patterns: Arc<[own::Pattern]>,
    checks: Arc<[Arc<dyn FactCheck>]>,
}

/// Whether an entry's question asks the same as the question at hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Pass {
        /// How well the words agree: 1 where every word has its equal, towards 0 the looser the synonyms.
        agreement: f32,
    },
    /// Something that is asked differs.
    Blocked {
        /// What differs, for people: `year 2023 differs from 2024`.
        reason: String,
    },
}

impl Verdict {
    /// Whether the entry may serve.
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Pass { .. })
    }

    /// What differs; None where the entry may serve.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Pass { .. } => None,
            Self::Blocked { reason } => Some(reason),
        }
    }
}

impl Guards {
    /// The guards for questions about sustainability reports, without word vectors.
    pub fn standard() -> Self {
        Self { lexicon: Lexicon::standard(), vectors: None, patterns: Arc::new([]), checks: Arc::new([]) }
    }

    /// The same guards, which tell a synonym from another thing by these vectors.
    #[must_use]
    pub fn with_vectors(mut self, vectors: Option<Arc<dyn WordVectors>>) -> Self {
        self.vectors = vectors;
        self
    }

    /// The same guards, to which these phrases are one thing, as in `["TRIR", "recordable injury rate"]`.
    #[must_use]
    pub fn with_synonyms(mut self, phrases: &[&str]) -> Self {
        Arc::make_mut(&mut self.lexicon).add_synonyms(phrases);
        self
    }

    /// The same guards with a slot more: two questions must name the same of these terms, as in `plant` and its names.
    #[must_use]
    pub fn with_terms(mut self, slot: &str, terms: &[&str]) -> Self {
        Arc::make_mut(&mut self.lexicon).add_slot(slot, terms);
        self
    }

    /// The same guards with a slot more: two questions must match the pattern in the same places, its first group
    /// where it has one, else all of it; case does not count.
    ///
    /// # Errors
    /// [`crate::Error::Config`] where the pattern is no regular expression.
    pub fn with_pattern(mut self, slot: &str, pattern: &str) -> Result<Self> {
        let added = own::Pattern::new(slot, pattern)?;
        self.patterns = self.patterns.iter().cloned().chain([added]).collect();
        Ok(self)
    }

    /// The same guards and a check of your own, asked last.
    #[must_use]
    pub fn with_check(mut self, check: Arc<dyn FactCheck>) -> Self {
        self.checks = self.checks.iter().cloned().chain([check]).collect();
        self
    }

    /// Takes a question apart.
    pub fn signature(&self, text: &str) -> Signature {
        let mut signature = extract::read(
            &digit::plain(text),
            &self.lexicon,
            self.vectors.as_deref().filter(|vectors| vectors.is_available()),
        );
        own::read(&self.patterns, text, &mut signature);
        if !self.checks.is_empty() {
            signature.text = Some(text.into());
        }
        signature
    }

    /// Compares the question at hand with a stored one.
    pub fn compare(&self, asked: &Signature, stored: &Signature) -> Verdict {
        self.after(compare::compare(asked, stored), asked, stored)
    }

    /// Compares what is named, and leaves the wording to somebody who reads it: a verifier, or whoever made the vectors.
    pub fn compare_facts(&self, asked: &Signature, stored: &Signature) -> Verdict {
        self.after(compare::compare_facts(asked, stored), asked, stored)
    }

    /// What the weighing of two wordings looks at, for fitting it: None where something else parts the questions.
    #[doc(hidden)]
    pub fn evidence(&self, asked: &Signature, stored: &Signature) -> Option<Vec<f32>> {
        compare::evidence(asked, stored).ok().map(|evidence| evidence.features.to_vec())
    }

    /// Every slot in which the two differ, and how, for measuring what each is worth.
    #[doc(hidden)]
    pub fn differences(&self, asked: &Signature, stored: &Signature) -> Vec<(String, &'static str)> {
        compare::differences(asked, stored)
    }

    fn after(&self, verdict: Verdict, asked: &Signature, stored: &Signature) -> Verdict {
        match verdict {
            Verdict::Pass { agreement } => own::check(&self.checks, asked, stored)
                .map_or(Verdict::Pass { agreement }, |reason| Verdict::Blocked { reason }),
            blocked @ Verdict::Blocked { .. } => blocked,
        }
    }
}

#[cfg(test)]
mod tests;
