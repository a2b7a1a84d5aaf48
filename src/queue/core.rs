//! The queue as a state machine: no threads, no clock, no disk. Every call is told what time it is.

use super::entry::{DeadLetter, Entry, Failure, RequestId, State, Status};
use super::lazy_heap::LazyHeap;
use super::limit::{Flow, Limiter};
use super::options::{Priority, PutOptions, QueueConfig};
use super::schedule::{Ready, Schedule};
use crate::metrics::DurationHistogram;
use crate::{Error, Payload, Result};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// The first step of the backoff, and its longest.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(10);
const DEFAULT_TENANT: &str = "default";

/// Ids are counted up, so that they are their own hash once their bits are spread.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // The multiplier of Fibonacci hashing, 2^64 over the golden ratio (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type IdMap<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// What a worker is given.
#[derive(Debug, Clone)]
pub(super) struct HandedOut {
    pub(super) id: u64,
    pub(super) attempt: u32,
    pub(super) payload: Option<Payload>,
    pub(super) priority: Priority,
    pub(super) tenant: Arc<str>,
    pub(super) enqueued: Duration,
    pub(super) waited: Duration,
}

/// What became of a nack, an expiry or a requeue, for the store.
#[derive(Debug, Clone)]
pub(super) struct Transition {
    pub(super) id: u64,
    pub(super) attempt: u32,
    pub(super) status: Status,
    pub(super) ready_at: Duration,
    pub(super) history: Vec<Failure>,
    pub(super) result: Option<Payload>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Meters {
    pub(super) enqueue: DurationHistogram,
    pub(super) wait: DurationHistogram,
    pub(super) run: DurationHistogram,
    pub(super) put: u64,
    pub(super) acked: u64,
    pub(super) retried: u64,
    pub(super) expired: u64,
}

pub(super) struct Core {
    config: QueueConfig,
    entries: IdMap<Entry>,
    keys: HashMap<Arc<str>, u64>,
    schedule: Schedule,
    limiter: Limiter,
    flows: HashMap<Flow, (usize, usize)>,
    /// The flow of the put before: most puts are like the one before them.
    last_flow: Option<(Flow, usize, usize)>,
    tenants: Vec<Arc<str>>,
    tenant_index: HashMap<Arc<str>, usize>,
    scheduled: LazyHeap<u64>,
    leases: LazyHeap<(u64, u32)>,
    deadlines: LazyHeap<u64>,
    finished: VecDeque<(Duration, u64)>,
    keyed: VecDeque<(Duration, u64)>,
    counts: [usize; 6],
    bytes: usize,
    next_id: u64,
    next_order: u64,
    jitter: SmallRng,
    pub(super) meters: Meters,
    pub(super) paused: bool,
    pub(super) closed: bool,
}

impl Core {
    pub(super) fn new(config: QueueConfig) -> Self {
        let limiter = Limiter::new(&config.limits);
        let jitter = config.seed.map_or_else(SmallRng::from_os_rng, SmallRng::seed_from_u64);
        Self {
            schedule: Schedule::new(config.ageing),
            config,
            entries: IdMap::default(),
            keys: HashMap::new(),
            limiter,
            flows: HashMap::new(),
            last_flow: None,
            tenants: Vec::new(),
            tenant_index: HashMap::new(),
            scheduled: LazyHeap::default(),
            leases: LazyHeap::default(),
            deadlines: LazyHeap::default(),
            finished: VecDeque::new(),
            keyed: VecDeque::new(),
            counts: [0; 6],
            bytes: 0,
            next_id: 1,
            next_order: 1,
            jitter,
            meters: Meters::default(),
            paused: false,
            closed: false,
        }
    }

    pub(super) fn config(&self) -> &QueueConfig {
        &self.config
    }

    pub(super) fn open_count(&self) -> usize {
        self.count(Status::Waiting) + self.count(Status::Scheduled) + self.count(Status::Leased)
    }

