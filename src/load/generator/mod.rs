//! Sending a workload to a target, and noting what happens.
//!
//! [`open`] sends when requests are due, whatever became of the ones before: what users of a service do.
//! [`closed`] lets a fixed number of users wait for their answers: what a batch job does.

mod closed;
mod open;
mod pace;

pub use closed::{Closed, Think, closed};
pub use open::{Open, open, watched};
pub use pace::Pacing;

use super::histogram::Histogram;
use super::observation::Observation;
use super::record::{Disposition, Progress, Recorder, RunRecord};
use super::request::LoadRequest;
use super::target::Target;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// What was kept of each request.
    pub record: RunRecord,
    /// From the start to the end of the last request.
    pub length: Duration,
    /// Why nothing may be concluded from the run, if so: the generator was the bottleneck.
    pub void: Option<String>,
    /// Whether requests were sent when due, not when the one before had ended.
    pub is_open: bool,
}

/// Sends one request and notes what comes of it.
async fn one(
    target: Arc<dyn Target>,
    recorder: Arc<Recorder>,
    place: u32,
    request: Arc<LoadRequest>,
    limit: Option<Duration>,
) {
    let observation = match limit {
        None => target.send(&request).await,
        Some(limit) => match tokio::time::timeout(limit, target.send(&request)).await {
            Ok(observation) => observation,
            Err(_) => Observation::failed("timeout"),
        },
    };
    recorder.finish(place, &request, observation);
}

/// Where a caller looks how far a run is.
pub type ProgressWatch = watch::Receiver<Progress>;

/// Publishes progress until dropped.
struct Reporter(tokio::task::JoinHandle<()>);

impl Reporter {
    fn start(recorder: Arc<Recorder>, sender: watch::Sender<Progress>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                sender.send_replace(recorder.progress());
            }
        }))
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Run {
    fn new(record: RunRecord, is_open: bool, max_lag: Duration) -> Self {
        let last = record.samples.iter().map(|sample| sample.end).max().unwrap_or(0);
        let sent = record.samples.iter().filter(|sample| sample.status != Disposition::Shed);
        let lag: Histogram = sent.map(super::record::Sample::lag).collect();
        // With few requests the 99th percentile is the largest, and one late timer would void the run: then the 95th.
        let share = if lag.count() >= 299 { 0.99 } else { 0.95 };
        let typical = lag.quantile(share).unwrap_or(0);
        let void = (u128::from(typical) > max_lag.as_nanos()).then(|| {
            format!(
                "the generator was late by {:.1} ms at its {}th percentile, {:.1} ms are allowed: \
                 lower the rate, or give the generator more CPU",
                typical as f64 / 1e6,
                share * 100.0,
                max_lag.as_secs_f64() * 1e3
            )
        });
        Self { record, length: Duration::from_nanos(last), void, is_open }
    }
}
