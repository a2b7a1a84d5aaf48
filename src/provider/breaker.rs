//! A circuit breaker: a provider that keeps failing is left alone for a while (Nygard, Release It!, 2007).

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerConfig {
    /// So many failures in a row open it.
    pub failures: u32,
    /// It stays open for so long, then lets one call through to see.
    pub open_for: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 8, open_for: Duration::from_secs(10) }
    }
}

/// Whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// They do.
    Closed,
    /// They fail at once.
    Open,
    /// One is on its way to see.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Breaker {
    config: BreakerConfig,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    failures: u32,
    opened: Option<Instant>,
    probing: bool,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, inner: Mutex::default() }
    }

    /// Lets a call through, or says how long the breaker stays open.
    pub(super) fn enter(&self) -> Result<(), Duration> {
        let mut inner = self.inner.lock();
        let Some(opened) = inner.opened else { return Ok(()) };
        let since = opened.elapsed();
        if since < self.config.open_for || inner.probing {
            return Err(self.config.open_for.saturating_sub(since).max(Duration::from_millis(1)));
        }
        inner.probing = true;
        Ok(())
    }

    /// Tells how a call went. A refusal of the request is a sign of life.
    pub(super) fn leave(&self, failed: bool) {
        let mut inner = self.inner.lock();
        inner.probing = false;
        if !failed {
            *inner = Inner::default();
            return;
        }
        inner.failures = inner.failures.saturating_add(1);
        if inner.failures >= self.config.failures {
            inner.opened = Some(Instant::now());
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        let inner = self.inner.lock();
        match inner.opened {
            None => BreakerState::Closed,
            Some(_) if inner.probing => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }
}
