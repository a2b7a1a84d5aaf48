//! Rates: how many of how many.

use super::{ConfidenceInterval, check_share};
use crate::{Error, Result};
use statrs::distribution::{Beta, ContinuousCDF, Normal};

fn check(successes: u64, trials: u64) -> Result<()> {
    if successes <= trials && trials > 0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{successes} of {trials} is no rate: give at least one trial, and no more successes")))
}

/// The standard normal quantile.
pub(super) fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// Wilson's score interval, two-sided (Wilson 1927): close to the asked confidence on average, also near 0 and 1.
///
/// ```
/// let found = headrace::load::stats::rate::wilson(20, 20, 0.90)?;
/// assert!(found.low < 0.90);
/// # Ok::<(), headrace::Error>(())
/// ```
///
/// # Errors
/// There is no trial, or the confidence is not between 0 and 1.
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Result<ConfidenceInterval> {
    check(successes, trials)?;
    check_share("the confidence", confidence)?;
    let (k, n) = (successes as f64, trials as f64);
    let z = normal_quantile(f64::midpoint(1.0, confidence));
    let (p, z2) = (k / n, z * z);
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if successes == 0 { 0.0 } else { middle - half };
    let high = if successes == trials { 1.0 } else { middle + half };
    Ok(ConfidenceInterval { value: p, low, high })
}

/// The exact interval, two-sided (Clopper and Pearson 1934): never below the asked confidence.
///
/// # Errors
/// There is no trial, or the confidence is not between 0 and 1.
pub fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> Result<ConfidenceInterval> {
    check(successes, trials)?;
    check_share("the confidence", confidence)?;
    let tail = (1.0 - confidence) / 2.0;
    let (k, n) = (successes as f64, trials as f64);
    Ok(ConfidenceInterval {
        value: k / n,
        low: exact_low(successes, trials, tail),
        high: exact_high(successes, trials, tail),
    })
}

/// The rate that would show so many successes or more with probability `tail`.
fn exact_low(successes: u64, trials: u64, tail: f64) -> f64 {
    if successes == 0 { 0.0 } else { beta_quantile(successes as f64, (trials - successes + 1) as f64, tail) }
}

fn exact_high(successes: u64, trials: u64, tail: f64) -> f64 {
    if successes == trials {
        1.0
    } else {
        beta_quantile((successes + 1) as f64, (trials - successes) as f64, 1.0 - tail)
    }
}

/// By bisection on the distribution function, to the last digit but a few.
fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let Ok(beta) = Beta::new(a, b) else { return f64::NAN };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if beta.cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// What the rate exceeds, one-sided and exact.
///
/// # Errors
/// There is no trial, or the confidence is not between 0 and 1.
pub fn lower_bound(successes: u64, trials: u64, confidence: f64) -> Result<f64> {
    check(successes, trials)?;
    check_share("the confidence", confidence)?;
    Ok(exact_low(successes, trials, 1.0 - confidence))
}

/// What the rate stays under, one-sided and exact.
///
/// # Errors
/// There is no trial, or the confidence is not between 0 and 1.
pub fn upper_bound(successes: u64, trials: u64, confidence: f64) -> Result<f64> {
    check(successes, trials)?;
    check_share("the confidence", confidence)?;
    Ok(exact_high(successes, trials, 1.0 - confidence))
}

/// How many trials without a failure show that the rate is above `bound`: ln(1 - confidence) / ln(bound), rounded up.
///
/// ```
/// assert_eq!(headrace::load::stats::rate::least_trials(0.90, 0.95)?, 29);
/// # Ok::<(), headrace::Error>(())
/// ```
///
/// # Errors
/// The bound or the confidence is not between 0 and 1.
pub fn least_trials(bound: f64, confidence: f64) -> Result<u64> {
    check_share("the bound", bound)?;
    check_share("the confidence", confidence)?;
    Ok(((1.0 - confidence).ln() / bound.ln()).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1: binomtest(k, n).proportion_ci(0.95, method="wilson" / "exact").
        for (k, n, wilson_low, wilson_high, exact_low, exact_high) in SCIPY {
            let (w, e) = (wilson(k, n, 0.95).unwrap(), clopper_pearson(k, n, 0.95).unwrap());
            close(w.low, wilson_low);
            close(w.high, wilson_high);
            close(e.low, exact_low);
            close(e.high, exact_high);
        }
    }

    // As scipy prints them.
    #[allow(clippy::unreadable_literal)]
    const SCIPY: [(u64, u64, f64, f64, f64, f64); 6] = [
        (0, 10, 0.0, 0.27753279986288926, 0.0, 0.30849710781876294),
        (1, 10, 0.017876213095072896, 0.4041500267952385, 0.0025285785444625728, 0.44501611702819543),
        (20, 20, 0.8388748419471808, 1.0, 0.8315665290169145, 1.0),
        (97, 100, 0.9154806357094724, 0.9897454759759611, 0.9148239470257197, 0.9937700284616938),
        (33, 50, 0.521538260502326, 0.7756305077749992, 0.5123475122784139, 0.787945286564618),
        (999, 1000, 0.9943574414020421, 0.9998234536293739, 0.9944410757201502, 0.9999746825125083),
    ];

    #[test]
    fn twenty_of_twenty_do_not_show_more_than_nine_in_ten() {
        assert!(lower_bound(20, 20, 0.95).unwrap() < 0.90);
        assert!(lower_bound(28, 28, 0.95).unwrap() < 0.90);
        assert!(lower_bound(29, 29, 0.95).unwrap() > 0.90);
        assert_eq!(least_trials(0.90, 0.95).unwrap(), 29);
        // All of 29 right: 0.05^(1/29), from the definition.
        close(lower_bound(29, 29, 0.95).unwrap(), 0.05_f64.powf(1.0 / 29.0));
        close(upper_bound(0, 29, 0.95).unwrap(), 1.0 - 0.05_f64.powf(1.0 / 29.0));
    }

    #[test]
    fn no_trials_give_no_rate() {
        assert!(wilson(0, 0, 0.95).is_err() && clopper_pearson(2, 1, 0.95).is_err() && wilson(1, 2, 1.0).is_err());
    }
}
