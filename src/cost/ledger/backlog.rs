//! Records that could not be written yet: kept in memory, and written when the ledger can be written again.

use super::{LedgerStore, Written};
use crate::cost::deferred::Deferred;
use crate::cost::record::CostRecord;
use crate::lock::{Lock, Locked};
use crate::{Error, Result, process};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a caller waits for a ledger, where going on without it is better.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries to write what is kept: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// The most records that are kept: from then on no call is let in, so that none is paid that cannot be booked.
pub(crate) const MOST_KEPT: usize = 100_000;

/// What is told of a record that was written late.
pub(crate) type OnWritten = Arc<dyn Fn(&Written) + Send + Sync>;

/// The records of a ledger that wait to be written. They belong to the process that made them: a forked child leaves them
/// to its parent.
pub(crate) struct Backlog {
    store: Arc<dyn LedgerStore>,
    waiting: Lock<Waiting>,
}

struct Waiting {
    process: u32,
    kept: VecDeque<Kept>,
    is_served: bool,
    /// How often somebody asked for another try.
    asked: u64,
    /// The threads that wait for a change. They sleep outside of the lock: a fork waits for nobody who sleeps.
    sleepers: Vec<Thread>,
}

impl Waiting {
    fn of_this_process() -> Self {
        let (kept, sleepers) = (VecDeque::new(), Vec::new());
        Self { process: process::id(), kept, is_served: false, asked: 0, sleepers }
    }

    /// Wakes all who wait for a change.
    fn wake(&mut self) {
        self.sleepers.drain(..).for_each(|thread| thread.unpark());
    }
}

/// A record that is not known to be on disk.
struct Kept {
    record: Arc<CostRecord>,
    hold: Option<u64>,
    nonce: u64,
    now: i64,
    on_written: OnWritten,
    /// The answer of a write that is under way.
    answer: Option<Deferred<Written>>,
}

/// Every backlog that has had something in it, for the end of the process.
static ALL: Lock<Vec<Weak<Backlog>>> = Lock::new(Vec::new());

/// The answer, or nothing where it takes longer than going on without is worth. Outside of a runtime it waits.
pub(crate) async fn within_patience<T: Send + 'static>(answer: &mut Deferred<T>) -> Option<Result<T>> {
    if answer.is_ready() || tokio::runtime::Handle::try_current().is_err() {
        return Some(answer.await);
    }
    tokio::time::timeout(PATIENCE, answer).await.ok()
}

