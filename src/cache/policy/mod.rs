//! When to serve: thresholds learned from evidence, with a bound on the share of wrong answers among those served.
//!
//! A [`Policy`] serves nothing until its evidence says, with the confidence asked for, that of the answers it would
//! serve at most the allowed share is wrong. Evidence comes from exploring: the question is asked afresh, and the
//! answer compared with the cached one. All entries of a namespace share their evidence, so that rare questions
//! profit from frequent ones; an entry's own errors only ever take it out.

mod bound;
mod calibrate;
mod sequence;
mod track;

pub use bound::{lower_bound, upper_bound};
pub use calibrate::{Calibration, calibrate};
pub use sequence::Judged;

use crate::lock::Lock;
use crate::{Error, Result};
use hashbrown::HashMap;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use track::Track;

/// What the user asks of a learned policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyConfig {
    /// Of the answers served from the cache, at most this share may be wrong: between 0 and 1.
    pub max_error_rate: f64,
    /// How sure that must be: 0.95 by default.
    pub confidence: f64,
    /// The share of would-be hits that are asked afresh to keep the evidence honest: 0.02 by default.
    pub shadow_rate: f64,
    /// The seed of that choice.
    pub seed: u64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { max_error_rate: 0.01, confidence: 0.95, shadow_rate: 0.02, seed: 0 }
    }
}

/// One candidate that passed threshold and guards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// What names the entry, stable while it lives.
    pub entry: u64,
    /// Its cosine to the question.
    pub similarity: f32,
    /// The guards' agreement, 1 where there are no guards.
    pub agreement: f32,
    /// How probable a verifier finds it that the answer serves; None where none has read the questions.
    pub probability: Option<f32>,
}

/// How much of a verified candidate's score is its probability; the rest tells those apart that have the same.
const WEIGHT_OF_READING: f64 = 0.9;

impl Candidate {
    /// The order in which candidates are trusted: those that a verifier has read by its probability, from 1 to 2; the
    /// others, up to 1, mostly by similarity, and by some agreement.
    ///
    /// Of the last two, either alone ranks worse: the cosine hears the whole question, the agreement each of its words.
    /// With these weights a rate of 5 % serves 1.6 times as much of Banking77 as with three parts and one.
    pub fn score(&self) -> f64 {
        let alike = 0.85 * f64::from(self.similarity) + 0.15 * f64::from(self.agreement);
        let read = |probability| {
            1.0 + WEIGHT_OF_READING * f64::from(probability) + (1.0 - WEIGHT_OF_READING) * alike.clamp(0.0, 1.0)
        };
        self.probability.map_or(alike.min(1.0), read)
    }
}

/// Whether a score is of a candidate that a verifier has read; an earlier version's scores may be rounded to above 1.
fn is_read(score: f64) -> bool {
    score > 1.0 + 1e-6
}

/// What to do with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Serve it.
    Serve,
    /// Ask afresh, compare the answer with the cached one, and tell the policy by [`Policy::learn`].
    Explore,
}

/// What a policy knows, for people.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PolicyState {
    /// The score from which candidates are served; None while there is not enough evidence.
    pub threshold: Option<f64>,
    /// How many answers were compared.
    pub observed: usize,
    /// How many of those at or above the threshold were wrong, and how many there were.
    pub wrong: usize,
    /// See `wrong`.
    pub served: usize,
    /// The least number of comparisons, none of them wrong, after which serving can begin.
    pub needed: usize,
}

/// How many observations the namespace's error rate counts for in an entry's own.
const PRIOR: f64 = 10.0;

/// Learned serving for one namespace. Shared between threads.
///
/// ```
/// use headrace::cache::policy::{Candidate, Decision, Policy, PolicyConfig};
///
/// let policy = Policy::new(PolicyConfig { max_error_rate: 0.05, shadow_rate: 0.01, ..PolicyConfig::default() })?;
/// let candidate = Candidate { entry: 7, similarity: 0.9, agreement: 1.0, probability: None };
/// assert_eq!(policy.decide(&candidate), Decision::Explore);
/// for _ in 0..200 {
///     policy.learn(&candidate, true);
/// }
/// let served = (0..100).filter(|_| policy.decide(&candidate) == Decision::Serve).count();
/// assert!(served > 90);
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Debug)]
pub struct Policy {
    config: PolicyConfig,
    state: Lock<PolicyMemory>,
}

#[derive(Debug)]
struct PolicyMemory {
    /// What is known of candidates that similarity and guards judge alone.
    compared: Track,
    /// What is known of candidates that a verifier has read.
    read: Track,
    entries: HashMap<u64, Own>,
    random: StdRng,
}

/// What was seen of one entry.
#[derive(Debug, Clone, Copy, Default)]
struct Own {
    wrong: u32,
    all: u32,
}

impl Policy {
    /// A policy with no evidence: it explores.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where a rate or the confidence is not strictly between 0 and 1.
    pub fn new(config: PolicyConfig) -> Result<Self> {
        Self::sharing(config, 1.0, 1.0)
    }

