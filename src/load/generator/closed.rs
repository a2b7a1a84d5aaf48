//! The closed loop: users who wait for their answers.

use super::{Reporter, Run, one};
use crate::load::record::{Disposition, Progress, Recorder};
use crate::load::request::LoadRequest;
use crate::load::rng::Rng;
use crate::load::target::Target;
use crate::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long a user thinks between an answer and the next question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Think {
    /// Always as long.
    Fixed(Duration),
    /// Exponential around a mean.
    Exponential(Duration),
}

/// How a closed loop runs.
#[derive(Debug, Clone)]
pub struct Closed {
    /// How many ask at once.
    pub users: usize,
    /// How many questions each asks; `None` as many as the time allows.
    pub per_user: Option<u64>,
    /// No question is asked at or after this.
    pub length: Option<Duration>,
    /// The time between an answer and the next question.
    pub think: Think,
    /// The users begin one after the other over this time.
    pub ramp: Duration,
    /// The seed of the thinking.
    pub seed: u64,
    /// When a request counts as failed.
    pub timeout: Option<Duration>,
    /// By how much a request may be late in starting (a target's own workers) before the run is void.
    pub max_lag: Duration,
}

impl Closed {
    /// Users who do not think, all at once.
    #[must_use]
    pub fn new(users: usize, per_user: u64) -> Self {
        Self {
            users,
            per_user: Some(per_user),
            length: None,
            think: Think::Fixed(Duration::ZERO),
            ramp: Duration::ZERO,
            seed: 0,
            timeout: Some(Duration::from_secs(30)),
            max_lag: Duration::from_millis(10),
        }
    }
}

/// Lets users ask `target` the `requests`, dealt out in order.
///
/// Dropping the future stops the run.
///
/// # Errors
/// There is no user, or nothing would end the run.
pub async fn closed(
    target: Arc<dyn Target>,
    requests: impl Iterator<Item = Arc<LoadRequest>> + Send + 'static,
    options: Closed,
    progress: watch::Sender<Progress>,
) -> Result<Run> {
    if options.users == 0 {
        return Err(Error::invalid("users is 0: give at least 1"));
    }
    if options.per_user.is_none() && options.length.is_none() {
        return Err(Error::invalid("the run has no end: give requests per user or a length"));
    }
    let recorder = Arc::new(Recorder::new(Instant::now()));
    let _reporter = Reporter::start(Arc::clone(&recorder), progress);
    let requests = Arc::new(Mutex::new(requests));
    let max_lag = options.max_lag;
    let options = Arc::new(options);
    let mut users = JoinSet::new();
    for number in 0..options.users {
        let (target, recorder, options) = (Arc::clone(&target), Arc::clone(&recorder), Arc::clone(&options));
        let requests = Arc::clone(&requests);
        users.spawn(async move {
            let mut rng = Rng::stream(options.seed, &format!("user {number}"));
            tokio::time::sleep(options.ramp.mul_f64(number as f64 / options.users as f64)).await;
            for asked in 0..options.per_user.unwrap_or(u64::MAX) {
                if asked > 0 {
                    think(options.think, &mut rng).await;
                }
                let now = Instant::now();
                let at = now - recorder.start;
                if options.length.is_some_and(|length| at >= length) {
                    break;
                }
                let Some(request) = requests.lock().next() else { break };
                let place = recorder.begin(&request, at, now, Disposition::Unfinished);
                one(Arc::clone(&target), Arc::clone(&recorder), place, request, options.timeout).await;
            }
        });
    }
    while users.join_next().await.is_some() {}
    Ok(Run::new(recorder.take(), false, max_lag))
}

async fn think(time: Think, rng: &mut Rng) {
    let time = match time {
        Think::Fixed(time) => time,
        Think::Exponential(mean) => mean.mul_f64(rng.exponential()),
    };
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
