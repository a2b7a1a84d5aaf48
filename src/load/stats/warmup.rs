//! Where a run has settled: MSER-5.
//!
//! Values are averaged in batches of five; cut off is what makes the standard error of the rest the smallest, at most
//! the first half (White, Cobb and Spratt 2000: A comparison of five steady-state truncation heuristics).

const BATCH: usize = 5;

/// How many values at the start to cut off.
///
/// ```
/// use headrace::load::stats::warmup::mser;
/// let values: Vec<f64> = (0..200).map(|at| if at < 20 { 50.0 } else { f64::from(at % 2) }).collect();
/// assert_eq!(mser(&values), 20);
/// ```
#[must_use]
pub fn mser(values: &[f64]) -> usize {
    let batches: Vec<f64> = values.chunks_exact(BATCH).map(super::mean).collect();
    let n = batches.len();
    // From the end, with Welford's sums, so that each cut costs one step.
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (cut, value) in batches.iter().enumerate().rev() {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
        // The first of equals would keep less data; cuts are visited from the end, so the last of equals is kept.
        if cut <= n / 2 && squares / (count * count) <= best.0 {
            best = (squares / (count * count), cut);
        }
    }
    best.1 * BATCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::rng::Rng;

    #[test]
    fn finds_the_end_of_a_transient() {
        let mut rng = Rng::new(5);
        let values: Vec<f64> =
            (0..2_000).map(|at| 10.0 + 30.0 * (-f64::from(at) / 60.0).exp() + rng.normal()).collect();
        let cut = mser(&values);
        // 30 e^(-t/60) is under the noise of a batch from t = 60 ln(30 / 0.45) = 250 on.
        assert!((120..600).contains(&cut), "{cut}");
    }

    #[test]
    fn cuts_little_from_what_is_settled() {
        let mut rng = Rng::new(6);
        let values: Vec<f64> = (0..5_000).map(|_| rng.normal()).collect();
        assert!(mser(&values) <= 2_500);
        assert_eq!(mser(&[1.0; 100]), 0);
        assert_eq!(mser(&[]), 0);
    }
}
