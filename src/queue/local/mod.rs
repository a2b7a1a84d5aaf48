//! The queue whose state is the pure core: in memory, or as a copy of a file that is written first.

mod backend;
mod look;
mod own;
mod own_on_file;
mod put;
mod settle;
mod store;
mod take;

use super::Lease;
use super::backend::QueueBackend;
use super::base::QueueBase;
use super::core::{Core, HandedOut};
use super::moment::Moment;
use super::options::QueueConfig;
use super::sqlite::{News, QueueFile, QueueWrite};
use crate::clock::Clock;
use crate::lock::Lock;
use crate::store::notice::Watch;
use crate::{Error, Result, blocking};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest sleep of a waiting call without a look at the state.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// How often a durable queue forgets what was finished long enough ago, and how much at once: a write of another
/// process waits behind it.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
const PURGE_AT_ONCE: usize = 1000;

pub(super) struct CoreQueue {
    base: QueueBase,
    /// Where the state is kept; None: in memory alone.
    pub(super) file: Option<QueueFile>,
    purged: Lock<Option<Duration>>,
}

impl Deref for CoreQueue {
    type Target = QueueBase;

    fn deref(&self) -> &QueueBase {
        &self.base
    }
}

impl CoreQueue {
    pub(super) fn in_memory(url: &str, config: QueueConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        let base = QueueBase::in_memory(url, config, clock);
        Arc::new(Self { base, file: None, purged: Lock::default() })
    }

    /// Continues where a file was left.
    pub(super) fn on_file(path: &Path, url: &str, config: QueueConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let file = Some(QueueFile::open(path, &config)?);
        let queue = Arc::new(Self { base: QueueBase::on_file(url, config, clock), file, purged: Lock::default() });
        blocking::block_on(queue.refresh())?;
        Ok(queue)
    }

    /// A lease on what was handed out here.
    pub(super) fn lease(self: &Arc<Self>, handed: HandedOut) -> Lease {
        let backend: Arc<dyn QueueBackend> = Arc::<Self>::clone(self);
        Lease::new(backend, handed)
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
            self.give_turns();
        }
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
    pub(super) fn notices(&self) -> Result<Option<Watch>> {
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
