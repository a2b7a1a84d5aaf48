//! A piece of time in which the rate is constant or changes in a straight line.

use crate::{Error, Result};
use std::time::Duration;

/// A rate over a piece of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// How long.
    pub length: Duration,
    /// Requests a second at its start.
    pub from: f64,
    /// Requests a second at its end.
    pub to: f64,
}

impl Stage {
    /// The same rate all the time.
    #[must_use]
    pub fn steady(rate: f64, length: Duration) -> Self {
        Self { length, from: rate, to: rate }
    }

    /// A rate that rises or falls in a straight line.
    #[must_use]
    pub fn ramp(from: f64, to: f64, length: Duration) -> Self {
        Self { length, from, to }
    }

    pub(super) fn check(&self) -> Result<()> {
        for rate in [self.from, self.to] {
            if !(rate.is_finite() && rate >= 0.0) {
                return Err(Error::invalid(format!(
                    "the rate is {rate}: give requests a second, finite, not negative"
                )));
            }
        }
        Ok(())
    }

    /// How many requests are due in it.
    pub(super) fn requests(&self) -> f64 {
        self.length.as_secs_f64() * f64::midpoint(self.from, self.to)
    }

    /// After how many seconds `due` requests are due; `None` when it is over before.
    pub(super) fn invert(&self, due: f64) -> Option<f64> {
        let requests = self.requests();
        if requests <= 0.0 || (due > 0.0 && due >= requests) {
            return None;
        }
        let length = self.length.as_secs_f64();
        // due = from t + (to - from) t² / 2 length, solved in the form that loses no digits.
        let slope = (self.to - self.from) / length;
        let root = (self.from * self.from + 2.0 * slope * due).max(0.0).sqrt();
        let seconds = if due <= 0.0 { 0.0 } else { 2.0 * due / (self.from + root) };
        (seconds < length).then_some(seconds)
    }
}

/// Weights of the hours of an office day, its mean 1: two peaks around noon, little at night. An assumption, not measured.
const DAY: [f64; 24] = [
    0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.4, 0.9, 1.7, 2.3, 2.5, 2.2, 1.5, 1.9, 2.4, 2.3, 1.9, 1.3, 0.8, 0.5, 0.3, 0.2, 0.1,
    0.1,
];

/// Weights of the months of a reporting year: annual reports in February to April, half-year figures in August. Assumed.
const SEASON: [f64; 12] = [1.3, 2.1, 2.4, 1.6, 0.8, 0.6, 0.6, 0.9, 0.5, 0.4, 0.3, 0.5];

/// A day of office hours in `length`, at `rate` requests a second on average.
#[must_use]
pub fn day(rate: f64, length: Duration) -> Vec<Stage> {
    shape(&DAY, rate, length)
}

/// A reporting year in `length`, at `rate` requests a second on average.
#[must_use]
pub fn season(rate: f64, length: Duration) -> Vec<Stage> {
    shape(&SEASON, rate, length)
}

/// Straight lines between the weights, the last joined to the first.
fn shape(weights: &[f64], rate: f64, length: Duration) -> Vec<Stage> {
    let scale = rate * weights.len() as f64 / weights.iter().sum::<f64>();
    let piece = length / weights.len() as u32;
    let ends = weights.iter().skip(1).chain(weights.first());
    weights.iter().zip(ends).map(|(from, to)| Stage::ramp(from * scale, to * scale, piece)).collect()
}
