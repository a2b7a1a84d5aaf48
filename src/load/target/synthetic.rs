//! Targets whose behaviour is known exactly: to test and to calibrate the generator.

use super::Target;
use crate::load::observation::Observation;
use crate::load::request::LoadRequest;
use crate::load::rng::Rng;
use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::Instant;

/// Answers at once.
#[derive(Debug, Default)]
pub struct Null;

#[async_trait]
impl Target for Null {
    async fn send(&self, _: &LoadRequest) -> Observation {
        Observation::ok()
    }
}

/// Answers after a time: fixed, or exponential around a mean, seeded.
#[derive(Debug)]
pub struct Sleep {
    mean: Duration,
    drawn: Option<Mutex<Rng>>,
}

impl Sleep {
    /// Always the same time.
    #[must_use]
    pub fn fixed(time: Duration) -> Self {
        Self { mean: time, drawn: None }
    }

    /// Exponential times, drawn in the order of the calls.
    #[must_use]
    pub fn exponential(mean: Duration, seed: u64) -> Self {
        Self { mean, drawn: Some(Mutex::new(Rng::stream(seed, "sleep"))) }
    }
}

#[async_trait]
impl Target for Sleep {
    async fn send(&self, _: &LoadRequest) -> Observation {
        let factor = self.drawn.as_ref().map_or(1.0, |rng| rng.lock().exponential());
        tokio::time::sleep(self.mean.mul_f64(factor)).await;
        Observation::ok()
    }
}

/// Answers after a fixed time, but stands still for the first `stall` of each `period`; requests that come meanwhile wait.
#[derive(Debug)]
pub struct Stall {
    period: Duration,
    standing: Duration,
    service: Duration,
    start: OnceLock<Instant>,
    turn: Option<tokio::sync::Mutex<()>>,
}

impl Stall {
    /// Standing still begins with the first request, or with [`Stall::begin`].
    #[must_use]
    pub fn new(period: Duration, stall: Duration, service: Duration) -> Self {
        Self { period, standing: stall, service, start: OnceLock::new(), turn: None }
    }

    /// Serves one at a time, so that requests queue behind the one that is stalled.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.turn = Some(tokio::sync::Mutex::new(()));
        self
    }

    /// Begins the first period now.
    pub fn begin(&self) {
        let _ = self.start.set(Instant::now());
    }
}

#[async_trait]
impl Target for Stall {
    async fn send(&self, _: &LoadRequest) -> Observation {
        let start = *self.start.get_or_init(Instant::now);
        let _turn = match &self.turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let into = start.elapsed().as_nanos() % self.period.as_nanos().max(1);
        let into = Duration::from_nanos(into as u64);
        tokio::time::sleep(self.standing.saturating_sub(into) + self.service).await;
        Observation::ok()
    }
}
