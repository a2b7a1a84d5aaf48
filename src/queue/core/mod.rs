//! The queue as a state machine: no threads, no clock, no disk. Every call is told what time it is.

mod again;
mod arrive;
mod due;
mod follow;
mod leave;
mod look;
mod merge;

pub(super) use again::Route;
pub(super) use follow::Departure;
pub(super) use leave::lost;
pub(super) use look::unknown;

use super::entry::{Failure, QueuedRequest, Status};
use super::finished::Finished;
use super::flow::{FlowId, Flows};
use super::limit::Limiter;
use super::moment::Moment;
use super::options::{Priority, QueueConfig};
use super::owner::Owners;
use super::pages::IdPages;
use super::schedule::Schedule;
use super::timers::Timers;
use crate::Payload;
use crate::metrics::DurationHistogram;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What a worker is given.
#[derive(Debug, Clone)]
pub(super) struct HandedOut {
    pub(super) id: u64,
    pub(super) attempt: u32,
    pub(super) payload: Option<Payload>,
    pub(super) priority: Priority,
    pub(super) flow: FlowId,
    /// The handle that put it for itself.
    pub(super) owner: u64,
    /// It was put by one that has died, and adopted.
    pub(super) is_orphan: bool,
    /// The class that it left, and the tokens that it was expected to take.
    pub(super) class: u8,
    pub(super) tokens: u64,
    pub(super) enqueued: Moment,
    pub(super) waited: Duration,
    /// When it was handed out.
    pub(super) since: Moment,
}

/// What became of a nack, an expiry or a requeue, for the store.
#[derive(Debug, Clone)]
pub(super) struct Transition {
    pub(super) id: u64,
    pub(super) status: Status,
    pub(super) ready_at: Moment,
    pub(super) history: Vec<Failure>,
    pub(super) result: Option<Payload>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Meters {
    pub(super) enqueue: DurationHistogram,
    /// What a put in memory took that was measured last.
    enqueued_in: Duration,
    pub(super) wait: DurationHistogram,
    pub(super) run: DurationHistogram,
    pub(super) put: u64,
    pub(super) acked: u64,
    pub(super) retried: u64,
    pub(super) expired: u64,
}

impl Meters {
    /// Counts a put in memory. It takes no longer than to ask the clock, so that only those that had to wait for another
    /// caller and one in sixteen are measured; the rest count as the last of these sixteenths.
    pub(super) fn count_put(&mut self, had_to_wait: bool, took: impl FnOnce() -> Duration) {
        if had_to_wait {
            return self.enqueue.record(took());
        }
        if self.put % 16 == 1 {
            self.enqueued_in = took();
        }
        self.enqueue.record(self.enqueued_in);
    }
}

/// Requests that are open or dead. A page of a dozen or two is soon full, and soon empty again.
pub(super) type Entries = IdPages<QueuedRequest, 16>;

pub(super) struct Core {
    config: QueueConfig,
    entries: Entries,
    finished: Finished,
    keys: HashMap<Arc<str>, u64>,
    schedule: Schedule,
    limiter: Limiter,
    flows: Flows,
    pub(super) owners: Owners,
    scheduled: Timers<u64>,
    leases: Timers<(u64, u32)>,
    deadlines: Timers<u64>,
    /// Open and dead requests, by status.
    counts: [usize; Status::ALL.len()],
    bytes: usize,
    next_id: u64,
    next_order: u64,
    jitter: SmallRng,
    pub(super) meters: Meters,
    pub(super) paused: bool,
    pub(super) closed: bool,
}

impl Core {
    /// Bounds how many requests to a provider are leased at once.
    pub(super) fn throttle(&mut self, provider: Arc<str>, most: u64) {
        if self.limiter.throttle(provider, most) {
            self.flows.count_anew(&mut self.limiter);
        }
    }

    pub(super) fn new(config: QueueConfig) -> Self {
        Self {
            entries: Entries::default(),
            finished: Finished::new(config.keep_results, config.keep_keys),
            keys: HashMap::new(),
            schedule: Schedule::new(config.ageing),
            limiter: Limiter::new(&config.limits),
            flows: Flows::new(&config.weights),
            owners: Owners::default(),
            scheduled: Timers::default(),
            leases: Timers::default(),
            deadlines: Timers::default(),
            counts: [0; Status::ALL.len()],
            bytes: 0,
            next_id: 1,
            next_order: 1,
            jitter: config.seed.map_or_else(SmallRng::from_os_rng, SmallRng::seed_from_u64),
            meters: Meters::default(),
            paused: false,
            closed: false,
            config,
        }
    }

    pub(super) fn config(&self) -> &QueueConfig {
        &self.config
    }
}
