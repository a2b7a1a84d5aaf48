//! From labelled scores to a threshold: fixed-sequence testing, as in Learn then Test (arXiv 2110.01052).
//!
//! The scores are sorted, best first. "Serving all of score ≥ s errs more often than δ" is tested for stricter s
//! before laxer s, and the first test that does not reject ends the walk. Each test has the full level, and yet
//! the chance that any false threshold is accepted stays at that level, for the first false one must be rejected
//! wrongly. A walk that begins at the very best scores dies of one unlucky error there, so several walks begin at
//! several depths and share the level.

use super::bound::{least_evidence, upper_bound};

/// A judged candidate: its score, and whether serving it was right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The order in which candidates are trusted: higher is better.
    pub score: f64,
    /// Whether its answer was right.
    pub correct: bool,
}

/// How much a step of the walk adds to what is tested together.
const STEP: f64 = 1.1;

/// The lowest score from which on serving errs at most at `rate`, wrong with a chance of at most `doubt`.
///
/// `judged` is sorted, best first.
pub(super) fn threshold(judged: &[Judged], rate: f64, doubt: f64) -> Option<f64> {
    let least = least_evidence(rate, doubt / STARTS as f64);
    if judged.len() < least {
        return None;
    }
    let doubt = doubt / STARTS as f64;
    let mut wrong = Vec::with_capacity(judged.len() + 1);
    wrong.push(0_u64);
    for one in judged {
        wrong.push(wrong[wrong.len() - 1] + u64::from(!one.correct));
    }
    let supported = |count: usize| upper_bound(wrong[count], count as u64, 1.0 - doubt) <= rate;
    let walk = |start: usize| -> Option<usize> {
        let mut accepted = None;
        let mut count = with_ties(judged, start);
        while supported(count) {
            accepted = Some(count);
            if count == judged.len() {
                break;
            }
            let next = ((count as f64 * STEP) as usize).max(count + 1).min(judged.len());
            count = with_ties(judged, next);
        }
        accepted
    };
    // The depths depend on how many scores there are, never on how they were judged.
    let room = judged.len() - least;
    let starts = (0..STARTS).map(|start| least + room * start / (STARTS - 1));
    starts.filter_map(walk).max().map(|count| judged[count - 1].score)
}

/// How many walks share the level.
pub(super) const STARTS: usize = 4;

/// The first `count` and all that have the last one's score: a threshold cannot part them.
fn with_ties(judged: &[Judged], count: usize) -> usize {
    let last = judged[count - 1].score;
    count + judged[count..].iter().take_while(|one| one.score >= last).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(flags: impl Iterator<Item = bool>) -> Vec<Judged> {
        flags.enumerate().map(|(place, correct)| Judged { score: 1.0 - place as f64 * 1e-4, correct }).collect()
    }

    #[test]
    fn refuses_without_evidence_and_stops_where_errors_begin() {
        assert_eq!(threshold(&judged((0..100).map(|_| true)), 0.01, 0.05), None);
        let mixed = judged((0..4_000).map(|place| place < 2_000 || place % 2 == 0));
        let found = threshold(&mixed, 0.01, 0.05).unwrap();
        let served = mixed.iter().filter(|one| one.score >= found).count();
        let wrong = mixed.iter().filter(|one| one.score >= found && !one.correct).count();
        assert!(served >= 1_500 && (wrong as f64) <= 0.01 * served as f64, "{wrong} of {served}");
        assert_eq!(threshold(&judged((0..4_000).map(|place| place % 3 > 0)), 0.05, 0.05), None);
    }

    #[test]
    fn equal_scores_are_served_together_or_not_at_all() {
        let mut equal = judged((0..1_000).map(|place| place < 600));
        equal.iter_mut().for_each(|one| one.score = 0.9);
        assert_eq!(threshold(&equal, 0.05, 0.05), None);
    }
}
