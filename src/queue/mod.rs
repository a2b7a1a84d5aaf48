//! The request queue: four priorities, ageing, tenants in turns, leases, limits; in memory or on a file.
//!
//! A request is put, handed out under a lease, and acked; what is not acked in time is handed out again, and what
//! fails too often goes to the dead letters. Delivery is at least once.
//!
//! ```
//! use headrace::Payload;
//! use headrace::queue::{PutOptions, QueueConfig, RequestQueue, Status};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let queue = RequestQueue::open("memory://", QueueConfig::default())?;
//! let id = queue.put_async(Payload::Bytes("scope 1, 2023".into()), PutOptions::default(), None).await?;
//! let lease = queue.get_async(None).await?;
//! assert_eq!(lease.payload().as_bytes(), "scope 1, 2023".as_bytes());
//! lease.ack_async(None, None).await?;
//! assert_eq!(queue.status(id)?, Status::Done);
//! # Ok::<(), headrace::Error>(())
//! # }).unwrap();
//! ```

mod control;
mod core;
mod entry;
mod journal;
mod lazy_heap;
mod lease;
mod limit;
mod options;
mod schedule;
mod signal;
mod sqlite;
mod stats;

pub use entry::{DeadLetter, Failure, RequestId, Status};
pub use lease::Lease;
pub use limit::{LimitRule, LimitScope};
pub use options::{Priority, PutOptions, QueueConfig};
pub use stats::QueueStats;

use crate::clock::{Clock, SystemClock};
use crate::store::Location;
use crate::{Error, Payload, Result};
use core::Core;
use journal::{Journal, Move, NewRequest};
use parking_lot::Mutex;
use signal::Signal;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How often a durable queue looks for what other processes did.
const SYNC_INTERVAL: Duration = Duration::from_millis(20);
/// How far the two clocks may part: a lease is counted here on the monotonic one, on disk by the wall's.
const CLOCK_SLACK: Duration = Duration::from_millis(50);
/// The longest sleep of a waiting call without a look at the state.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// How often a durable queue forgets what was finished long enough ago.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);

/// A request queue. Clones share it.
#[derive(Clone)]
pub struct RequestQueue {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    name: String,
    core: Mutex<Core>,
    clock: Arc<dyn Clock>,
    journal: Option<Box<dyn Journal>>,
    ready: Signal,
    room: Signal,
    idle: Signal,
    getters: AtomicUsize,
    putters: AtomicUsize,
    results: Mutex<HashMap<u64, Arc<Notify>>>,
    purged: Mutex<Option<Duration>>,
}

impl std::fmt::Debug for RequestQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestQueue")
            .field("url", &self.inner.url)
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

impl RequestQueue {
    /// Opens a queue: `memory://`, or `sqlite:///FILE`, which continues where it was left.
    ///
    /// # Errors
    /// `InvalidArgument` for a setting out of range, `Config` for the URL, `Store` where the file cannot be used.
    pub fn open(url: &str, config: QueueConfig) -> Result<Self> {
        Self::open_with_clock(url, config, Arc::new(SystemClock::default()))
    }

    /// The same, by a clock of the caller's.
    ///
    /// # Errors
    /// As [`RequestQueue::open`].
    pub fn open_with_clock(url: &str, config: QueueConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        config.validate()?;
        let journal: Option<Box<dyn Journal>> = match Location::parse(url)? {
            Location::Memory => None,
            Location::Sqlite(path) => Some(Box::new(sqlite::SqliteJournal::open(&path, &config)?)),
        };
        let inner = Inner {
            url: url.to_owned(),
            name: config.name.clone(),
            core: Mutex::new(Core::new(config)),
            clock,
            journal,
            ready: Signal::new(),
            room: Signal::new(),
            idle: Signal::new(),
            getters: AtomicUsize::new(0),
            putters: AtomicUsize::new(0),
            results: Mutex::default(),
            purged: Mutex::default(),
        };
        inner.sync()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The address it was opened with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Its name inside the store.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Whether requests are on disk when a put returns.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.inner.journal.is_some()
    }

