//! The open loop: requests go out when they are due.

use super::pace::{Pacing, Stop};
use super::{ProgressWatch, Reporter, Run, one};
use crate::load::arrival::Arrivals;
use crate::load::record::{Disposition, Progress, Recorder};
use crate::load::request::LoadRequest;
use crate::load::target::Target;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How an open loop runs.
#[derive(Debug, Clone)]
pub struct Open {
    /// When requests are due.
    pub arrivals: Arrivals,
    /// The seed of the arrivals.
    pub seed: u64,
    /// No request is due at or after this.
    pub length: Option<Duration>,
    /// No more requests than this are due.
    pub requests: Option<u64>,
    /// A request that is due while so many are in flight is shed: counted, not sent.
    pub max_in_flight: usize,
    /// When a request counts as failed, from its sending.
    pub timeout: Option<Duration>,
    /// How long the last requests may take after the last was due; what is left is unfinished.
    pub drain: Duration,
    /// By how much the generator may be late before the run is void.
    pub max_lag: Duration,
    /// Who keeps the time.
    pub pacing: Pacing,
}

impl Open {
    /// The usual settings: 10,000 in flight, 30 s of patience, 10 ms of lag.
    #[must_use]
    pub fn new(arrivals: Arrivals) -> Self {
        Self {
            arrivals,
            seed: 0,
            length: None,
            requests: None,
            max_in_flight: 10_000,
            timeout: Some(Duration::from_secs(30)),
            drain: Duration::from_secs(30),
            max_lag: Duration::from_millis(10),
            pacing: Pacing::Thread,
        }
    }
}

/// Sends `requests` to `target` when they are due, until the plan, the time or the workload ends.
///
/// Progress can be watched; dropping the future stops the run.
///
/// # Errors
/// Nothing would end the run, or no request may be in flight.
pub async fn open(
    target: Arc<dyn Target>,
    requests: impl Iterator<Item = Arc<LoadRequest>> + Send + 'static,
    options: Open,
    progress: watch::Sender<Progress>,
) -> Result<Run> {
    if options.length.is_none() && options.requests.is_none() && options.arrivals.length().is_none() {
        return Err(Error::invalid("the run has no end: give a length, a number of requests, or stages with a length"));
    }
    if options.max_in_flight == 0 {
        return Err(Error::invalid("max_in_flight is 0: nothing could be sent, give at least 1"));
    }
    let recorder = Arc::new(Recorder::new(Instant::now()));
    let _reporter = Reporter::start(Arc::clone(&recorder), progress);
    let stop = Stop::default();
    let _guard = stop.guard();
    let (max_lag, pacing) = (options.max_lag, options.pacing);
    let work = dispatch(target, requests, options, Arc::clone(&recorder), stop, tokio::runtime::Handle::current());
    match pacing {
        Pacing::Runtime => work.await,
        Pacing::Thread => on_a_thread(work).await?,
    }
    Ok(Run::new(recorder.take(), true, max_lag))
}

/// Runs `work` on a thread of its own, which it may block.
async fn on_a_thread(work: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let handle = tokio::runtime::Handle::current();
    let (done, wait) = oneshot::channel();
    std::thread::Builder::new()
        .name("headrace-load".into())
        .spawn(move || {
            handle.block_on(work);
            let _ = done.send(());
        })
        .map_err(|error| Error::Config(format!("no thread for the load generator: {error}")))?;
    wait.await.map_err(|_| Error::Config("the load generator's thread ended before the run".into()))
}

async fn dispatch(
    target: Arc<dyn Target>,
    mut requests: impl Iterator<Item = Arc<LoadRequest>> + Send,
    options: Open,
    recorder: Arc<Recorder>,
    stop: Stop,
    runtime: tokio::runtime::Handle,
) {
    let mut flying = JoinSet::new();
    let limit = options.requests.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    for arrival in options.arrivals.plan(options.seed).take(limit) {
        if options.length.is_some_and(|length| arrival.at >= length) {
            break;
        }
        let Some(mut request) = requests.next() else { break };
        if let Some((input, output)) = arrival.tokens {
            request = Arc::new(LoadRequest { input_tokens: input, output_tokens: output, ..(*request).clone() });
        }
        if !options.pacing.until(recorder.start + arrival.at, &stop).await {
            return;
        }
        while flying.try_join_next().is_some() {}
        let now = Instant::now();
        if flying.len() >= options.max_in_flight {
            recorder.begin(&request, arrival.at, now, Disposition::Shed);
            continue;
        }
        let place = recorder.begin(&request, arrival.at, now, Disposition::Unfinished);
        let task = one(Arc::clone(&target), Arc::clone(&recorder), place, request, options.timeout);
        flying.spawn_on(task, &runtime);
    }
    let deadline = Instant::now() + options.drain;
    while !flying.is_empty() && !stop.is_set() {
        // In slices, so that a caller who has gone away is noticed.
        let slice = Instant::now() + Duration::from_millis(50);
        let ended = tokio::time::timeout_at(slice.min(deadline), flying.join_next()).await;
        if ended.is_err() && Instant::now() >= deadline {
            break;
        }
    }
}

/// A channel for [`open`] and [`super::closed`] to report on.
#[must_use]
pub fn watched() -> (watch::Sender<Progress>, ProgressWatch) {
    watch::channel(Progress::default())
}
