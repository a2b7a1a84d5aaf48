//! What a queue has whatever keeps it: its settings, its clock, and who waits for what in this process.

use super::core::Core;
use super::moment::Moment;
use super::options::QueueConfig;
use super::outcomes::Outcomes;
use super::signal::Signal;
use super::turns::WaitingTurns;
use crate::clock::Clock;
use crate::lock::Lock;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// What all handles of one queue share in this process.
pub(super) struct QueueBase {
    pub(super) url: String,
    pub(super) name: String,
    pub(super) bounded: bool,
    /// In memory the state, beside a file a copy of it; where a server decides, no more than settings, meters and names.
    pub(super) core: Lock<Core>,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether requests are kept outside of this process.
    pub(super) durable: bool,
    /// Whether moments are the wall's, which all processes share.
    by_wall: bool,
    pub(super) ready: Signal,
    pub(super) room: Signal,
    pub(super) idle: Signal,
    pub(super) outcomes: Outcomes,
    pub(super) turns: WaitingTurns,
    /// The process whose thread says that this handle lives.
    pub(super) keeper: Lock<u32>,
}

impl QueueBase {
    pub(super) fn in_memory(url: &str, config: QueueConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            url: url.to_owned(),
            name: config.name.clone(),
            bounded: config.max_size.is_some() || config.max_bytes.is_some(),
            core: Lock::new(Core::new(config)),
            clock,
            durable: false,
            by_wall: false,
            ready: Signal::new(),
            room: Signal::new(),
            idle: Signal::new(),
            outcomes: Outcomes::new(),
            turns: WaitingTurns::new(),
            keeper: Lock::default(),
        }
    }

    /// Beside a file, whose moments are the wall's.
    pub(super) fn on_file(url: &str, config: QueueConfig, clock: Arc<dyn Clock>) -> Self {
        Self { durable: true, by_wall: true, ..Self::in_memory(url, config, clock) }
    }

    /// For a server, which has a clock of its own.
    pub(super) fn on_server(url: &str, config: QueueConfig, clock: Arc<dyn Clock>) -> Self {
        Self { durable: true, ..Self::in_memory(url, config, clock) }
    }

    pub(super) fn now(&self) -> Moment {
        if self.by_wall { self.clock.wall().into() } else { self.clock.monotonic().into() }
    }

    pub(super) fn check_open(&self, core: &Core) -> Result<()> {
        if core.closed { Err(self.closed()) } else { Ok(()) }
    }

    pub(super) fn closed(&self) -> Error {
        Error::QueueClosed(format!("queue {:?} is closed: open it again", self.name))
    }

    /// Ends it for all who share it, and for all who wait.
    pub(super) fn close(&self) {
        self.core.lock().closed = true;
        self.turns.forget_all();
        self.ready.wake_all();
        self.room.wake_all();
        self.idle.wake_all();
        self.outcomes.wake_all();
    }

    /// Tells of a request that has ended. The state may be locked: what waits for a turn of its own is for `dispatch`.
    pub(super) fn wake_after_finish(&self, id: u64, idle: bool) {
        self.turns.forget(id);
        self.outcomes.wake(id);
        self.ready.wake(1);
        self.room.wake_all();
        if idle {
            self.idle.wake_all();
        }
    }

    pub(super) fn wall_ms(&self) -> u64 {
        u64::try_from(self.clock.wall().as_millis()).unwrap_or(u64::MAX)
    }

    /// The wall time of a moment of the store.
    pub(super) fn to_wall(&self, moment: Moment) -> Duration {
        if self.durable {
            return Duration::from_nanos(moment.nanos());
        }
        let (now, wall) = (self.now(), self.clock.wall());
        wall.saturating_add(moment.since(now)).saturating_sub(now.since(moment))
    }
}
