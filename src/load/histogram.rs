//! Times in a histogram of high dynamic range.

use serde::Serialize;

/// Nanoseconds, up to an hour, to three significant digits (an HDR histogram); longer ones count as an hour.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// Made with the first value, which also keeps the constructor free of failure.
    inner: Option<hdrhistogram::Histogram<u64>>,
    sum: f64,
    max: u64,
}

const LONGEST: u64 = 3_600_000_000_000;

impl Histogram {
    /// Adds one value.
    pub fn record(&mut self, nanos: u64) {
        if self.inner.is_none() {
            self.inner = hdrhistogram::Histogram::new_with_bounds(1, LONGEST, 3).ok();
        }
        if let Some(inner) = &mut self.inner {
            inner.saturating_record(nanos);
        }
        self.sum += nanos as f64;
        self.max = self.max.max(nanos);
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.inner.as_ref().map_or(0, hdrhistogram::Histogram::len)
    }

    /// The smallest value that is at least as large as a share `q` of all, to three digits; `None` of none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let inner = self.inner.as_ref()?;
        Some(inner.value_at_quantile(q).min(self.max))
    }

    /// The figures that a report shows, in milliseconds; `None` of no value.
    #[must_use]
    pub fn quantiles(&self) -> Option<Quantiles> {
        let at = |q| self.quantile(q).map(millis);
        Some(Quantiles {
            count: self.count(),
            mean: self.sum / 1e6 / self.count().max(1) as f64,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
            p999: at(0.999)?,
            max: millis(self.max),
        })
    }
}

impl FromIterator<u64> for Histogram {
    fn from_iter<I: IntoIterator<Item = u64>>(values: I) -> Self {
        let mut histogram = Self::default();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }
}

/// What a report shows of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many values.
    pub count: u64,
    /// Exact.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// One in ten is larger.
    pub p90: f64,
    /// One in twenty is larger.
    pub p95: f64,
    /// One in a hundred is larger.
    pub p99: f64,
    /// One in a thousand is larger.
    pub p999: f64,
    /// Exact.
    pub max: f64,
}

/// Nanoseconds as milliseconds.
#[must_use]
pub fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_values(mut values in prop::collection::vec(1_u64..LONGEST, 1..300)) {
            let histogram: Histogram = values.iter().copied().collect();
            values.sort_unstable();
            for q in [0.5, 0.9, 0.95, 0.99, 0.999] {
                let rank = ((q * values.len() as f64).ceil() as usize).max(1) - 1;
                let (exact, ours) = (values[rank] as f64, histogram.quantile(q).unwrap() as f64);
                prop_assert!((ours - exact).abs() <= exact / 500.0, "{q}: {ours} {exact}");
            }
            prop_assert_eq!(histogram.count(), values.len() as u64);
        }
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Histogram::default().quantiles(), None);
    }
}