    /// Puts into a queue in memory, at once.
    ///
    /// # Errors
    /// `QueueFull`, `QueueClosed`; `InvalidArgument` where the queue is durable: a put there waits for the disk.
    pub fn put(&self, payload: Payload, options: &PutOptions) -> Result<RequestId> {
        if self.is_durable() {
            return Err(Error::invalid("a durable put waits for the disk: use put_async"));
        }
        let inner = &self.inner;
        let started = inner.clock.monotonic();
        let mut core = inner.core.lock();
        inner.check_open(&core)?;
        if let Some(id) = options.key.as_deref().and_then(|key| core.id_of_key(key)) {
            return Ok(RequestId(id));
        }
        if !core.has_room(1, payload.len()) {
            inner.settle_due(&mut core, started);
            if !core.has_room(1, payload.len()) {
                return Err(core.full());
            }
        }
        let id = core.new_id();
        let size = payload.len();
        core.insert(id, Some(payload), size, options, started);
        let took = inner.clock.monotonic().saturating_sub(started);
        core.meters.enqueue.record(took);
        drop(core);
        inner.wake_getter();
        Ok(RequestId(id))
    }

    /// Puts one request; waits for room, and where the queue is durable for the disk.
    ///
    /// # Errors
    /// `QueueFull` where there is no room within `timeout` (None waits as long as it takes), `QueueClosed`, `Store`.
    pub async fn put_async(
        &self,
        payload: Payload,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<RequestId> {
        let ids = self.put_many_async(vec![payload], options, timeout).await?;
        ids.into_iter().next().ok_or_else(|| Error::Store("a put gave no id".into()))
    }

    /// Puts many requests with the same options, all or none. A `key` belongs to one request: give it with one only.
    ///
    /// # Errors
    /// As [`RequestQueue::put_async`]; `InvalidArgument` for a key with several payloads.
    pub async fn put_many_async(
        &self,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>> {
        if options.key.is_some() && payloads.len() > 1 {
            return Err(Error::invalid("key= names one request: put them one by one, each with its key"));
        }
        let inner = &self.inner;
        let started = inner.clock.monotonic();
        let bytes = payloads.iter().map(Payload::len).sum();
        inner.wait_for_room(payloads.len(), bytes, &options, timeout).await?;
        let Some(journal) = &inner.journal else {
            let mut core = inner.core.lock();
            if let Some(id) = options.key.as_deref().and_then(|key| core.id_of_key(key)) {
                return Ok(vec![RequestId(id)]);
            }
            let now = inner.clock.monotonic();
            let ids = payloads
                .into_iter()
                .map(|payload| {
                    let (id, size) = (core.new_id(), payload.len());
                    core.insert(id, Some(payload), size, &options, now);
                    RequestId(id)
                })
                .collect::<Vec<_>>();
            core.meters.enqueue.record(now.saturating_sub(started));
            drop(core);
            for _ in &ids {
                inner.wake_getter();
            }
            return Ok(ids);
        };
        let sizes: Vec<usize> = payloads.iter().map(Payload::len).collect();
        let max_attempts = options.max_attempts.unwrap_or_else(|| inner.core.lock().config().max_attempts);
        let new = NewRequest::all(payloads, &options, max_attempts, inner.wall());
        let stored = journal::answer(journal.put(new)).await?;
        let mut core = inner.core.lock();
        let now = inner.clock.monotonic();
        for (stored, size) in stored.iter().zip(sizes) {
            if stored.fresh && !core.contains(stored.id) {
                core.insert(stored.id, None, size, &options, now);
            }
        }
        core.meters.enqueue.record(now.saturating_sub(started));
        drop(core);
        for _ in &stored {
            inner.wake_getter();
        }
        Ok(stored.into_iter().map(|stored| RequestId(stored.id)).collect())
    }

    /// Hands out the next request of a queue in memory, if there is one now.
    ///
    /// # Errors
    /// `QueueClosed`; `InvalidArgument` where the queue is durable: a hand-out there waits for the disk.
    pub fn try_get(&self) -> Result<Option<Lease>> {
        if self.is_durable() {
            return Err(Error::invalid("a durable get waits for the disk: use get_async"));
        }
        let inner = &self.inner;
        let mut core = inner.core.lock();
        inner.check_not_closed(&core)?;
        let now = inner.clock.monotonic();
        inner.settle_due(&mut core, now);
        Ok(core.pop(now).map(|handed| Lease::new(inner, handed)))
    }

    /// Hands out up to `most` requests of a queue in memory, as many as there are now.
    ///
    /// # Errors
    /// As [`RequestQueue::try_get`].
    pub fn try_get_many(&self, most: usize) -> Result<Vec<Lease>> {
        if self.is_durable() {
            return Err(Error::invalid("a durable get waits for the disk: use get_many_async"));
        }
        Ok(self.inner.take(most)?.0)
    }

    /// Hands out the next request, waiting for one.
    ///
    /// # Errors
    /// `Timeout` where none comes in time, `QueueClosed`, `Store`.
    pub async fn get_async(&self, timeout: Option<Duration>) -> Result<Lease> {
        let mut leases = self.get_many_async(1, timeout).await?;
        leases.pop().ok_or_else(|| Error::Timeout("no request came".into()))
    }

    /// Hands out up to `most` requests, as many as there are, waiting for the first.
    ///
    /// # Errors
    /// As [`RequestQueue::get_async`].
    pub async fn get_many_async(&self, most: usize, timeout: Option<Duration>) -> Result<Vec<Lease>> {
        let inner = &self.inner;
        let until = timeout.map(|timeout| inner.clock.monotonic().saturating_add(timeout));
        let _waiting = Counted::new(&inner.getters);
        loop {
            let ready = inner.ready.get();
            let notified = ready.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let (leases, next) = inner.take(most)?;
            if !leases.is_empty() {
                let claimed = inner.claim(leases).await?;
                if !claimed.is_empty() {
                    inner.pass_on();
                    return Ok(claimed);
                }
                continue;
            }
            let now = inner.clock.monotonic();
            if until.is_some_and(|until| until <= now) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("queue {:?} gave no request within {waited} s", inner.name)));
            }
            inner.sleep(notified, next, until).await;
            inner.sync()?;
        }
    }

    /// What the ack of a request was given; waits until the request is finished.
    ///
    /// # Errors
    /// `RequestFailed`, `RequestCancelled`, `Timeout`; `InvalidArgument` for an unknown id; `QueueClosed`, `Store`.
    pub async fn result_async(&self, id: RequestId, timeout: Option<Duration>) -> Result<Option<Payload>> {
        let inner = &self.inner;
        let until = timeout.map(|timeout| inner.clock.monotonic().saturating_add(timeout));
        loop {
            let finished = inner.results.lock().entry(id.0).or_default().clone();
            let notified = finished.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let outcome = {
                let mut core = inner.core.lock();
                let now = inner.clock.monotonic();
                inner.settle_due(&mut core, now);
                inner.check_not_closed(&core)?;
                core.outcome(id.0).map(|outcome| (outcome, core.next_event()))
            };
            if let Some((outcome, _)) = outcome {
                inner.results.lock().remove(&id.0);
                return inner.stored_outcome(id, outcome);
            }
            let now = inner.clock.monotonic();
            if until.is_some_and(|until| until <= now) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("request {id} was not finished within {waited} s")));
            }
            let next = inner.core.lock().next_event();
            inner.sleep(notified, next, until).await;
            inner.sync()?;
        }
    }
}