    /// A policy behind a verifier. What the verifier has read and what it has not are bounded each by its own evidence,
    /// and share the doubt.
    ///
    /// # Errors
    /// As [`Policy::new`].
    pub fn behind_verifier(config: PolicyConfig) -> Result<Self> {
        Self::sharing(config, 0.5, 0.5)
    }

    fn sharing(config: PolicyConfig, of_compared: f64, of_read: f64) -> Result<Self> {
        check_share("max_error_rate", config.max_error_rate)?;
        check_share("confidence", config.confidence)?;
        check_share("shadow_rate", config.shadow_rate)?;
        let state = PolicyMemory {
            compared: Track::new(&config, of_compared),
            read: Track::new(&config, of_read),
            entries: HashMap::new(),
            random: StdRng::seed_from_u64(config.seed),
        };
        Ok(Self { config, state: Lock::new(state) })
    }

    /// What to do with the best candidate.
    pub fn decide(&self, candidate: &Candidate) -> Decision {
        let mut state = self.state.lock();
        let trusted = self.trusts(&state, candidate);
        if trusted && !state.random.random_bool(self.config.shadow_rate) { Decision::Serve } else { Decision::Explore }
    }

    /// Why a candidate is served or not, for people; changes nothing.
    pub fn explain(&self, candidate: &Candidate) -> (bool, String) {
        let state = self.state.lock();
        let (score, track) = (candidate.score(), state.track(candidate.score()));
        let said = match track.threshold {
            None => {
                let (observed, needed) = (track.counts().0, track.needed());
                format!("nothing is served yet: {observed} answers were compared, and at least {needed} are needed")
            }
            Some(least) if score < least => format!("the score {score:.4} is below the {least:.4} that was learned"),
            Some(_) if !self.trusts(&state, candidate) => "the entry's own record has too many errors".to_owned(),
            Some(least) => format!("the score {score:.4} is at least the {least:.4} that was learned"),
        };
        (self.trusts(&state, candidate), said)
    }

    fn trusts(&self, state: &PolicyMemory, candidate: &Candidate) -> bool {
        let track = state.track(candidate.score());
        track.threshold.is_some_and(|least| candidate.score() >= least)
            && state.entries.get(&candidate.entry).is_none_or(|own| self.serves(*own, track.prior))
    }

    /// Whether an entry's own record, shrunk towards the namespace's, stays within the allowed rate.
    fn serves(&self, own: Own, prior: f64) -> bool {
        let rate = (f64::from(own.wrong) + PRIOR * prior) / (f64::from(own.all) + PRIOR);
        own.wrong == 0 || rate <= self.config.max_error_rate
    }

    /// Takes in the comparison of a fresh answer with the cached one, after [`Decision::Explore`].
    pub fn learn(&self, candidate: &Candidate, correct: bool) {
        let mut state = self.state.lock();
        state.record(candidate, correct);
        state.take_in(Judged { score: candidate.score(), correct });
    }

    /// Takes in what was learned before, in the order in which it was: the state is then as it was.
    pub fn recall(&self, evidence: impl IntoIterator<Item = Judged>) {
        let mut state = self.state.lock();
        for judged in evidence {
            state.take_in(judged);
        }
    }

    /// What was learned and is still counted, of each kind of candidate the oldest first.
    pub fn evidence(&self) -> Vec<Judged> {
        let state = self.state.lock();
        state.compared.judged().chain(state.read.judged()).collect()
    }

    /// Takes in what a user says about a hit.
    ///
    /// Users report what they notice, so praise is no random sample: it counts for the entry alone. A complaint
    /// counts against the entry and against its neighbourhood.
    pub fn feedback(&self, candidate: &Candidate, correct: bool) {
        if correct {
            self.state.lock().record(candidate, true);
        } else {
            self.learn(candidate, false);
        }
    }

    /// Forgets what was seen of an entry that is gone.
    pub fn forget(&self, entry: u64) {
        self.state.lock().entries.remove(&entry);
    }

    /// What the policy knows; the threshold is that of candidates that a verifier has read, where those are served.
    pub fn state(&self) -> PolicyState {
        let state = self.state.lock();
        let (compared, read) = (state.compared.counts(), state.read.counts());
        PolicyState {
            threshold: state.read.threshold.or(state.compared.threshold),
            observed: compared.0 + read.0,
            served: compared.1 + read.1,
            wrong: compared.2 + read.2,
            needed: state.read.needed(),
        }
    }
}

impl PolicyMemory {
    fn track(&self, score: f64) -> &Track {
        if is_read(score) { &self.read } else { &self.compared }
    }

    fn take_in(&mut self, judged: Judged) {
        if is_read(judged.score) { self.read.take_in(judged) } else { self.compared.take_in(judged) }
    }

    fn record(&mut self, candidate: &Candidate, correct: bool) {
        let own = self.entries.entry(candidate.entry).or_default();
        own.all += 1;
        own.wrong += u32::from(!correct);
    }
}

fn check_share(name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is {value}: give a share between 0 and 1, as in 0.01 for 1 %")))
}

#[cfg(test)]
mod tests;