    pub(super) fn count(&self, status: Status) -> usize {
        self.counts[status as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.entries.contains_key(&id)
    }

    /// The id that a key was given, if it is remembered.
    pub(super) fn id_of_key(&self, key: &str) -> Option<u64> {
        self.keys.get(key).copied()
    }

    /// Whether `count` more requests of `bytes` in all fit now.
    pub(super) fn has_room(&self, count: usize, bytes: usize) -> bool {
        self.config.max_size.is_none_or(|most| self.open_count() + count <= most)
            && self.config.max_bytes.is_none_or(|most| self.bytes + bytes <= most)
    }

    /// The error of a put that found no room.
    pub(super) fn full(&self) -> Error {
        Error::QueueFull(format!(
            "queue {:?} holds {} requests and {} bytes (max_size {:?}, max_bytes {:?}): wait with timeout=, get and ack some, or raise the bound",
            self.config.name,
            self.open_count(),
            self.bytes,
            self.config.max_size,
            self.config.max_bytes
        ))
    }

    pub(super) fn flow(&mut self, options: &PutOptions) -> (usize, usize) {
        let tenant = options.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
        if let Some((flow, index, tenant_index)) = &self.last_flow
            && &*flow.tenant == tenant
            && flow.provider == options.provider
            && flow.model == options.model
        {
            return (*index, *tenant_index);
        }
        let flow = Flow { tenant: Arc::from(tenant), provider: options.provider.clone(), model: options.model.clone() };
        let (index, tenant_index) = self.flows.get(&flow).copied().unwrap_or_else(|| {
            let tenant_index = self.tenant_index.get(tenant).copied().unwrap_or_else(|| {
                let weight =
                    self.config.weights.iter().find(|(name, _)| &**name == tenant).map_or(1, |(_, weight)| *weight);
                self.tenants.push(flow.tenant.clone());
                let index = self.schedule.add_tenant(weight);
                self.tenant_index.insert(flow.tenant.clone(), index);
                index
            });
            let index = self.schedule.add_flow(self.limiter.gauges_of(&flow));
            self.flows.insert(flow.clone(), (index, tenant_index));
            (index, tenant_index)
        });
        self.last_flow = Some((flow, index, tenant_index));
        (index, tenant_index)
    }

    /// A new id, for a queue without a store of its own.
    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Takes a request in. `payload` is None where a store keeps it.
    pub(super) fn insert(
        &mut self,
        id: u64,
        payload: Option<Payload>,
        size: usize,
        options: &PutOptions,
        now: Duration,
    ) {
        let (flow, tenant) = self.flow(options);
        let deadline = options.deadline.map(|deadline| now.saturating_add(deadline));
        let ready_at = now.saturating_add(options.delay);
        let entry = Entry {
            payload,
            size,
            priority: options.priority,
            tenant,
            flow,
            tokens: options.estimated_tokens,
            key: options.key.clone(),
            order: 0,
            enqueued: now,
            ready_at,
            deadline,
            attempt: 0,
            max_attempts: options.max_attempts.unwrap_or(self.config.max_attempts),
            history: Vec::new(),
            state: State::Cancelled,
        };
        self.adopt(id, entry, now);
        self.meters.put += 1;
    }

    /// Takes in an entry that is to wait from its `ready_at` on: a new one, or one read from a store.
    pub(super) fn adopt(&mut self, id: u64, entry: Entry, now: Duration) {
        if let Some(key) = &entry.key {
            self.keys.insert(key.clone(), id);
        }
        if let Some(deadline) = entry.deadline {
            let (entries, live) = (&self.entries, self.open_count());
            self.deadlines.push(deadline, id, live, |at, id| is_bounded(entries, at, id));
        }
        self.bytes += entry.size;
        self.entries.insert(id, entry);
        self.make_ready(id, now);
    }

    /// The attempt and state of an entry.
    pub(super) fn known(&self, id: u64) -> Option<(u32, Status)> {
        self.entries.get(&id).map(|entry| (entry.attempt, entry.state.status()))
    }

    /// Whether an entry is leased to somebody elsewhere.
    pub(super) fn is_leased_elsewhere(&self, id: u64) -> bool {
        self.entries.get(&id).is_some_and(|entry| matches!(entry.state, State::Leased { here: false, .. }))
    }

    /// Takes in an entry that a worker of another process, or of an earlier one, holds.
    pub(super) fn adopt_leased(&mut self, id: u64, mut entry: Entry, expires: Duration, now: Duration) {
        let (attempt, deadline) = (entry.attempt, entry.deadline);
        entry.state = State::Leased { expires, since: now, here: false };
        if let Some(key) = &entry.key {
            self.keys.insert(key.clone(), id);
        }
        self.bytes += entry.size;
        self.counts[Status::Leased as usize] += 1;
        self.entries.insert(id, entry);
        if let Some(deadline) = deadline {
            let (entries, live) = (&self.entries, self.open_count());
            self.deadlines.push(deadline, id, live, |at, id| is_bounded(entries, at, id));
        }
        let (entries, live) = (&self.entries, self.counts[Status::Leased as usize]);
        self.leases.push(expires, (id, attempt), live, |at, (id, attempt)| is_leased(entries, at, id, attempt));
    }

    /// Takes in an entry that was finished elsewhere.
    pub(super) fn adopt_finished(&mut self, id: u64, mut entry: Entry, status: Status, now: Duration) {
        if let Some(key) = &entry.key {
            self.keys.insert(key.clone(), id);
        }
        entry.state = State::Cancelled;
        self.bytes += entry.size;
        self.entries.insert(id, entry);
        let state = match status {
            Status::Done => State::Done { result: None },
            Status::Dead => State::Dead,
            _ => State::Cancelled,
        };
        self.finish(id, state, now);
    }

    /// Puts an entry that no index knows into the schedule, now or later.
    fn make_ready(&mut self, id: u64, now: Duration) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.ready_at > now {
            entry.state = State::Scheduled { at: entry.ready_at };
            let at = entry.ready_at;
            self.counts[Status::Scheduled as usize] += 1;
            let (entries, live) = (&self.entries, self.counts[Status::Scheduled as usize]);
            self.scheduled.push(at, id, live, |at, id| is_scheduled(entries, at, id));
            return;
        }
        if entry.order == 0 {
            entry.order = self.next_order;
            self.next_order += 1;
        }
        let ready = Ready {
            order: entry.order,
            id,
            tokens: entry.tokens,
            flow: entry.flow,
            tenant: entry.tenant,
            priority: entry.priority.index(),
            ready_at: entry.ready_at,
        };
        entry.state = State::Waiting(ready);
        self.counts[Status::Waiting as usize] += 1;
        self.schedule.insert(ready, now);
    }