impl std::fmt::Debug for Backlog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backlog").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Backlog {
    pub(crate) fn new(store: Arc<dyn LedgerStore>) -> Self {
        Self { store, waiting: Lock::new(Waiting::of_this_process()) }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        let waiting = self.waiting.lock();
        if waiting.process == process::id() { waiting.kept.len() } else { 0 }
    }

    /// Refuses calls that could not be booked any more.
    pub(crate) fn check(&self) -> Result<()> {
        if self.len() < MOST_KEPT {
            return Ok(());
        }
        Err(Error::Store(format!(
            "{MOST_KEPT} records wait to be written to the ledger: no further call is let in until it can be written again"
        )))
    }

    /// Keeps a record whose write failed, or is still under way with `answer`.
    pub(crate) fn keep(
        self: &Arc<Self>,
        record: Arc<CostRecord>,
        hold: Option<u64>,
        nonce: u64,
        now: i64,
        answer: Option<Deferred<Written>>,
        on_written: OnWritten,
    ) {
        let mut waiting = self.of_this_process();
        waiting.kept.push_back(Kept { record, hold, nonce, now, on_written, answer });
        if waiting.is_served {
            return;
        }
        waiting.is_served = true;
        drop(waiting);
        let mut all = ALL.lock();
        all.retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(self)));
        all.push(Arc::downgrade(self));
        drop(all);
        let served = Arc::clone(self);
        let thread = std::thread::Builder::new().name("headrace-ledger".into()).spawn(move || served.serve());
        if let Err(error) = thread {
            // The next write tries again.
            tracing::error!(%error, "no thread to write what the ledger could not take");
            self.waiting.lock().is_served = false;
        }
    }

    /// Lets what waits be written before what is written next.
    pub(crate) fn write_first(&self) {
        let mut waiting = self.waiting.lock();
        if waiting.kept.is_empty() || waiting.process != process::id() {
            return;
        }
        for kept in waiting.kept.iter_mut().filter(|kept| kept.answer.is_none()) {
            kept.answer = Some(self.store.settle(&kept.record, kept.hold, kept.nonce, kept.now));
        }
        waiting.asked += 1;
        waiting.wake();
    }

    /// Writes what waits; how many still do when the time is over.
    pub(crate) fn flush(&self, patience: Option<Duration>) -> usize {
        let until = patience.map(|patience| Instant::now() + patience);
        self.write_first();
        self.sleep(until, |waiting| waiting.kept.is_empty() || waiting.process != process::id());
        self.len()
    }

    /// Waits until what waits `is_so`, or the time is over.
    fn sleep(&self, until: Option<Instant>, is_so: impl Fn(&Waiting) -> bool) {
        loop {
            let mut waiting = self.waiting.lock();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if is_so(&waiting) || left.is_some_and(|left| left.is_zero()) {
                return;
            }
            let own = std::thread::current();
            if waiting.sleepers.iter().all(|thread| thread.id() != own.id()) {
                waiting.sleepers.push(own);
            }
            drop(waiting);
            left.map_or_else(std::thread::park, std::thread::park_timeout);
        }
    }

    /// The records that are kept, with what is set aside for each, for who counts them in.
    pub(crate) fn records(&self) -> Vec<(Arc<CostRecord>, bool)> {
        let waiting = self.waiting.lock();
        if waiting.process != process::id() {
            return Vec::new();
        }
        waiting.kept.iter().map(|kept| (Arc::clone(&kept.record), kept.hold.is_some())).collect()
    }

    fn of_this_process(&self) -> Locked<'_, Waiting> {
        let mut waiting = self.waiting.lock();
        if waiting.process != process::id() {
            *waiting = Waiting::of_this_process();
        }
        waiting
    }

    /// The work of the thread: the oldest first, until nothing is kept.
    fn serve(&self) {
        let mut pause = PAUSES.0;
        loop {
            let mut waiting = self.waiting.lock();
            let Some(first) = waiting.kept.front_mut() else {
                waiting.is_served = false;
                waiting.wake();
                return;
            };
            let answer = first.answer.take();
            let (record, hold, nonce, now) = (Arc::clone(&first.record), first.hold, first.nonce, first.now);
            // While it is under way, nobody else must write it too.
            first.answer = Some(Deferred::ready(Err(Error::Store("under way".into()))));
            drop(waiting);
            let written = answer.unwrap_or_else(|| self.store.settle(&record, hold, nonce, now)).wait();
            let mut waiting = self.waiting.lock();
            match written {
                Err(error @ Error::Store(_)) => {
                    tracing::warn!(%error, waiting = waiting.kept.len(), "the ledger still cannot be written");
                    if let Some(first) = waiting.kept.front_mut() {
                        first.answer = None;
                    }
                    let asked = waiting.asked;
                    drop(waiting);
                    self.sleep(Some(Instant::now() + pause), |waiting| waiting.asked != asked);
                    pause = (pause * 2).min(PAUSES.1);
                }
                answered => {
                    pause = PAUSES.0;
                    let done = waiting.kept.pop_front();
                    waiting.wake();
                    drop(waiting);
                    match (answered, done) {
                        (Ok(written), Some(done)) => (done.on_written)(&written),
                        (Err(error), _) => tracing::error!(%error, "a record cannot be written and is lost"),
                        (Ok(_), None) => {}
                    }
                }
            }
        }
    }
}

/// Writes what waits in any ledger of this process, as it ends; how many records are lost.
pub fn flush_all(patience: Duration) -> usize {
    let until = Instant::now() + patience;
    let all: Vec<_> = ALL.lock().iter().filter_map(Weak::upgrade).collect();
    let left = |backlog: &Arc<Backlog>| backlog.flush(Some(until.saturating_duration_since(Instant::now())));
    let lost = all.iter().map(left).sum();
    if lost > 0 {
        tracing::error!(lost, "records were never written to the ledger");
    }
    lost
}