impl Inner {
    fn check_not_closed(&self, core: &Core) -> Result<()> {
        if core.closed {
            return Err(Error::QueueClosed(format!("queue {:?} is closed: open it again", self.name)));
        }
        Ok(())
    }

    fn check_open(&self, core: &Core) -> Result<()> {
        self.check_not_closed(core)
    }

    fn wake_getter(&self) {
        if self.getters.load(Ordering::SeqCst) > 0 {
            self.ready.get().notify_one();
        }
    }

    /// A getter that was served wakes the next one where there is more.
    fn pass_on(&self) {
        if self.getters.load(Ordering::SeqCst) > 1 {
            self.ready.get().notify_one();
        }
    }

    fn wake_after_finish(&self, id: u64, idle: bool) {
        if let Some(waiting) = self.results.lock().remove(&id) {
            waiting.notify_waiters();
        }
        self.wake_getter();
        if self.putters.load(Ordering::SeqCst) > 0 {
            self.room.get().notify_waiters();
        }
        if idle {
            self.idle.get().notify_waiters();
        }
    }

    fn wall(&self) -> Duration {
        self.clock.wall()
    }

    fn wall_ms(&self) -> u64 {
        u64::try_from(self.wall().as_millis()).unwrap_or(u64::MAX)
    }

    /// The wall time of a moment on the monotonic clock.
    fn to_wall(&self, moment: Duration) -> Duration {
        let (now, wall) = (self.clock.monotonic(), self.wall());
        wall.saturating_add(moment.saturating_sub(now)).saturating_sub(now.saturating_sub(moment))
    }