    /// Takes an entry out of the index of its state.
    fn leave_state(&mut self, id: u64, actual_tokens: Option<u64>, now: Duration) {
        let Some(entry) = self.entries.get(&id) else { return };
        let status = entry.state.status();
        self.counts[status as usize] -= 1;
        match &entry.state {
            State::Waiting(ready) => {
                let ready = *ready;
                self.schedule.remove(&ready, now);
            }
            State::Leased { since, .. } => {
                self.meters.run.record(now.saturating_sub(*since));
                let gauges = self.schedule.gauges(entry.flow);
                self.limiter.settle(&gauges, id, actual_tokens);
            }
            _ => {}
        }
    }

    fn finish(&mut self, id: u64, state: State, now: Duration) {
        let status = state.status();
        self.counts[status as usize] += 1;
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.state = state;
        self.bytes -= entry.size;
        if status != Status::Dead {
            entry.payload = None;
            let list = if entry.key.is_some() { &mut self.keyed } else { &mut self.finished };
            list.push_back((now, id));
        }
    }

    /// Hands out the next request.
    pub(super) fn pop(&mut self, now: Duration) -> Option<HandedOut> {
        if self.paused {
            return None;
        }
        let ready = self.schedule.pop(now, &mut self.limiter)?;
        let lease = self.config.lease;
        let entry = self.entries.get_mut(&ready.id)?;
        entry.attempt += 1;
        let expires = now.saturating_add(lease);
        entry.state = State::Leased { expires, since: now, here: true };
        let waited = now.saturating_sub(entry.ready_at);
        let handed = HandedOut {
            id: ready.id,
            attempt: entry.attempt,
            payload: entry.payload.clone(),
            priority: entry.priority,
            tenant: self.tenants[entry.tenant].clone(),
            enqueued: entry.enqueued,
            waited,
        };
        self.counts[Status::Waiting as usize] -= 1;
        self.counts[Status::Leased as usize] += 1;
        let gauges = self.schedule.gauges(ready.flow);
        self.limiter.take(&gauges, ready.id, ready.tokens, now);
        self.meters.wait.record(waited);
        let (entries, live) = (&self.entries, self.counts[Status::Leased as usize]);
        self.leases
            .push(expires, (ready.id, handed.attempt), live, |at, (id, attempt)| is_leased(entries, at, id, attempt));
        Some(handed)
    }

