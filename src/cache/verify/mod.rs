//! Verifiers: the judge that reads both questions, after the guards have compared the facts.
//!
//! A [`Verifier`] is given pairs of an asked and a stored question, as many at once as there are, and says of each how
//! probable it is that one answer serves both. A lookup serves the best entry that is verified, and nothing on unsure.
//! Of several verifiers each is asked about what those before it are unsure of.

pub mod bounds;
mod local;
mod reading;
mod spent;

pub use local::LocalVerifier;
#[cfg(any(test, fuzzing))]
pub(crate) use local::read_model;
pub(super) use reading::{Reader, UnreadPair};
pub use spent::{SpentMeter, VerifierSpending};

use crate::Result;
use std::fmt::Debug;

/// An asked and a stored question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuestionPair<'a> {
    /// The question at hand.
    pub asked: &'a str,
    /// The question whose answer would serve.
    pub stored: &'a str,
}

/// What a judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ruling {
    /// One answer serves both questions.
    Same,
    /// They ask for different things.
    Different,
    /// It cannot tell.
    Unsure,
}

impl Ruling {
    /// `same`, `different` or `unsure`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Unsure => "unsure",
        }
    }
}

/// What a verifier found of one pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// How probable it is that one answer serves both questions, 0 to 1.
    pub probability: f32,
    /// What follows from it.
    pub ruling: Ruling,
}

impl Judgement {
    /// What a verifier says of a pair that it cannot read.
    pub const UNSURE: Self = Self { probability: 0.5, ruling: Ruling::Unsure };

    /// What a probability says by two bounds: from `same_at` on it is same, down from `different_at` different.
    ///
    /// ```
    /// use headrace::cache::verify::{Judgement, Ruling};
    /// assert_eq!(Judgement::of(0.97, 0.9, 0.2).ruling, Ruling::Same);
    /// assert_eq!(Judgement::of(0.5, 0.9, 0.2).ruling, Ruling::Unsure);
    /// assert_eq!(Judgement::of(f32::NAN, 0.9, 0.2), Judgement::UNSURE);
    /// ```
    #[must_use]
    pub fn of(probability: f32, same_at: f32, different_at: f32) -> Self {
        if probability.is_nan() {
            return Self::UNSURE;
        }
        let probability = probability.clamp(0.0, 1.0);
        let ruling = if probability >= same_at {
            Ruling::Same
        } else if probability <= different_at {
            Ruling::Different
        } else {
            Ruling::Unsure
        };
        Self { probability, ruling }
    }
}

/// Reads two questions and says whether one answer serves both.
///
/// ```
/// use headrace::cache::verify::{Judgement, QuestionPair, Verifier};
///
/// #[derive(Debug)]
/// struct Letters;
///
/// impl Verifier for Letters {
///     fn name(&self) -> &str {
///         "letters"
///     }
///     fn verify(&self, pairs: &[QuestionPair<'_>]) -> headrace::Result<Vec<Judgement>> {
///         let same = |pair: &QuestionPair<'_>| pair.asked.eq_ignore_ascii_case(pair.stored);
///         Ok(pairs.iter().map(|pair| Judgement::of(f32::from(u8::from(same(pair))), 0.9, 0.1)).collect())
///     }
/// }
/// let judged = Letters.verify(&[QuestionPair { asked: "Scope 1?", stored: "scope 1?" }])?;
/// assert_eq!(judged[0].probability, 1.0);
/// # Ok::<(), headrace::Error>(())
/// ```
pub trait Verifier: Debug + Send + Sync {
    /// What tells it from others, for people.
    fn name(&self) -> &str;

    /// A judgement for each pair, in the order given. What cannot be read is [`Judgement::UNSURE`].
    ///
    /// # Errors
    /// Where nothing at all can be judged: the lookup then takes every pair for unsure, and counts it.
    fn verify(&self, pairs: &[QuestionPair<'_>]) -> Result<Vec<Judgement>>;

    /// Whether it has learned to read English only: then it is asked about no pair that the guards take for another
    /// language.
    fn is_english_only(&self) -> bool {
        false
    }
    /// The most pairs of one call; a question's pairs stay together where they fit.
    fn most_at_once(&self) -> usize {
        64
    }

    /// What it says without spending money or time on it: of a dear verifier, what it has found before.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    fn recall(&self, pairs: &[QuestionPair<'_>]) -> Result<Vec<Judgement>> {
        self.verify(pairs)
    }

    /// What its calls have cost; nothing where it runs here.
    fn spending(&self) -> VerifierSpending {
        VerifierSpending::default()
    }
}
