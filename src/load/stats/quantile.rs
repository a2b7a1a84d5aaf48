//! Quantiles of independent values, by order statistics: no assumption about their distribution.
//!
//! Of n values, the number that lie below the q-quantile is binomial(n, q); so the k-th smallest bounds the quantile from
//! above with the probability that fewer than k lie below it (David and Nagaraja 2003, section 7.1).

use super::{ConfidenceInterval, check_share, check_values, sorted_quantile};
use crate::Result;
use statrs::distribution::{Binomial, DiscreteCDF};

/// The rank, from 1, of the smallest order statistic that is an upper bound; `None` where there are too few values.
fn upper_rank(n: usize, q: f64, confidence: f64) -> Option<usize> {
    let below = Binomial::new(q, n as u64).ok()?;
    // The least k in 1..=n with P(fewer than k below) >= confidence.
    let (mut low, mut high) = (1, n + 1);
    while low < high {
        let k = usize::midpoint(low, high);
        if below.cdf(k as u64 - 1) >= confidence {
            high = k;
        } else {
            low = k + 1;
        }
    }
    (low <= n).then_some(low)
}

/// What the quantile stays under, one-sided; infinite where there are too few values to say.
///
/// # Errors
/// There is no value or one is not finite, or a share is not between 0 and 1.
pub fn upper_bound(values: &[f64], q: f64, confidence: f64) -> Result<f64> {
    check_share("the quantile", q)?;
    check_share("the confidence", confidence)?;
    check_values(values, 1)?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Ok(upper_rank(sorted.len(), q, confidence).map_or(f64::INFINITY, |rank| sorted[rank - 1]))
}

/// What the quantile exceeds, one-sided; minus infinity where there are too few values to say.
///
/// # Errors
/// As for [`upper_bound`].
pub fn lower_bound(values: &[f64], q: f64, confidence: f64) -> Result<f64> {
    check_values(values, 1)?;
    let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
    check_share("the quantile", q)?;
    upper_bound(&mirrored, 1.0 - q, confidence).map(|bound| -bound)
}

/// The quantile and its interval, two-sided with equal tails.
///
/// # Errors
/// As for [`upper_bound`].
pub fn interval(values: &[f64], q: f64, confidence: f64) -> Result<ConfidenceInterval> {
    check_share("the confidence", confidence)?;
    let one_sided = f64::midpoint(1.0, confidence);
    let (low, high) = (lower_bound(values, q, one_sided)?, upper_bound(values, q, one_sided)?);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Ok(ConfidenceInterval { value: sorted_quantile(&sorted, q), low, high })
}

/// How many values it takes to bound the quantile from above at all: q^n <= 1 - confidence.
///
/// ```
/// use headrace::load::stats::quantile::least_values;
/// assert_eq!((least_values(0.95, 0.95)?, least_values(0.99, 0.95)?), (59, 299));
/// # Ok::<(), headrace::Error>(())
/// ```
///
/// # Errors
/// A share is not between 0 and 1.
pub fn least_values(q: f64, confidence: f64) -> Result<u64> {
    super::rate::least_trials(q, confidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::rng::Rng;

    #[test]
    #[allow(clippy::float_cmp)] // order statistics are the values themselves
    fn fifty_eight_values_do_not_bound_a_p95() {
        let values = |n: u32| (1..=n).map(f64::from).collect::<Vec<_>>();
        assert_eq!(upper_bound(&values(58), 0.95, 0.95).unwrap(), f64::INFINITY);
        assert_eq!(upper_bound(&values(59), 0.95, 0.95).unwrap(), 59.0);
        assert_eq!(upper_bound(&values(298), 0.99, 0.95).unwrap(), f64::INFINITY);
        assert_eq!(upper_bound(&values(299), 0.99, 0.95).unwrap(), 299.0);
        // 93 values bound it by the second largest: 0.95^93 + 93 * 0.05 * 0.95^92 < 0.05 <= the same of 92.
        assert_eq!(upper_bound(&values(92), 0.95, 0.95).unwrap(), 92.0);
        assert_eq!(upper_bound(&values(93), 0.95, 0.95).unwrap(), 92.0);
    }

    #[test]
    fn covers_as_often_as_promised() {
        let mut rng = Rng::new(11);
        // The p90 of an exponential is ln 10.
        let truth = 10.0_f64.ln();
        let (mut above, mut within) = (0, 0);
        let runs = 2_000;
        for _ in 0..runs {
            let values: Vec<f64> = (0..200).map(|_| rng.exponential()).collect();
            above += i32::from(upper_bound(&values, 0.9, 0.95).unwrap() >= truth);
            let found = interval(&values, 0.9, 0.95).unwrap();
            within += i32::from(found.low <= truth && truth <= found.high);
        }
        // At least 95 % by construction, and a little more as ranks are whole; three deviations of 2,000 trials are 1.5 %.
        for share in [above, within].map(|count| f64::from(count) / f64::from(runs)) {
            assert!((0.935..0.985).contains(&share), "{share}");
        }
    }
}