    /// Refuses a lease that is over.
    pub(super) fn check_lease(&self, id: u64, attempt: u32, now: Duration) -> Result<()> {
        let held = self.entries.get(&id).is_some_and(|entry| {
            entry.attempt == attempt && matches!(entry.state, State::Leased { expires, .. } if expires > now)
        });
        if held { Ok(()) } else { Err(lost(id, attempt)) }
    }

    /// Whether a lease has ended unsettled.
    pub(super) fn is_lease_over(&self, id: u64, now: Duration) -> bool {
        self.entries
            .get(&id)
            .is_some_and(|entry| matches!(entry.state, State::Leased { expires, .. } if expires <= now))
    }

    pub(super) fn ack(
        &mut self,
        id: u64,
        attempt: u32,
        result: Option<Payload>,
        tokens: Option<u64>,
        now: Duration,
    ) -> Result<()> {
        self.check_lease(id, attempt, now)?;
        self.leave_state(id, tokens, now);
        self.finish(id, State::Done { result }, now);
        self.meters.acked += 1;
        Ok(())
    }

    pub(super) fn extend(&mut self, id: u64, attempt: u32, by: Duration, now: Duration) -> Result<Duration> {
        self.check_lease(id, attempt, now)?;
        let until = now.saturating_add(by);
        if let Some(Entry { state: State::Leased { expires, .. }, .. }) = self.entries.get_mut(&id) {
            *expires = until;
        }
        let (entries, live) = (&self.entries, self.counts[Status::Leased as usize]);
        self.leases.push(until, (id, attempt), live, |at, (id, attempt)| is_leased(entries, at, id, attempt));
        Ok(until)
    }

    /// What a nack will do; `apply` does it. Apart, so that a store can be asked between the two.
    pub(super) fn plan_nack(
        &mut self,
        id: u64,
        attempt: u32,
        error: &str,
        delay: Option<Duration>,
        retry: bool,
        now: Duration,
        wall_ms: u64,
    ) -> Result<Transition> {
        self.check_lease(id, attempt, now)?;
        let backoff = delay.unwrap_or_else(|| self.backoff(attempt));
        let Some(entry) = self.entries.get(&id) else { return Err(lost(id, attempt)) };
        let mut history = entry.history.clone();
        history.push(Failure { attempt, error: error.to_owned(), at_ms: wall_ms });
        let again = retry && attempt < entry.max_attempts;
        let status = if again { Status::Scheduled } else { Status::Dead };
        Ok(Transition { id, attempt, status, ready_at: now.saturating_add(backoff), history, result: None })
    }

    /// Exponential from one second, with full jitter (Brooker, AWS Architecture Blog, 2015).
    fn backoff(&mut self, attempt: u32) -> Duration {
        let longest = BACKOFF_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(BACKOFF_MAX);
        longest.mul_f64(self.jitter.random())
    }

    /// Moves an open entry where a transition says.
    pub(super) fn apply(&mut self, transition: Transition, now: Duration) {
        let Transition { id, status, ready_at, history, result, .. } = transition;
        if !self.entries.get(&id).is_some_and(|entry| entry.state.status().is_open()) {
            return;
        }
        self.leave_state(id, None, now);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.history = history;
            entry.ready_at = ready_at;
        }
        match status {
            Status::Dead => self.finish(id, State::Dead, now),
            Status::Cancelled => self.finish(id, State::Cancelled, now),
            Status::Done => self.finish(id, State::Done { result }, now),
            _ => {
                self.meters.retried += 1;
                self.make_ready(id, now);
            }
        }
    }

