//! When to serve: thresholds learned from evidence, with a bound on the share of wrong answers among those served.
//!
//! A [`Policy`] serves nothing until its evidence says, with the confidence asked for, that of the answers it would
//! serve at most the allowed share is wrong. Evidence comes from exploring: the question is asked afresh, and the
//! answer compared with the cached one. All entries of a namespace share their evidence, so that rare questions
//! profit from frequent ones; an entry's own errors only ever take it out.

mod bound;
mod calibrate;
mod sequence;

pub use bound::{lower_bound, upper_bound};
pub use calibrate::{Calibration, calibrate};
pub use sequence::Judged;

use crate::{Error, Result};
use hashbrown::HashMap;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;

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
}

impl Candidate {
    /// The order in which candidates are trusted: mostly similarity, and some agreement.
    ///
    /// Either alone ranks worse: the cosine hears the whole question, the agreement each of its words. With these
    /// weights a rate of 5 % serves 1.6 times as much of Banking77 as with three parts and one.
    pub fn score(&self) -> f64 {
        0.85 * f64::from(self.similarity) + 0.15 * f64::from(self.agreement)
    }
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

/// Evidence older than this many comparisons is let go, so that a change of the traffic is felt.
const WINDOW: usize = 50_000;
/// The evidence is looked at again when it has grown by this factor, so that few looks share the doubt.
const GROWTH: f64 = 1.5;
/// How slowly the looks' shares of the doubt fall: the first has 1/(c+1). Evidence that is as noisy as that
/// of Banking77 supports its first threshold at the eighth to twelfth look.
const SLOWNESS: f64 = 5.0;
/// How many observations the namespace's error rate counts for in an entry's own.
const PRIOR: f64 = 10.0;

/// Learned serving for one namespace. Shared between threads.
///
/// ```
/// use headrace::cache::policy::{Candidate, Decision, Policy, PolicyConfig};
///
/// let policy = Policy::new(PolicyConfig { max_error_rate: 0.05, shadow_rate: 0.01, ..PolicyConfig::default() })?;
/// let candidate = Candidate { entry: 7, similarity: 0.9, agreement: 1.0 };
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
    state: Mutex<PolicyMemory>,
}

#[derive(Debug)]
struct PolicyMemory {
    judged: VecDeque<Judged>,
    entries: HashMap<u64, Own>,
    threshold: Option<f64>,
    /// The namespace's error rate at and above the threshold.
    prior: f64,
    learned: usize,
    looks: u32,
    next_look: usize,
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
        check_share("max_error_rate", config.max_error_rate)?;
        check_share("confidence", config.confidence)?;
        check_share("shadow_rate", config.shadow_rate)?;
        let state = PolicyMemory {
            judged: VecDeque::new(),
            entries: HashMap::new(),
            threshold: None,
            prior: config.max_error_rate,
            learned: 0,
            looks: 0,
            next_look: bound::least_evidence(config.max_error_rate, doubt_of(&config, 1)),
            random: StdRng::seed_from_u64(config.seed),
        };
        Ok(Self { config, state: Mutex::new(state) })
    }

    /// What to do with the best candidate.
    pub fn decide(&self, candidate: &Candidate) -> Decision {
        let mut state = self.state.lock();
        let trusted = state.threshold.is_some_and(|least| candidate.score() >= least)
            && state.entries.get(&candidate.entry).is_none_or(|own| self.serves(*own, state.prior));
        if trusted && !state.random.random_bool(self.config.shadow_rate) { Decision::Serve } else { Decision::Explore }
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
        self.take_in(&mut state, Judged { score: candidate.score(), correct });
    }

    /// Takes in what was learned before, in the order in which it was: the state is then as it was.
    pub fn recall(&self, evidence: impl IntoIterator<Item = Judged>) {
        let mut state = self.state.lock();
        for judged in evidence {
            self.take_in(&mut state, judged);
        }
    }

    /// What was learned and is still counted, oldest first.
    pub fn evidence(&self) -> Vec<Judged> {
        self.state.lock().judged.iter().copied().collect()
    }

    fn take_in(&self, state: &mut PolicyMemory, judged: Judged) {
        state.judged.push_back(judged);
        if state.judged.len() > WINDOW {
            state.judged.pop_front();
        }
        state.learned += 1;
        if state.learned >= state.next_look {
            self.look(state);
        }
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

    /// What the policy knows.
    pub fn state(&self) -> PolicyState {
        let state = self.state.lock();
        let served = || state.judged.iter().filter(|one| state.threshold.is_some_and(|least| one.score >= least));
        PolicyState {
            threshold: state.threshold,
            observed: state.judged.len(),
            wrong: served().filter(|one| !one.correct).count(),
            served: served().count(),
            needed: bound::least_evidence(self.config.max_error_rate, doubt_of(&self.config, 1)),
        }
    }

    fn look(&self, state: &mut PolicyMemory) {
        state.looks += 1;
        state.next_look = ((state.learned as f64 * GROWTH) as usize).max(state.learned + 1);
        let mut sorted: Vec<Judged> = state.judged.iter().copied().collect();
        sorted.sort_by(|one, other| other.score.total_cmp(&one.score));
        let doubt = doubt(&self.config, state.looks);
        state.threshold = sequence::threshold(&sorted, self.config.max_error_rate, doubt);
        if let Some(least) = state.threshold {
            let served = sorted.partition_point(|one| one.score >= least);
            let wrong = sorted[..served].iter().filter(|one| !one.correct).count();
            state.prior = wrong as f64 / served.max(1) as f64;
        }
    }
}

impl PolicyMemory {
    fn record(&mut self, candidate: &Candidate, correct: bool) {
        let own = self.entries.entry(candidate.entry).or_default();
        own.all += 1;
        own.wrong += u32::from(!correct);
    }
}

/// The doubt that a look may use: all looks, however many follow, add up to what is allowed (Σ c / ((k+c-1)(k+c)) = 1).
fn doubt(config: &PolicyConfig, look: u32) -> f64 {
    let last = f64::from(look) + SLOWNESS;
    (1.0 - config.confidence) * SLOWNESS / ((last - 1.0) * last)
}

/// The doubt of one walk of a look.
fn doubt_of(config: &PolicyConfig, look: u32) -> f64 {
    doubt(config, look) / sequence::STARTS as f64
}

fn check_share(name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is {value}: give a share between 0 and 1, as in 0.01 for 1 %")))
}

#[cfg(test)]
mod tests;
