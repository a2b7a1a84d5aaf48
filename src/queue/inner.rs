//! What all handles of one queue share: the state, the store, and who waits for what.

use super::core::Core;
use super::journal::{self, Journal, Move};
use super::moment::Moment;
use super::options::QueueConfig;
use super::outcomes::Outcomes;
use super::signal::Signal;
use super::turns::Turns;
use crate::clock::Clock;
use crate::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// How often a durable queue looks for what other processes did.
const SYNC_INTERVAL: Duration = Duration::from_millis(20);
/// How far the two clocks may part: a lease is counted here on the monotonic one, on disk by the wall's.
const CLOCK_SLACK: Duration = Duration::from_millis(50);
/// The longest sleep of a waiting call without a look at the state.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// How often a durable queue forgets what was finished long enough ago.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);

pub(super) struct Inner {
    pub(super) url: String,
    pub(super) name: String,
    pub(super) bounded: bool,
    pub(super) core: Mutex<Core>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: Option<Box<dyn Journal>>,
    pub(super) ready: Signal,
    pub(super) room: Signal,
    pub(super) idle: Signal,
    pub(super) outcomes: Outcomes,
    pub(super) turns: Turns,
    purged: Mutex<Option<Duration>>,
}

impl Inner {
    pub(super) fn new(
        url: &str,
        config: QueueConfig,
        clock: Arc<dyn Clock>,
        journal: Option<Box<dyn Journal>>,
    ) -> Self {
        Self {
            url: url.to_owned(),
            name: config.name.clone(),
            bounded: config.max_size.is_some() || config.max_bytes.is_some(),
            core: Mutex::new(Core::new(config)),
            clock,
            journal,
            ready: Signal::new(),
            room: Signal::new(),
            idle: Signal::new(),
            outcomes: Outcomes::new(),
            turns: Turns::new(),
            purged: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.monotonic().into()
    }

    pub(super) fn check_open(&self, core: &Core) -> Result<()> {
        if core.closed { Err(self.closed()) } else { Ok(()) }
    }

    pub(super) fn closed(&self) -> Error {
        Error::QueueClosed(format!("queue {:?} is closed: open it again", self.name))
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

    pub(super) fn wall(&self) -> Duration {
        self.clock.wall()
    }

    pub(super) fn wall_ms(&self) -> u64 {
        u64::try_from(self.wall().as_millis()).unwrap_or(u64::MAX)
    }

    /// The wall time of a moment on the monotonic clock.
    pub(super) fn to_wall(&self, moment: Moment) -> Duration {
        let (now, wall) = (self.now(), self.wall());
        wall.saturating_add(moment.since(now)).saturating_sub(now.since(moment))
    }

    /// Settles whatever is due: scheduled work, deadlines, leases.
    pub(super) fn settle_due(&self, core: &mut Core, now: Moment) {
        core.forget_finished(now);
        if !core.is_something_due(now) {
            return;
        }
        while let Some(transition) = core.next_due(now, self.wall_ms()) {
            let (id, finished) = (transition.id, !transition.status.is_open());
            if let Some(journal) = &self.journal {
                // Not waited for: another process, or this one after a restart, finds it due as well.
                let mut change = Move::new(&transition, self.to_wall(transition.ready_at), self.wall());
                if core.is_lease_over(id, now) {
                    change.expired_by = Some(self.wall().saturating_add(CLOCK_SLACK));
                }
                drop(journal.transition(change));
            }
            core.apply(transition, now);
            if finished {
                self.wake_after_finish(id, core.open_count() == 0);
            }
        }
    }

    /// Believes the file about requests that were not here what they are there.
    pub(super) fn reload(&self, ids: &[u64]) -> Result<()> {
        let Some(journal) = self.journal.as_ref().filter(|_| !ids.is_empty()) else { return Ok(()) };
        let now = self.now();
        let mut core = self.core.lock();
        for &id in ids {
            core.forget(id, now);
        }
        drop(core);
        self.merge(journal.rows(ids)?);
        Ok(())
    }

    pub(super) async fn sleep(&self, notified: impl Future<Output = ()>, next: Option<Moment>, until: Option<Moment>) {
        if self.journal.is_none() && next.is_none() && until.is_none() {
            // In memory nothing happens that is not told: a timer would be set for nothing.
            return notified.await;
        }
        let now = self.now();
        let mut pause = LONGEST_SLEEP;
        for moment in [next, until].into_iter().flatten() {
            pause = pause.min(moment.since(now));
        }
        if self.journal.is_some() {
            pause = pause.min(SYNC_INTERVAL);
        }
        // The timer's grain is a millisecond: less would spin.
        let _ = tokio::time::timeout(pause.max(Duration::from_millis(1)), notified).await;
    }

    /// Takes in what other processes did to the file.
    pub(super) fn sync(&self) -> Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        self.purge(journal.as_ref());
        self.merge(journal.changes()?);
        Ok(())
    }

    fn merge(&self, rows: Vec<journal::Row>) {
        if rows.is_empty() {
            return;
        }
        let (now, wall) = (self.now(), self.wall());
        let mut finished = Vec::new();
        let mut core = self.core.lock();
        for row in rows {
            if let Some(id) = core.merge(row, now, wall) {
                finished.push(id);
            }
        }
        let idle = core.open_count() == 0;
        drop(core);
        for id in finished {
            self.wake_after_finish(id, idle);
        }
        self.ready.wake(1);
    }

    fn purge(&self, journal: &dyn Journal) {
        let now = self.clock.monotonic();
        let mut purged = self.purged.lock();
        if purged.is_some_and(|at| now < at + PURGE_INTERVAL) {
            return;
        }
        *purged = Some(now);
        let (wall, core) = (self.wall(), self.core.lock());
        let before = |keep| wall.saturating_sub(keep);
        drop(journal.purge(before(core.config().keep_results), before(core.config().keep_keys)));
    }
}
