//! Exact bounds on a share, from a count: Clopper and Pearson (Biometrika 26, 1934).

use statrs::function::beta::inv_beta_reg;

/// The share that, with `confidence`, is not exceeded where `wrong` of `all` were seen.
///
/// ```
/// use headrace::cache::policy::upper_bound;
/// // The "rule of three": none of 300 wrong says at most 1 % at 95 %.
/// assert!((upper_bound(0, 300, 0.95) - 0.009_936).abs() < 1e-6);
/// ```
pub fn upper_bound(wrong: u64, all: u64, confidence: f64) -> f64 {
    if wrong >= all {
        return 1.0;
    }
    if wrong == 0 {
        // (1 - p)^n = 1 - confidence, solved: exact where the quantile function would iterate.
        return -((1.0 - confidence).ln() / all as f64).exp_m1();
    }
    inv_beta_reg(wrong as f64 + 1.0, (all - wrong) as f64, confidence)
}

/// The share that, with `confidence`, is at least reached where `wrong` of `all` were seen.
///
/// ```
/// use headrace::cache::policy::lower_bound;
/// assert_eq!(lower_bound(0, 300, 0.95), 0.0);
/// ```
pub fn lower_bound(wrong: u64, all: u64, confidence: f64) -> f64 {
    if wrong == 0 || all == 0 {
        return 0.0;
    }
    if wrong >= all {
        return ((1.0 - confidence).ln() / all as f64).exp();
    }
    inv_beta_reg(wrong as f64, (all - wrong) as f64 + 1.0, 1.0 - confidence)
}

/// How many observations, none of them wrong, support a share of at most `rate`.
pub(super) fn least_evidence(rate: f64, doubt: f64) -> usize {
    (doubt.ln() / (-rate).ln_1p()).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// P(X <= k) for X binomial, summed term by term in logarithms: the definition that the bounds invert.
    fn at_most(k: u64, n: u64, p: f64) -> f64 {
        let mut log_term = n as f64 * (-p).ln_1p();
        let mut sum = log_term.exp();
        for i in 1..=k {
            log_term += ((n - i + 1) as f64 / i as f64).ln() + p.ln() - (-p).ln_1p();
            sum += log_term.exp();
        }
        sum
    }

    proptest! {
        #[test]
        fn the_bounds_invert_the_binomial(all in 1_u64..3_000, share in 0.0_f64..1.0, confidence in 0.5_f64..0.999) {
            let wrong = ((all as f64) * share * share) as u64;
            let upper = upper_bound(wrong, all, confidence);
            let lower = lower_bound(wrong, all, confidence);
            prop_assert!(lower <= wrong as f64 / all as f64 && wrong as f64 / all as f64 <= upper);
            if wrong < all {
                prop_assert!((at_most(wrong, all, upper) - (1.0 - confidence)).abs() < 1e-6);
            }
            if wrong > 0 {
                prop_assert!((1.0 - at_most(wrong - 1, all, lower) - (1.0 - confidence)).abs() < 1e-6);
            }
        }
    }
}
