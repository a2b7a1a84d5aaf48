//! A point on the monotonic clock, small enough to be kept for every request.

use std::time::Duration;

/// Nanoseconds since the clock's start: 584 years fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Moment(u64);

impl Moment {
    /// After everything that happens.
    pub(super) const NEVER: Self = Self(u64::MAX);

    pub(super) fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(super) fn nanos(self) -> u64 {
        self.0
    }

    pub(super) fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(Self::from(by).0))
    }

    pub(super) fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(Self::from(by).0))
    }

    /// How long after `earlier`; zero where it is not after it.
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Moment {
    fn from(since_start: Duration) -> Self {
        let whole = since_start.as_secs().saturating_mul(1_000_000_000);
        Self(whole.saturating_add(u64::from(since_start.subsec_nanos())))
    }
}
