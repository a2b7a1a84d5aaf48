//! Rivals: a stored question that looks right too speaks against the best one.
//!
//! Of all that is stored, at most one question is the one that was asked. So where two look like it, each is the less
//! likely: the odds of a pair are divided by the root of one and four times the odds of its rivals. On authors that had
//! taught nothing this found half again as many paraphrases at one wrong answer in a hundred questions
//! (`docs/cache-quality.md`). Two stored wordings of one question are no rivals: the model reads them against each other.

use super::super::QuestionPair;

/// How much the rivals' odds weigh.
const WEIGHT: f32 = 4.0;
/// From this probability on a pair looks right, so that it is worth a look whether its rivals are wordings of it.
const LOOKS_RIGHT: f32 = 0.5;
/// From this probability on two stored questions are wordings of one.
pub(super) const ONE_QUESTION: f32 = 0.95;

/// The couples of pairs of one asked question that both look right.
pub(super) fn couples(pairs: &[QuestionPair<'_>], probabilities: &[Option<f32>]) -> Vec<(usize, usize)> {
    let looks_right = |place: &usize| probabilities[*place].is_some_and(|probability| probability >= LOOKS_RIGHT);
    let mut found = Vec::new();
    for one in (0..pairs.len()).filter(looks_right) {
        let others = (one + 1..pairs.len()).filter(|&other| pairs[one].asked == pairs[other].asked);
        found.extend(others.filter(looks_right).map(|other| (one, other)));
    }
    found
}

/// The probability of each pair in the light of the others; `wordings` are the couples that are no rivals.
pub(super) fn weigh(
    pairs: &[QuestionPair<'_>],
    alone: &[Option<f32>],
    wordings: &[(usize, usize)],
) -> Vec<Option<f32>> {
    let is_rival = |one: usize, other: usize| {
        one != other && pairs[one].asked == pairs[other].asked && !wordings.contains(&(one.min(other), one.max(other)))
    };
    let others =
        |one: usize| (0..pairs.len()).filter(move |&other| is_rival(one, other)).filter_map(|other| alone[other]);
    (0..pairs.len()).map(|one| alone[one].map(|probability| weighed(probability, others(one)))).collect()
}

/// The probability of a pair, given those of its rivals.
fn weighed(probability: f32, rivals: impl Iterator<Item = f32>) -> f32 {
    let odds = |p: f32| p / (1.0 - p).max(1e-6);
    let sum = rivals.map(odds).fold(0.0_f32, |sum, one| sum + one);
    let left = odds(probability) / (1.0 + WEIGHT * sum).sqrt();
    left / (1.0 + left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rival_nothing_changes_and_each_rival_takes_some_away() {
        for p in [0.0, 0.2, 0.5, 0.95, 1.0] {
            let with = |rivals: &[f32]| weighed(p, rivals.iter().copied());
            assert!((with(&[]) - p).abs() < 1e-5, "{p}");
            assert!(with(&[0.5]) <= p && with(&[0.5, 0.5]) <= with(&[0.5]), "{p}");
            assert!((0.0..=1.0).contains(&with(&[1.0])), "{p}");
        }
    }

    #[test]
    fn only_what_looks_right_for_one_question_is_coupled() {
        let pair = |asked, stored| QuestionPair { asked, stored };
        let pairs = [pair("a", "1"), pair("a", "2"), pair("a", "3"), pair("b", "1")];
        assert_eq!(couples(&pairs, &[Some(0.9), Some(0.05), Some(0.6), Some(0.9)]), [(0, 2)]);
        assert_eq!(couples(&pairs, &[None, Some(0.9), None, Some(0.9)]), []);
        let alone = [Some(0.9), Some(0.05), Some(0.6), Some(0.9)];
        let together = weigh(&pairs, &alone, &[]);
        assert!(together[0] < alone[0] && together[2] < alone[2]);
        assert!((together[3].unwrap_or(0.0) - 0.9).abs() < 1e-5, "of another question");
        let wordings = weigh(&pairs, &alone, &[(0, 2)]);
        assert!(wordings[0] > together[0], "a wording is no rival");
    }
}