    /// Settles whatever is due: scheduled work, deadlines, leases.
    fn settle_due(&self, core: &mut Core, now: Duration) {
        if core.next_event().is_none_or(|event| event > now) {
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

    fn take(self: &Arc<Self>, most: usize) -> Result<(Vec<Lease>, Option<Duration>)> {
        let mut core = self.core.lock();
        self.check_not_closed(&core)?;
        let now = self.clock.monotonic();
        self.settle_due(&mut core, now);
        let handed: Vec<_> = std::iter::from_fn(|| core.pop(now)).take(most).collect();
        let next = core.next_event();
        drop(core);
        Ok((handed.into_iter().map(|handed| Lease::new(self, handed)).collect(), next))
    }

    /// Makes leases of a durable queue true on disk; those that another process was faster with are let go.
    async fn claim(&self, leases: Vec<Lease>) -> Result<Vec<Lease>> {
        let Some(journal) = &self.journal else { return Ok(leases) };
        let until = self.wall().saturating_add(self.core.lock().config().lease);
        let claims = leases.iter().map(|lease| (lease.id().0, lease.attempt())).collect();
        let payloads = journal::answer(journal.claim(claims, until)).await?;
        let mut claimed = Vec::with_capacity(leases.len());
        let mut missed = Vec::new();
        for (mut lease, payload) in leases.into_iter().zip(payloads) {
            if let Some(payload) = payload {
                lease.set_payload(payload);
                claimed.push(lease);
            } else {
                lease.disown();
                missed.push(lease.id().0);
            }
        }
        self.reload(&missed)?;
        Ok(claimed)
    }

    /// Believes the file about requests that were not here what they are there.
    fn reload(&self, ids: &[u64]) -> Result<()> {
        let Some(journal) = self.journal.as_ref().filter(|_| !ids.is_empty()) else { return Ok(()) };
        let now = self.clock.monotonic();
        let mut core = self.core.lock();
        for &id in ids {
            core.forget(id, now);
        }
        drop(core);
        self.merge(journal.rows(ids)?);
        Ok(())
    }

    async fn sleep(&self, notified: impl Future<Output = ()>, next: Option<Duration>, until: Option<Duration>) {
        let now = self.clock.monotonic();
        let mut pause = LONGEST_SLEEP;
        for moment in [next, until].into_iter().flatten() {
            pause = pause.min(moment.saturating_sub(now));
        }
        if self.journal.is_some() {
            pause = pause.min(SYNC_INTERVAL);
        }
        // The timer's grain is a millisecond: less would spin.
        let _ = tokio::time::timeout(pause.max(Duration::from_millis(1)), notified).await;
    }

    async fn wait_for_room(
        &self,
        count: usize,
        bytes: usize,
        options: &PutOptions,
        timeout: Option<Duration>,
    ) -> Result<()> {
        let until = timeout.map(|timeout| self.clock.monotonic().saturating_add(timeout));
        let _waiting = Counted::new(&self.putters);
        loop {
            let room = self.room.get();
            let notified = room.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let next = {
                let mut core = self.core.lock();
                self.check_open(&core)?;
                let now = self.clock.monotonic();
                let known = options.key.as_deref().is_some_and(|key| core.id_of_key(key).is_some());
                if known || core.has_room(count, bytes) {
                    return Ok(());
                }
                self.settle_due(&mut core, now);
                if core.has_room(count, bytes) {
                    return Ok(());
                }
                let never = core.config().max_size.is_some_and(|most| count > most)
                    || core.config().max_bytes.is_some_and(|most| bytes > most);
                if never || until.is_some_and(|until| until <= now) {
                    return Err(core.full());
                }
                core.next_event()
            };
            self.sleep(notified, next, until).await;
            self.sync()?;
        }
    }

    /// Takes in what other processes did to the file.
    fn sync(&self) -> Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        self.purge(journal.as_ref());
        self.merge(journal.changes()?);
        Ok(())
    }

    fn merge(&self, rows: Vec<journal::Row>) {
        if rows.is_empty() {
            return;
        }
        let (now, wall) = (self.clock.monotonic(), self.wall());
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
        self.wake_getter();
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

    /// A durable queue keeps results on disk.
    fn stored_outcome(&self, id: RequestId, outcome: Result<Option<Payload>>) -> Result<Option<Payload>> {
        match (&self.journal, outcome) {
            (Some(journal), Ok(None)) => journal.result(id.0),
            (_, outcome) => outcome,
        }
    }
}

/// Counts a waiting caller for as long as it waits.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
