//! What all handles of one queue share: the state, the file, and who waits for what.

use super::core::Core;
use super::moment::Moment;
use super::options::QueueConfig;
use super::outcomes::Outcomes;
use super::redis::RedisQueue;
use super::signal::Signal;
use super::sqlite::{News, QueueFile, QueueWrite};
use super::turns::WaitingTurns;
use crate::clock::Clock;
use crate::store::notice::Watch;
use crate::{Error, Result, blocking};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest sleep of a waiting call without a look at the state.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// How often a durable queue forgets what was finished long enough ago, and how much at once: a write of another
/// process waits behind it.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
const PURGE_AT_ONCE: usize = 1000;

pub(super) struct QueueInner {
    pub(super) url: String,
    pub(super) name: String,
    pub(super) bounded: bool,
    /// In memory the state, beside a file a copy of it.
    pub(super) core: Mutex<Core>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) file: Option<QueueFile>,
    /// The server that decides, in place of the core.
    pub(super) remote: Option<RedisQueue>,
    pub(super) ready: Signal,
    pub(super) room: Signal,
    pub(super) idle: Signal,
    pub(super) outcomes: Outcomes,
    pub(super) turns: WaitingTurns,
    /// The process whose thread says that this handle lives.
    pub(super) keeper: Mutex<u32>,
    purged: Mutex<Option<Duration>>,
}

impl QueueInner {
    pub(super) fn new(
        url: &str,
        config: QueueConfig,
        clock: Arc<dyn Clock>,
        file: Option<QueueFile>,
        remote: Option<RedisQueue>,
    ) -> Self {
        Self {
            url: url.to_owned(),
            name: config.name.clone(),
            bounded: config.max_size.is_some() || config.max_bytes.is_some(),
            core: Mutex::new(Core::new(config)),
            clock,
            file,
            remote,
            ready: Signal::new(),
            room: Signal::new(),
            idle: Signal::new(),
            outcomes: Outcomes::new(),
            turns: WaitingTurns::new(),
            keeper: Mutex::default(),
            purged: Mutex::default(),
        }
    }

    /// The time of the store: of a file, the wall's, which all processes share.
    pub(super) fn now(&self) -> Moment {
        if self.file.is_some() { self.clock.wall().into() } else { self.clock.monotonic().into() }
    }

    /// Whether requests are kept outside of this process.
    pub(super) fn is_durable(&self) -> bool {
        self.file.is_some() || self.remote.is_some()
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

    /// Tells of a change that is on disk.
    pub(super) fn tell(self: &Arc<Self>, news: News) {
        if !news.ended.is_empty() {
            let idle = self.core.lock().open_count() == 0;
            for id in &news.ended {
                self.wake_after_finish(*id, idle);
            }
        }
        if news.ready > 0 {
            self.ready.wake(news.ready);
        }
        if news.ready > 0 || !news.ended.is_empty() {
            self.dispatch();
        }
    }

    fn wall(&self) -> Duration {
        self.clock.wall()
    }

    pub(super) fn wall_ms(&self) -> u64 {
        u64::try_from(self.wall().as_millis()).unwrap_or(u64::MAX)
    }

    /// The wall time of a moment of the store.
    pub(super) fn to_wall(&self, moment: Moment) -> Duration {
        if self.is_durable() {
            return Duration::from_nanos(moment.nanos());
        }
        let (now, wall) = (self.now(), self.wall());
        wall.saturating_add(moment.since(now)).saturating_sub(now.since(moment))
    }

    /// Settles whatever is due in memory: scheduled work, deadlines, leases. Beside a file, that is written first.
    pub(super) fn settle_due(&self, core: &mut Core, now: Moment) {
        if self.file.is_some() {
            return;
        }
        core.forget_finished(now);
        if !core.is_something_due(now) {
            return;
        }
        while let Some(transition) = core.next_due(now, self.wall_ms()) {
            let (id, finished) = (transition.id, !transition.status.is_open());
            core.apply(transition, now);
            if finished {
                self.wake_after_finish(id, core.open_count() == 0);
            }
        }
    }

    /// What tells of changes that other processes make; None in memory.
    pub(super) fn watch(&self) -> Result<Option<Watch>> {
        self.file.as_ref().map(QueueFile::watch).transpose()
    }

    pub(super) async fn sleep(
        &self,
        notified: impl Future<Output = ()>,
        others: Option<&mut Watch>,
        next: Option<Moment>,
        until: Option<Moment>,
    ) {
        if others.is_none() && next.is_none() && until.is_none() {
            // In memory nothing happens that is not told: a timer would be set for nothing.
            return notified.await;
        }
        let now = self.now();
        let mut pause = LONGEST_SLEEP;
        for moment in [next, until].into_iter().flatten() {
            pause = pause.min(moment.since(now));
        }
        let told = async {
            match others {
                None => notified.await,
                Some(others) => tokio::select! {
                    () = notified => {}
                    () = others.changed() => {}
                },
            }
        };
        // The timer's grain is a millisecond: less would spin.
        let _ = tokio::time::timeout(pause.max(Duration::from_millis(1)), told).await;
    }

    /// Brings the copy of a file up to date, with what time has brought about by now. In memory that is no wait.
    pub(super) async fn refresh(self: &Arc<Self>) -> Result<()> {
        let Some(file) = &self.file else {
            let mut core = self.core.lock();
            self.settle_due(&mut core, self.now());
            return Ok(());
        };
        self.purge(file);
        self.read_on(file)?;
        let due = self.core.lock().is_something_due(self.now());
        if due || file.is_stale() { answer(self.change(file, |_| Ok(()), |_, ()| ())).await } else { Ok(()) }
    }

    /// The same on a thread that may wait.
    pub(super) fn refresh_and_wait(self: &Arc<Self>) -> Result<()> {
        blocking::block_on(self.refresh())
    }

    /// Takes in what other processes wrote.
    fn read_on(self: &Arc<Self>, file: &QueueFile) -> Result<()> {
        let ended = file.read_on(self)?;
        if !ended.is_empty() {
            self.tell(News { ended, ready: 1 });
        }
        Ok(())
    }

    fn purge(self: &Arc<Self>, file: &QueueFile) {
        let now = self.clock.monotonic();
        let mut purged = self.purged.lock();
        if purged.is_some_and(|at| now < at + PURGE_INTERVAL) {
            return;
        }
        *purged = Some(now);
        drop(purged);
        self.purge_some(file);
    }

    /// Forgets all that was finished long enough ago.
    pub(super) async fn purge_all(self: &Arc<Self>, file: &QueueFile) -> Result<()> {
        let (results, keys) = {
            let core = self.core.lock();
            (core.config().keep_results, core.config().keep_keys)
        };
        let some = move |change: &mut QueueWrite<'_>| change.purge(results, keys, PURGE_AT_ONCE);
        while answer(self.change(file, some, |_, more| more)).await? {}
        Ok(())
    }

    fn purge_some(self: &Arc<Self>, file: &QueueFile) {
        let (results, keys) = {
            let core = self.core.lock();
            (core.config().keep_results, core.config().keep_keys)
        };
        drop(self.change(
            file,
            move |change| change.purge(results, keys, PURGE_AT_ONCE),
            |inner, more| {
                if let Some(file) = inner.file.as_ref().filter(|_| more) {
                    inner.purge_some(file);
                }
            },
        ));
    }
}

/// Waits for an answer of the file.
pub(super) async fn answer<T>(pending: oneshot::Receiver<Result<T>>) -> Result<T> {
    pending.await.unwrap_or_else(|_| Err(Error::Store("the store was closed: open the queue again".into())))
}