    /// Takes back a request that was handed out but never reached a worker: as if it had not left.
    pub(super) fn give_back(&mut self, id: u64, attempt: u32, now: Duration) {
        if self.check_lease(id, attempt, now).is_err() {
            return;
        }
        self.leave_state(id, Some(0), now);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.attempt -= 1;
        }
        self.make_ready(id, now);
    }

    /// Forgets an entry that another process took over.
    pub(super) fn forget(&mut self, id: u64, now: Duration) {
        self.leave_state(id, Some(0), now);
        if let Some(entry) = self.entries.remove(&id)
            && entry.state.status().is_open()
        {
            self.bytes -= entry.size;
        }
    }

    /// The next thing whose time came, as a transition to store and apply. Call until it gives None.
    pub(super) fn next_due(&mut self, now: Duration, wall_ms: u64) -> Option<Transition> {
        let entries = &self.entries;
        if let Some((_, id)) = self.scheduled.pop_due(now, |at, id| is_scheduled(entries, at, id)) {
            return Some(self.plan(id, Status::Waiting, None, now, wall_ms));
        }
        if let Some((_, id)) = self.deadlines.pop_due(now, |at, id| is_bounded(entries, at, id)) {
            return Some(self.plan(id, Status::Dead, Some("deadline"), now, wall_ms));
        }
        let leased = |at, (id, attempt)| is_leased(entries, at, id, attempt);
        if let Some((_, (id, attempt))) = self.leases.pop_due(now, leased) {
            self.meters.expired += 1;
            let last = self.entries.get(&id).is_some_and(|entry| attempt >= entry.max_attempts);
            let status = if last { Status::Dead } else { Status::Waiting };
            return Some(self.plan(id, status, Some("lease expired"), now, wall_ms));
        }
        self.forget_finished(now);
        None
    }

    fn plan(&self, id: u64, status: Status, error: Option<&str>, now: Duration, wall_ms: u64) -> Transition {
        let (mut history, attempt, ready_at) = self
            .entries
            .get(&id)
            .map(|entry| (entry.history.clone(), entry.attempt, entry.ready_at))
            .unwrap_or_default();
        if let Some(error) = error {
            history.push(Failure { attempt, error: error.to_owned(), at_ms: wall_ms });
        }
        Transition { id, attempt, status, ready_at: ready_at.min(now), history, result: None }
    }

    fn forget_finished(&mut self, now: Duration) {
        let lists = [(&mut self.finished, self.config.keep_results), (&mut self.keyed, self.config.keep_keys)];
        for (list, keep) in lists {
            while list.front().is_some_and(|(at, _)| *at + keep <= now) {
                let Some((_, id)) = list.pop_front() else { break };
                let Some(entry) = self.entries.get(&id) else { continue };
                let status = entry.state.status();
                if status.is_open() || status == Status::Dead {
                    continue;
                }
                self.counts[status as usize] -= 1;
                if let Some(key) = self.entries.remove(&id).and_then(|entry| entry.key)
                    && self.keys.get(&key) == Some(&id)
                {
                    self.keys.remove(&key);
                }
            }
        }
    }

    /// When `next_due` or `pop` may have something that they have not now.
    pub(super) fn next_event(&self) -> Option<Duration> {
        let room = if self.schedule.len() > 0 { self.limiter.next_room() } else { None };
        [self.scheduled.next_due(), self.deadlines.next_due(), self.leases.next_due(), room].into_iter().flatten().min()
    }

    pub(super) fn status(&self, id: u64) -> Option<Status> {
        self.entries.get(&id).map(|entry| entry.state.status())
    }

    /// The result of a finished request: None while it is open.
    pub(super) fn outcome(&self, id: u64) -> Option<Result<Option<Payload>>> {
        let Some(entry) = self.entries.get(&id) else {
            return Some(Err(unknown(id)));
        };
        match &entry.state {
            State::Done { result } => Some(Ok(result.clone())),
            State::Dead => {
                let reason = entry.history.last().map_or("unknown", |failure| failure.error.as_str());
                Some(Err(Error::RequestFailed(format!(
                    "request {} is dead after {} attempts: {reason}; see dead(), or put it back with requeue()",
                    RequestId(id),
                    entry.attempt
                ))))
            }
            State::Cancelled => Some(Err(Error::RequestCancelled(format!("request {} was cancelled", RequestId(id))))),
            _ => None,
        }
    }

    /// Cancels an open request, wherever it is; whether it was open.
    pub(super) fn plan_cancel(&self, id: u64, now: Duration) -> Result<Option<Transition>> {
        let status = self.status(id).ok_or_else(|| unknown(id))?;
        Ok(status.is_open().then(|| self.plan(id, Status::Cancelled, None, now, 0)))
    }

    /// Takes a dead letter back, with all its attempts before it.
    pub(super) fn requeue(&mut self, id: u64, now: Duration) -> Result<()> {
        let entry = self.entries.get_mut(&id).ok_or_else(|| unknown(id))?;
        if !matches!(entry.state, State::Dead) {
            return Err(Error::invalid(format!(
                "request {} is {}: only a dead one can be requeued",
                RequestId(id),
                entry.state.status().name()
            )));
        }
        entry.attempt = 0;
        entry.ready_at = now;
        entry.order = 0;
        entry.deadline = None;
        self.bytes += entry.size;
        self.counts[Status::Dead as usize] -= 1;
        self.make_ready(id, now);
        Ok(())
    }

    pub(super) fn dead(&self) -> Vec<DeadLetter> {
        let mut letters: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.state, State::Dead))
            .map(|(id, entry)| DeadLetter {
                id: RequestId(*id),
                payload: entry.payload.clone(),
                priority: entry.priority,
                tenant: self.tenants[entry.tenant].clone(),
                reason: entry.history.last().map(|failure| failure.error.clone()).unwrap_or_default(),
                history: entry.history.clone(),
            })
            .collect();
        letters.sort_by_key(|letter| letter.id);
        letters
    }

    /// Open requests by priority and by tenant.
    pub(super) fn breakdown(&self) -> ([usize; 4], Vec<(Arc<str>, usize)>) {
        let (mut priorities, mut tenants) = ([0; 4], vec![0; self.tenants.len()]);
        for entry in self.entries.values().filter(|entry| entry.state.status().is_open()) {
            priorities[entry.priority.index()] += 1;
            tenants[entry.tenant] += 1;
        }
        let named = self.tenants.iter().cloned().zip(tenants).filter(|(_, count)| *count > 0).collect();
        (priorities, named)
    }
}

pub(super) fn unknown(id: u64) -> Error {
    Error::invalid(format!("request {} is unknown: it was never put here, or was kept as long as set", RequestId(id)))
}

pub(super) fn lost(id: u64, attempt: u32) -> Error {
    Error::LeaseLost(format!(
        "the lease of request {} (attempt {attempt}) is over: it was settled, expired or cancelled; extend a lease in time, or raise lease_seconds",
        RequestId(id)
    ))
}

/// Whether an open entry has that deadline still: a requeued one has none.
fn is_bounded(entries: &IdMap<Entry>, due: Duration, id: u64) -> bool {
    entries.get(&id).is_some_and(|entry| entry.state.status().is_open() && entry.deadline == Some(due))
}

fn is_scheduled(entries: &IdMap<Entry>, due: Duration, id: u64) -> bool {
    entries.get(&id).is_some_and(|entry| matches!(entry.state, State::Scheduled { at } if at == due))
}

fn is_leased(entries: &IdMap<Entry>, due: Duration, id: u64, attempt: u32) -> bool {
    entries.get(&id).is_some_and(|entry| {
        entry.attempt == attempt && matches!(entry.state, State::Leased { expires, .. } if expires == due)
    })
}
