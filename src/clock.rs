//! Time, as something that a test can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where a module reads the time.
pub trait Clock: Send + Sync + 'static {
    /// Time since an arbitrary start; never goes back.
    fn monotonic(&self) -> Duration;
    /// Time since 1970-01-01 UTC.
    fn wall(&self) -> Duration;
    /// Whether it is the machine's: a store on a server goes by the server's clock then.
    fn is_machine(&self) -> bool {
        false
    }
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn is_machine(&self) -> bool {
        true
    }
}

/// A clock that stands still until it is moved: for tests and simulations.
///
/// ```
/// use headrace::clock::{Clock, ManualClock};
/// use std::time::Duration;
/// let clock = ManualClock::new(Duration::from_secs(1_700_000_000));
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(clock.monotonic(), Duration::from_millis(5));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    wall_start: Duration,
    elapsed_nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock whose wall time begins at `wall_start` since 1970.
    #[must_use]
    pub fn new(wall_start: Duration) -> Self {
        Self { wall_start, elapsed_nanos: Arc::default() }
    }

    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.elapsed_nanos.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.elapsed_nanos.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Duration {
        self.wall_start + self.monotonic()
    }
}
