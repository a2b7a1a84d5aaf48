//! Means and quantiles of values that depend on their neighbours, as the latencies of a queue do.

use super::{ConfidenceInterval, check_share, check_values, mean, sorted_quantile};
use crate::load::rng::Rng;
use crate::{Error, Result};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The quantile of Student's t distribution.
///
/// ```
/// let t = headrace::load::stats::series::t_quantile(0.95, 4.0)?;
/// assert!((t - 2.131_847).abs() < 1e-6);
/// # Ok::<(), headrace::Error>(())
/// ```
///
/// # Errors
/// The share is not between 0 and 1, or there is no degree of freedom.
pub fn t_quantile(p: f64, freedom: f64) -> Result<f64> {
    check_share("the share", p)?;
    let t = StudentsT::new(0.0, 1.0, freedom).map_err(|error| Error::invalid(format!("no t distribution: {error}")))?;
    Ok(t.inverse_cdf(p))
}

/// The mean of independent values, by Student's t.
///
/// # Errors
/// There are fewer than two values or one is not finite, or the confidence is not between 0 and 1.
pub fn mean_interval(values: &[f64], confidence: f64) -> Result<ConfidenceInterval> {
    check_share("the confidence", confidence)?;
    check_values(values, 2)?;
    let (n, centre) = (values.len() as f64, mean(values));
    let variance = values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (n - 1.0);
    let half = t_quantile(f64::midpoint(1.0, confidence), n - 1.0)? * (variance / n).sqrt();
    Ok(ConfidenceInterval { value: centre, low: centre - half, high: centre + half })
}

/// The mean of a settled series, by batch means: the means of long pieces hardly depend on one another
/// (Law 2015, section 9.5.3; 20 batches are usual). Values after the last full batch are left out.
///
/// # Errors
/// There are fewer than two batches of two values, or as for [`mean_interval`].
pub fn batch_means(values: &[f64], batches: usize, confidence: f64) -> Result<ConfidenceInterval> {
    if batches < 2 {
        return Err(Error::invalid(format!("batches is {batches}: give at least 2; 20 are usual")));
    }
    check_values(values, 2 * batches)?;
    let size = values.len() / batches;
    let means: Vec<f64> = values.chunks_exact(size).take(batches).map(mean).collect();
    mean_interval(&means, confidence)
}

/// What a bootstrap is taken of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// A quantile.
    Quantile(f64),
}

impl Statistic {
    fn of(self, values: &mut [f64]) -> f64 {
        match self {
            Self::Mean => mean(values),
            Self::Quantile(q) => {
                let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1;
                *values.select_nth_unstable_by(rank, f64::total_cmp).1
            }
        }
    }
}

/// A percentile interval by the moving-block bootstrap (Künsch 1989): blocks of neighbours are drawn, so that the
/// dependence inside a block stays. `block` 0 takes the cube root of n times two, at least 1.
///
/// # Errors
/// There are fewer than two values or one is not finite, a share is not between 0 and 1, or there is no resample.
pub fn block_bootstrap(
    values: &[f64],
    statistic: Statistic,
    block: usize,
    resamples: usize,
    seed: u64,
    confidence: f64,
) -> Result<ConfidenceInterval> {
    check_share("the confidence", confidence)?;
    if let Statistic::Quantile(q) = statistic {
        check_share("the quantile", q)?;
    }
    check_values(values, 2)?;
    if resamples < 20 {
        return Err(Error::invalid(format!("resamples is {resamples}: give at least 20; 1000 are usual")));
    }
    let n = values.len();
    let block = if block == 0 { (2.0 * (n as f64).cbrt()).round() as usize } else { block }.clamp(1, n);
    let mut rng = Rng::stream(seed, "block bootstrap");
    let mut drawn = Vec::with_capacity(n + block);
    let mut found: Vec<f64> = (0..resamples)
        .map(|_| {
            drawn.clear();
            while drawn.len() < n {
                let start = rng.below(n - block + 1);
                drawn.extend_from_slice(&values[start..start + block]);
            }
            drawn.truncate(n);
            statistic.of(&mut drawn)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Ok(ConfidenceInterval {
        value: statistic.of(&mut values.to_vec()),
        low: sorted_quantile(&found, tail),
        high: sorted_quantile(&found, 1.0 - tail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An autoregressive series of order one around 5 with correlation 0.8.
    fn dependent(rng: &mut Rng, n: usize) -> Vec<f64> {
        let mut value = rng.normal() / (1.0_f64 - 0.64).sqrt();
        (0..n)
            .map(|_| {
                value = 0.8 * value + rng.normal();
                5.0 + value
            })
            .collect()
    }

    fn coverage(mut interval: impl FnMut(&[f64]) -> ConfidenceInterval, truth: f64) -> f64 {
        let mut rng = Rng::new(21);
        let covered = (0..200)
            .filter(|_| {
                let found = interval(&dependent(&mut rng, 1_000));
                found.low <= truth && truth <= found.high
            })
            .count();
        covered as f64 / 200.0
    }

    #[test]
    fn dependent_values_are_covered_and_plain_t_is_not_enough() {
        let batched = coverage(|values| batch_means(values, 20, 0.95).unwrap(), 5.0);
        assert!(batched > 0.88, "{batched}");
        let blocked = coverage(|values| block_bootstrap(values, Statistic::Mean, 40, 100, 1, 0.95).unwrap(), 5.0);
        assert!(blocked > 0.85, "{blocked}");
        let plain = coverage(|values| mean_interval(values, 0.95).unwrap(), 5.0);
        assert!(plain < 0.65, "{plain}");
    }

    #[test]
    fn quantiles_of_dependent_values_are_covered() {
        // The p90 of a normal around 5 with variance 1 / (1 - 0.64).
        let truth = 5.0 + 1.281_551_565_544_600_4 / (1.0_f64 - 0.64).sqrt();
        let blocked =
            coverage(|values| block_bootstrap(values, Statistic::Quantile(0.9), 40, 100, 1, 0.95).unwrap(), truth);
        assert!(blocked > 0.82, "{blocked}");
    }

    #[test]
    fn the_t_interval_is_that_of_the_tables() {
        // Mean 3, variance 2.5, n 5: 2.776445105 * sqrt(0.5), Student's table for 4 degrees of freedom.
        let found = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        assert!((found.value - 3.0).abs() < 1e-12);
        assert!((found.high - 3.0 - 2.776_445_105 * 0.5_f64.sqrt()).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn the_bootstrap_is_seeded() {
        let values = dependent(&mut Rng::new(3), 500);
        let run = |seed| block_bootstrap(&values, Statistic::Quantile(0.9), 0, 100, seed, 0.9).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
