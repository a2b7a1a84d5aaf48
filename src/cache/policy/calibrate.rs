//! The threshold that labelled pairs support.

use super::bound::{lower_bound, upper_bound};
use super::sequence::{self, Judged};
use super::{Result, check_share};

/// What labelled pairs say about serving.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Serve from this score on; None where the pairs support no threshold.
    pub threshold: Option<f64>,
    /// How many pairs were given.
    pub pairs: usize,
    /// How many of them that threshold would serve.
    pub served: usize,
    /// How many of the served are wrong.
    pub wrong: usize,
    /// The two-sided interval of the share of wrong answers among the served, at the confidence asked for.
    pub interval: (f64, f64),
    /// The bound asked for.
    pub max_error_rate: f64,
    /// The confidence asked for.
    pub confidence: f64,
}

impl Calibration {
    /// The share of wrong answers among the served pairs; zero where none is served.
    pub fn error_rate(&self) -> f64 {
        if self.served == 0 { 0.0 } else { self.wrong as f64 / self.served as f64 }
    }
}

/// The lowest threshold at which, with `confidence`, at most `max_error_rate` of the answers served are wrong.
///
/// The guarantee is for questions like those of the pairs (exchangeable with them), and holds although the threshold
/// is chosen on the same pairs, for thresholds are tested from strict to lax.
///
/// # Errors
/// [`crate::Error::InvalidArgument`] where a rate is not between 0 and 1 or a score is not a number.
///
/// ```
/// use headrace::cache::policy::{Judged, calibrate};
/// let pairs: Vec<_> = (0..2_000).map(|i| Judged { score: f64::from(i) / 2_000.0, correct: i >= 1_000 }).collect();
/// let found = calibrate(&pairs, 0.01, 0.95)?;
/// assert!(found.threshold.is_some_and(|threshold| threshold > 0.49));
/// assert!(found.interval.1 <= 0.02);
/// # Ok::<(), headrace::Error>(())
/// ```
pub fn calibrate(pairs: &[Judged], max_error_rate: f64, confidence: f64) -> Result<Calibration> {
    check_share("max_error_rate", max_error_rate)?;
    check_share("confidence", confidence)?;
    if let Some(bad) = pairs.iter().find(|pair| !pair.score.is_finite()) {
        return Err(crate::Error::invalid(format!("a pair has the score {}: give finite similarities", bad.score)));
    }
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|one, other| other.score.total_cmp(&one.score));
    let threshold = sequence::threshold(&sorted, max_error_rate, 1.0 - confidence);
    let served: Vec<_> = sorted.iter().filter(|pair| threshold.is_some_and(|least| pair.score >= least)).collect();
    let wrong = served.iter().filter(|pair| !pair.correct).count();
    let sided = f64::midpoint(1.0, confidence);
    let (all, count) = (served.len() as u64, wrong as u64);
    let interval = (lower_bound(count, all, sided), upper_bound(count, all, sided));
    Ok(Calibration { threshold, pairs: pairs.len(), served: served.len(), wrong, interval, max_error_rate, confidence })
}
