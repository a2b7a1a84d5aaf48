//! When requests are sent: constant, Poisson or in bursts, at a rate that may change, or as a trace says.
//!
//! An arrival process is drawn in operational time, where one request is due per unit on average, and carried to the
//! clock by the inverse of the cumulated rate; so each process works with each shape, exactly (Çinlar 1975).

mod stage;
mod trace;

pub use stage::{Stage, day, season};
pub use trace::Trace;

use super::rng::Rng;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// How regular arrivals are at a given rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Process {
    /// Evenly spaced.
    Constant,
    /// Independent of one another: exponential gaps, coefficient of variation 1.
    Poisson,
    /// In bursts (or, below 1, more regular than Poisson): gamma gaps of this coefficient of variation.
    /// Azure's conversation trace has 1.1, its code trace 13.
    Gamma(f64),
}

/// When one request is due, and how long the trace says it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Since the start.
    pub at: Duration,
    /// Input and output tokens, where arrivals come from a trace.
    pub tokens: Option<(u64, u64)>,
}

/// A plan of arrivals.
///
/// ```
/// use headrace::load::arrival::{Arrivals, Process};
/// let times: Vec<_> = Arrivals::steady(Process::Constant, 100.0)?.plan(0).take(3).map(|next| next.at.as_millis()).collect();
/// assert_eq!(times, [0, 10, 20]);
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Debug, Clone)]
pub enum Arrivals {
    /// Drawn.
    Drawn {
        /// How regular.
        process: Process,
        /// How many a second, over time.
        stages: Arc<[Stage]>,
    },
    /// Replayed.
    Replayed {
        /// The recording.
        trace: Trace,
        /// 2 is twice as fast as recorded.
        speed: f64,
    },
}

impl Arrivals {
    /// `rate` requests a second, without end.
    ///
    /// # Errors
    /// The rate or the coefficient of variation is not a positive number.
    pub fn steady(process: Process, rate: f64) -> Result<Self> {
        Self::staged(process, vec![Stage::steady(rate, Duration::MAX)])
    }

    /// A rate that changes: ramp, hold, spike.
    ///
    /// # Errors
    /// A rate is negative or not finite, all are 0, or the coefficient of variation is not positive.
    pub fn staged(process: Process, stages: Vec<Stage>) -> Result<Self> {
        if let Process::Gamma(cv) = process
            && !(cv.is_finite() && cv > 0.0)
        {
            return Err(Error::invalid(format!("cv is {cv}: give a positive number; 1 is Poisson")));
        }
        for stage in &stages {
            stage.check()?;
        }
        if stages.iter().all(|stage| stage.from <= 0.0 && stage.to <= 0.0) {
            return Err(Error::invalid("no stage has a rate above 0: nothing would be sent"));
        }
        Ok(Self::Drawn { process, stages: stages.into() })
    }

    /// As a trace says, `speed` times as fast.
    ///
    /// # Errors
    /// The speed is not a positive number.
    pub fn replayed(trace: Trace, speed: f64) -> Result<Self> {
        if !(speed.is_finite() && speed > 0.0) {
            return Err(Error::invalid(format!("speed is {speed}: give a positive number; 1 is as recorded")));
        }
        Ok(Self::Replayed { trace, speed })
    }

    /// How long the plan is; `None` without end.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        match self {
            Self::Drawn { stages, .. } => stages
                .iter()
                .try_fold(Duration::ZERO, |sum, stage| sum.checked_add(stage.length))
                .filter(|sum| *sum < Duration::from_secs(u64::from(u32::MAX))),
            Self::Replayed { trace, speed } => Some(trace.length().div_f64(*speed)),
        }
    }

    /// The arrivals, in order.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        Plan {
            arrivals: self.clone(),
            rng: Rng::stream(seed, "arrivals"),
            drawn: 0,
            due: 0.0,
            stage: 0,
            before: (0.0, 0.0),
        }
    }
}

/// The arrivals of a plan, one by one.
#[derive(Debug, Clone)]
pub struct Plan {
    arrivals: Arrivals,
    rng: Rng,
    drawn: usize,
    /// The next arrival in operational time.
    due: f64,
    stage: usize,
    /// Seconds and operational time before the current stage.
    before: (f64, f64),
}

impl Plan {
    fn gap(rng: &mut Rng, process: Process) -> f64 {
        match process {
            Process::Constant => 1.0,
            Process::Poisson => rng.exponential(),
            Process::Gamma(cv) => {
                let shape = 1.0 / (cv * cv);
                rng.gamma(shape) / shape
            }
        }
    }
}

impl Iterator for Plan {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let at = self.drawn;
        self.drawn += 1;
        let (process, stages) = match &self.arrivals {
            Arrivals::Replayed { trace, speed } => return trace.get(at, *speed),
            Arrivals::Drawn { process, stages } => (*process, stages),
        };
        // Constant arrivals begin with the first instant; the others with a gap, or the first would always be early.
        if process != Process::Constant || at > 0 {
            self.due += Self::gap(&mut self.rng, process);
        }
        loop {
            let stage = stages.get(self.stage)?;
            if let Some(seconds) = stage.invert(self.due - self.before.1) {
                return Some(Arrival { at: Duration::try_from_secs_f64(self.before.0 + seconds).ok()?, tokens: None });
            }
            self.before.0 += stage.length.as_secs_f64();
            self.before.1 += stage.requests();
            self.stage += 1;
        }
    }
}

#[cfg(test)]
mod tests;
