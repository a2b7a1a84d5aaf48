//! Whether something grows: Theil and Sen's slope, which a few outliers cannot move.

use super::rate::normal_quantile;
use super::{ConfidenceInterval, check_share, check_values};
use crate::{Error, Result};

/// The most points that are used; more are thinned evenly, as all pairs are looked at.
const MOST: usize = 1_500;

/// The median of the slopes of all pairs of points, with Sen's interval (Sen 1968, from Kendall's statistic).
///
/// ```
/// use headrace::load::stats::trend::theil_sen;
/// let found = theil_sen(&[0.0, 1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 5.0, 99.0, 9.0], 0.95)?;
/// assert_eq!(found.value, 2.0);
/// # Ok::<(), headrace::Error>(())
/// ```
///
/// # Errors
/// There are fewer than three points, they are not of equal number or not finite, or all at the same x.
pub fn theil_sen(x: &[f64], y: &[f64], confidence: f64) -> Result<ConfidenceInterval> {
    check_share("the confidence", confidence)?;
    check_values(x, 3)?;
    check_values(y, 3)?;
    if x.len() != y.len() {
        return Err(Error::invalid(format!("there are {} x and {} y: give as many", x.len(), y.len())));
    }
    let step = x.len().div_ceil(MOST);
    let points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).step_by(step).collect();
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (at, a) in points.iter().enumerate() {
        let later = points[at + 1..].iter().filter(|b| (b.0 - a.0).abs() > 0.0);
        slopes.extend(later.map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    if slopes.is_empty() {
        return Err(Error::invalid("all points are at the same x: give different ones"));
    }
    slopes.sort_by(f64::total_cmp);
    let (n, pairs) = (points.len() as f64, slopes.len() as f64);
    // The deviation of Kendall's statistic without ties; ties make it smaller, the interval is then too wide.
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let reach = normal_quantile(f64::midpoint(1.0, confidence)) * deviation;
    let last = slopes.len() - 1;
    let low = (((pairs - reach) / 2.0).round() - 1.0).max(0.0) as usize;
    let high = (f64::midpoint(pairs, reach).round() as usize).min(last);
    let middle = slopes.len() / 2;
    let median = if slopes.len() % 2 == 1 { slopes[middle] } else { f64::midpoint(slopes[middle - 1], slopes[middle]) };
    Ok(ConfidenceInterval { value: median, low: slopes[low], high: slopes[high] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::rng::Rng;

    #[test]
    fn a_leak_is_told_from_noise() {
        let mut rng = Rng::new(4);
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        let (mut flat_covered, mut leak_covered) = (0, 0);
        for _ in 0..100 {
            let flat: Vec<f64> = x.iter().map(|_| 100.0 + rng.normal()).collect();
            let leak: Vec<f64> = x.iter().map(|at| 100.0 + 0.05 * at + rng.normal()).collect();
            let found = theil_sen(&x, &flat, 0.95).unwrap();
            flat_covered += i32::from(found.low <= 0.0 && 0.0 <= found.high);
            let found = theil_sen(&x, &leak, 0.95).unwrap();
            leak_covered += i32::from(found.low <= 0.05 && 0.05 <= found.high && found.low > 0.0);
        }
        assert!(flat_covered >= 89 && leak_covered >= 89, "{flat_covered} {leak_covered}");
    }

    #[test]
    #[allow(clippy::unreadable_literal)] // as scipy prints them
    fn agrees_with_scipy() {
        // scipy 1.17.1: theilslopes(y, x, 0.95) with y = round(0.3 x + 4 sin(1.7 x), 3), x = 0, 1, .. 19.
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| ((0.3 * x + 4.0 * (1.7 * x).sin()) * 1e3).round() / 1e3).collect();
        let found = theil_sen(&x, &y, 0.95).unwrap();
        for (ours, theirs) in
            [(found.value, 0.2814220779220779), (found.low, 0.0024999999999999467), (found.high, 0.5757142857142857)]
        {
            assert!((ours - theirs).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn points_without_a_slope_are_refused() {
        assert!(theil_sen(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).is_err());
        assert!(theil_sen(&[1.0, 2.0], &[1.0, 2.0], 0.95).is_err());
        assert!(theil_sen(&[1.0, 2.0, 3.0], &[1.0, f64::NAN, 3.0], 0.95).is_err());
    }
}
