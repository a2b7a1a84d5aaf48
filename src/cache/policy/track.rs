//! The evidence of one kind of candidate, and the threshold that it supports.

use super::{Judged, PolicyConfig, bound, sequence};
use std::collections::VecDeque;

/// Evidence older than this many comparisons is let go, so that a change of the traffic is felt.
const WINDOW: usize = 50_000;
/// The evidence is looked at again when it has grown by this factor, so that few looks share the doubt.
const GROWTH: f64 = 1.5;
/// How slowly the looks' shares of the doubt fall: the first has 1/(c+1). Evidence that is as noisy as that
/// of Banking77 supports its first threshold at the eighth to twelfth look.
const SLOWNESS: f64 = 5.0;

/// What was compared of one kind of candidate.
#[derive(Debug)]
pub(super) struct Track {
    rate: f64,
    /// What all looks together may be wrong by.
    doubt: f64,
    judged: VecDeque<Judged>,
    /// The score from which candidates are served.
    pub(super) threshold: Option<f64>,
    /// The error rate at and above the threshold.
    pub(super) prior: f64,
    learned: usize,
    looks: u32,
    next_look: usize,
}

impl Track {
    /// No evidence; `share` of the doubt is its own.
    pub(super) fn new(config: &PolicyConfig, share: f64) -> Self {
        let doubt = (1.0 - config.confidence) * share;
        Self {
            rate: config.max_error_rate,
            doubt,
            judged: VecDeque::new(),
            threshold: None,
            prior: config.max_error_rate,
            learned: 0,
            looks: 0,
            next_look: needed(config.max_error_rate, doubt),
        }
    }

    pub(super) fn take_in(&mut self, judged: Judged) {
        self.judged.push_back(judged);
        if self.judged.len() > WINDOW {
            self.judged.pop_front();
        }
        self.learned += 1;
        if self.learned >= self.next_look {
            self.look();
        }
    }

    /// What is still counted, oldest first.
    pub(super) fn judged(&self) -> impl Iterator<Item = Judged> {
        self.judged.iter().copied()
    }

    /// How many were compared, and of those at or above the threshold how many there are and how many were wrong.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let served = || self.judged.iter().filter(|one| self.threshold.is_some_and(|least| one.score >= least));
        (self.judged.len(), served().count(), served().filter(|one| !one.correct).count())
    }

    /// The least number of comparisons, none of them wrong, after which serving can begin.
    pub(super) fn needed(&self) -> usize {
        needed(self.rate, self.doubt)
    }

    fn look(&mut self) {
        self.looks += 1;
        self.next_look = ((self.learned as f64 * GROWTH) as usize).max(self.learned + 1);
        let mut sorted: Vec<Judged> = self.judged().collect();
        sorted.sort_by(|one, other| other.score.total_cmp(&one.score));
        self.threshold = sequence::threshold(&sorted, self.rate, of_look(self.doubt, self.looks));
        if let Some(least) = self.threshold {
            let served = sorted.partition_point(|one| one.score >= least);
            let wrong = sorted[..served].iter().filter(|one| !one.correct).count();
            self.prior = wrong as f64 / served.max(1) as f64;
        }
    }
}

/// The doubt that a look may use: all looks, however many follow, add up to what is allowed (Σ c / ((k+c-1)(k+c)) = 1).
fn of_look(doubt: f64, look: u32) -> f64 {
    let last = f64::from(look) + SLOWNESS;
    doubt * SLOWNESS / ((last - 1.0) * last)
}

/// The least evidence that one walk of the first look accepts.
fn needed(rate: f64, doubt: f64) -> usize {
    bound::least_evidence(rate, of_look(doubt, 1) / sequence::STARTS as f64)
}
