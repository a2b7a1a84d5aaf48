//! Durations as high-dynamic-range histograms.

use hdrhistogram::Histogram as Hdr;
use std::time::Duration;

/// The longest duration that is told apart: a day. Longer ones count as a day.
const MAX_MICROS: u64 = 86_400_000_000;

/// Durations, from a tenth of a microsecond up, to three significant digits.
///
/// ```
/// use headrace::metrics::DurationHistogram;
/// use std::time::Duration;
/// let mut waits = DurationHistogram::default();
/// waits.record(Duration::from_millis(5));
/// let summary = waits.summary();
/// assert_eq!(summary.count, 1);
/// assert!((summary.p50 - 0.005).abs() < 1e-5);
/// ```
#[derive(Debug, Clone)]
pub struct DurationHistogram {
    tenths_of_micros: Hdr<u64>,
    total: Duration,
}

impl Default for DurationHistogram {
    fn default() -> Self {
        Self::of_digits(3)
    }
}

/// What a histogram says, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DurationSummary {
    /// How many were recorded.
    pub count: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl DurationHistogram {
    /// To two significant digits, in a tenth of the memory: for those that are kept by the hundred.
    #[must_use]
    pub fn coarse() -> Self {
        Self::of_digits(2)
    }

    fn of_digits(digits: u8) -> Self {
        // It grows with the longest duration: most never see a second, and need a hundredth of what a day would.
        let built = Hdr::new(digits);
        let tenths_of_micros = built.unwrap_or_else(|_| unreachable!("one to five significant digits are allowed"));
        Self { tenths_of_micros, total: Duration::ZERO }
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.tenths_of_micros.len()
    }

    /// The sum of all that was recorded.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// How many were at most as long as each of some bounds, in seconds.
    ///
    /// ```
    /// let mut waits = headrace::metrics::DurationHistogram::default();
    /// waits.record(std::time::Duration::from_millis(30));
    /// assert_eq!(waits.up_to(&[0.02, 0.04]), [0, 1]);
    /// ```
    #[must_use]
    pub fn up_to(&self, bounds: &[f64]) -> Vec<u64> {
        let tenths = |seconds: &f64| (seconds * 1e7) as u64;
        bounds.iter().map(|bound| self.tenths_of_micros.count_between(0, tenths(bound))).collect()
    }

    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        self.record_n(duration, 1);
    }

    /// Counts a duration that was met `count` times.
    pub fn record_n(&mut self, duration: Duration, count: u64) {
        self.total = self.total.saturating_add(duration.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)));
        let whole = duration.as_secs().saturating_mul(10_000_000);
        let tenths = whole.saturating_add(u64::from(duration.subsec_nanos() / 100)).min(MAX_MICROS * 10);
        // No duration up to a day is refused by a histogram that may grow.
        let _ = self.tenths_of_micros.record_n(tenths, count);
    }

    /// Mean, percentiles and maximum.
    #[must_use]
    pub fn summary(&self) -> DurationSummary {
        let seconds = |tenths: u64| tenths as f64 / 1e7;
        let quantile = |q| seconds(self.tenths_of_micros.value_at_quantile(q));
        DurationSummary {
            count: self.tenths_of_micros.len(),
            mean: self.tenths_of_micros.mean() / 1e7,
            p50: quantile(0.50),
            p90: quantile(0.90),
            p95: quantile(0.95),
            p99: quantile(0.99),
            max: seconds(self.tenths_of_micros.max()),
        }
    }
}
