//! Random histories of a store of requests beside a model of it, by a clock that the history moves: order, ageing, leases,
//! idempotency, deadlines, dead letters, results, pauses. Through the trait alone, in memory, on a file and in Redis: there by
//! two handles in turns, with closings, crashes, and processes that take a request and die.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod models;
mod servers;

use headrace::clock::ManualClock;
use headrace::queue::{LeaseEnd, Priority, PutOptions, QueueConfig, QueueStore, RequestId, RequestQueue, Status};
use headrace::{Error, Payload};
use models::{ModelFile, cases};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use servers::RedisServer;
use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Tells the other process of a history its store, the time there, and where to say what it took.
const URL: &str = "QUEUE_MODEL_URL";
const NOW: &str = "QUEUE_MODEL_NOW";
const TOOK: &str = "QUEUE_MODEL_TOOK";
const START: Duration = Duration::from_secs(1_700_000_000);

const AGEING: u64 = 30;
const LEASE: u64 = 20;
const MAX_ATTEMPTS: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    Put {
        priority: usize,
        tenant: u8,
        delay: u64,
        deadline: Option<u64>,
        key: Option<u8>,
    },
    Get,
    Ack(usize),
    Nack(usize, u64, bool),
    Extend(usize, u64),
    GiveBack(usize),
    Cancel(usize),
    Requeue(usize),
    Advance(u64),
    Pause(bool),
    /// Forgets what was finished long enough ago, which nothing here is.
    Purge,
    /// Goes on with the other handle of the store.
    Switch,
    /// The handle is closed, and another opened.
    Reopen,
    /// All processes are killed. What they had leased is leased until its time is over.
    Crash,
    /// Another process takes a request, and dies without a word.
    TakenElsewhere,
}

fn step() -> impl Strategy<Value = Step> {
    let delay = prop_oneof![3 => Just(0), 1 => 1..60u64];
    let put = (0..4usize, 0..3u8, delay, prop::option::weighted(0.2, 1..90u64), prop::option::weighted(0.2, 0..4u8))
        .prop_map(|(priority, tenant, delay, deadline, key)| Step::Put { priority, tenant, delay, deadline, key });
    let any = 0..64usize;
    prop_oneof![
        8 => put,
        8 => Just(Step::Get),
        3 => any.clone().prop_map(Step::Ack),
        2 => (any.clone(), 0..40u64, prop::bool::weighted(0.8)).prop_map(|(i, delay, retry)| Step::Nack(i, delay, retry)),
        1 => (any.clone(), 1..50u64).prop_map(|(i, by)| Step::Extend(i, by)),
        1 => any.clone().prop_map(Step::GiveBack),
        1 => any.clone().prop_map(Step::Cancel),
        1 => any.prop_map(Step::Requeue),
        4 => (1..25u64).prop_map(Step::Advance),
        1 => prop::bool::weighted(0.3).prop_map(Step::Pause),
        1 => Just(Step::Purge),
        3 => Just(Step::Switch),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        1 => Just(Step::TakenElsewhere),
    ]
}

#[derive(Debug, Clone)]
struct Request {
    id: RequestId,
    priority: usize,
    tenant: u8,
    ready_at: u64,
    /// Its place in line, from when it was first ready.
    order: Option<u64>,
    deadline: Option<u64>,
    attempt: u32,
    lease_until: u64,
    status: Status,
}

#[derive(Default)]
struct Model {
    now: u64,
    requests: Vec<Request>,
    keys: HashMap<u8, RequestId>,
    next_order: u64,
    paused: bool,
}

impl Model {
    fn at(&mut self, id: RequestId) -> &mut Request {
        self.requests.iter_mut().find(|request| request.id == id).expect("a request that was put")
    }

    fn settle(&mut self) {
        let now = self.now;
        let mut due: Vec<_> = (0..self.requests.len())
            .filter(|&i| self.requests[i].status == Status::Scheduled && self.requests[i].ready_at <= now)
            .collect();
        due.sort_by_key(|&i| (self.requests[i].ready_at, i));
        for i in due {
            self.requests[i].status = Status::Waiting;
            self.take_place(i);
        }
        for request in &mut self.requests {
            if request.status.is_open() && request.deadline.is_some_and(|deadline| deadline <= now) {
                request.status = Status::Dead;
            }
            if request.status == Status::Leased && request.lease_until <= now {
                request.status = if request.attempt >= MAX_ATTEMPTS { Status::Dead } else { Status::Waiting };
            }
        }
    }

    fn take_place(&mut self, i: usize) {
        if self.requests[i].order.is_none() {
            self.next_order += 1;
            self.requests[i].order = Some(self.next_order);
        }
    }

    /// Notes what was handed out, which must have been the next.
    fn take(&mut self, taken: &Taken) {
        self.check_next(taken.id);
        assert!(!self.paused, "nothing is handed out in a pause");
        let place = self.requests.iter().position(|request| request.id == taken.id).expect("known");
        assert_eq!(taken.payload, place.to_string().as_bytes());
        let until = self.now + LEASE;
        let request = &mut self.requests[place];
        request.attempt += 1;
        request.lease_until = until;
        request.status = Status::Leased;
        assert_eq!(taken.attempt, request.attempt);
    }

    fn class(&self, request: &Request) -> usize {
        request.priority.saturating_sub(usize::try_from((self.now - request.ready_at) / AGEING).unwrap_or(4))
    }

    fn waiting(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(|request| request.status == Status::Waiting)
    }

    fn check_next(&self, id: RequestId) {
        let chosen = self.waiting().find(|request| request.id == id).expect("what is handed out was waiting");
        let class = self.class(chosen);
        let best = self.waiting().map(|request| self.class(request)).min();
        assert_eq!(Some(class), best, "the most urgent class comes first");
        let peers = self.waiting().filter(|peer| peer.tenant == chosen.tenant && self.class(peer) == class);
        assert_eq!(peers.map(|peer| peer.order).min(), Some(chosen.order), "the oldest of a tenant comes first");
    }
}

fn config() -> QueueConfig {
    QueueConfig {
        lease: Duration::from_secs(LEASE),
        ageing: Duration::from_secs(AGEING),
        max_attempts: MAX_ATTEMPTS,
        keep_results: Duration::from_hours(24 * 365),
        keep_keys: Duration::from_hours(24 * 365),
        ..QueueConfig::default()
    }
}

/// What was handed out. Its id and attempt name the lease, whoever holds it.
struct Taken {
    id: RequestId,
    attempt: u32,
    payload: Vec<u8>,
}

/// Where a history takes place.
enum Place<'a> {
    Memory,
    File(ModelFile),
    Server(&'a RedisServer),
}

impl Place<'_> {
    fn url(&self) -> String {
        match self {
            Self::Memory => "memory://".into(),
            Self::File(file) => file.url(),
            Self::Server(server) => server.url(),
        }
    }

    fn open(&self, clock: &ManualClock) -> Arc<dyn QueueStore> {
        RequestQueue::open_with_clock(&self.url(), config(), Arc::new(clock.clone())).expect("opens").store()
    }

    /// Another handle, which in memory is the same.
    fn again(&self, store: &Arc<dyn QueueStore>, clock: &ManualClock) -> Arc<dyn QueueStore> {
        if matches!(self, Self::Memory) { Arc::clone(store) } else { self.open(clock) }
    }
}

async fn take(store: &dyn QueueStore) -> Option<Taken> {
    let handout = store.take(1).await.expect("a store").pop()?;
    Some(Taken { id: handout.id, attempt: handout.attempt, payload: handout.payload.as_bytes().to_vec() })
}

/// The other process: takes a request, says so, and dies.
#[test]
fn a_process_that_takes_and_dies() {
    let (Ok(url), Ok(now), Ok(took)) = (std::env::var(URL), std::env::var(NOW), std::env::var(TOOK)) else { return };
    let clock = ManualClock::new(Duration::from_secs(now.parse().unwrap()));
    block_on(async {
        let store = RequestQueue::open_with_clock(&url, config(), Arc::new(clock)).unwrap().store();
        let words = take(&*store).await.map_or("nothing".to_owned(), |taken| {
            format!("{} {} {}", taken.id, taken.attempt, std::str::from_utf8(&taken.payload).unwrap())
        });
        std::fs::write(&took, words).unwrap();
        std::process::abort();
    });
}

fn taken_elsewhere(place: &Place<'_>, now: u64) -> Option<Taken> {
    let folder = tempfile::tempdir().unwrap();
    let took = folder.path().join("took");
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_takes_and_dies"])
        .env(URL, place.url())
        .env(NOW, (START.as_secs() + now).to_string())
        .env(TOOK, &took)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!died.success());
    let words = std::fs::read_to_string(&took).expect("the other process took something, or nothing");
    let mut words = words.split(' ');
    let id = words.next()?.parse().ok()?;
    Some(Taken { id, attempt: words.next()?.parse().ok()?, payload: words.next()?.into() })
}

async fn run(place: Place<'_>, steps: Vec<Step>) {
    let clock = ManualClock::new(START);
    let mut store = place.open(&clock);
    let mut other = place.again(&store, &clock);
    let is_shared = !matches!(place, Place::Memory);
    let mut model = Model::default();
    let mut held: Vec<Taken> = Vec::new();
    for step in steps {
        match step {
            Step::Put { priority, tenant, delay, deadline, key } => {
                let options = PutOptions {
                    priority: Priority::ALL[priority],
                    tenant: Some(Arc::from(format!("t{tenant}"))),
                    delay: Duration::from_secs(delay),
                    deadline: deadline.map(Duration::from_secs),
                    key: key.map(|key| Arc::from(format!("k{key}"))),
                    ..PutOptions::default()
                };
                let body = Payload::bytes(model.requests.len().to_string());
                let id = store.put(vec![body], options).await.expect("a put")[0];
                if let Some(first) = key.and_then(|key| model.keys.get(&key)) {
                    assert_eq!(id, *first, "a known key puts nothing");
                    continue;
                }
                if let Some(key) = key {
                    model.keys.insert(key, id);
                }
                model.requests.push(Request {
                    id,
                    priority,
                    tenant,
                    ready_at: model.now + delay,
                    order: None,
                    deadline: deadline.map(|deadline| model.now + deadline),
                    attempt: 0,
                    lease_until: 0,
                    status: Status::Scheduled,
                });
                model.settle();
            }
            Step::Get | Step::TakenElsewhere => {
                let taken = match step {
                    Step::Get => take(&*store).await,
                    _ if is_shared => taken_elsewhere(&place, model.now),
                    _ => continue,
                };
                match taken {
                    Some(taken) => {
                        model.take(&taken);
                        held.push(taken);
                    }
                    None => assert!(model.paused || model.waiting().count() == 0, "what waits is handed out"),
                }
            }
            Step::Ack(i) | Step::Nack(i, ..) | Step::Extend(i, _) | Step::GiveBack(i) if !held.is_empty() => {
                let lease = held.remove(i % held.len());
                let now = model.now;
                let request = model.at(lease.id);
                let holds = request.status == Status::Leased && request.attempt == lease.attempt;
                let outcome = match step {
                    Step::Ack(_) => {
                        let result = Some(Payload::bytes(lease.payload.clone()));
                        store.settle(lease.id, lease.attempt, LeaseEnd::Ack { result, tokens: None }).await
                    }
                    Step::Nack(_, delay, retry) => {
                        let delay = Some(Duration::from_secs(delay));
                        store.settle(lease.id, lease.attempt, LeaseEnd::Nack { error: "no".into(), delay, retry }).await
                    }
                    Step::Extend(_, by) => store.extend(lease.id, lease.attempt, Duration::from_secs(by)).await,
                    // A worker that vanishes: its lease runs out.
                    _ => continue,
                };
                assert_eq!(outcome.is_ok(), holds, "{outcome:?}");
                if !holds {
                    assert!(matches!(outcome, Err(Error::LeaseLost(_))));
                    continue;
                }
                match step {
                    Step::Ack(_) => {
                        request.status = Status::Done;
                        let acked = store.result(lease.id).await.expect("it is done").expect("a result");
                        assert_eq!(acked.result, Some(Payload::bytes(lease.payload)));
                    }
                    Step::Nack(_, _, retry) if !retry || request.attempt >= MAX_ATTEMPTS => {
                        request.status = Status::Dead;
                    }
                    Step::Nack(_, delay, _) => {
                        request.status = Status::Scheduled;
                        request.ready_at = now + delay;
                        model.settle();
                    }
                    Step::Extend(_, by) => {
                        request.lease_until = now + by;
                        held.push(lease);
                    }
                    _ => {}
                }
            }
            Step::Cancel(i) if !model.requests.is_empty() => {
                let i = i % model.requests.len();
                let request = &mut model.requests[i];
                let cancelled = store.cancel(request.id).await.expect("a known id");
                assert_eq!(cancelled, request.status.is_open());
                if cancelled {
                    request.status = Status::Cancelled;
                }
            }
            Step::Requeue(i) if !model.requests.is_empty() => {
                let i = i % model.requests.len();
                let now = model.now;
                let request = &mut model.requests[i];
                let outcome = store.revive(request.id).await;
                assert_eq!(outcome.is_ok(), request.status == Status::Dead);
                if outcome.is_ok() {
                    *request = Request {
                        attempt: 0,
                        ready_at: now,
                        order: None,
                        deadline: None,
                        status: Status::Waiting,
                        ..request.clone()
                    };
                    model.take_place(i);
                }
            }
            Step::Advance(seconds) => {
                clock.advance(Duration::from_secs(seconds));
                model.now += seconds;
                model.settle();
            }
            Step::Pause(paused) => {
                store.pause(paused).await.expect("a pause");
                model.paused = paused;
            }
            Step::Purge => store.purge().await.expect("a purge"),
            Step::Switch => std::mem::swap(&mut store, &mut other),
            Step::Reopen => store = place.again(&store, &clock),
            Step::Crash if is_shared => {
                if let Place::File(file) = &place {
                    file.crash();
                }
                (store, other) = (place.open(&clock), place.open(&clock));
            }
            _ => {}
        }
        check(&*store, &model).await;
    }
}

async fn check(store: &dyn QueueStore, model: &Model) {
    let count = |status: Status| model.requests.iter().filter(|request| request.status == status).count();
    let stats = store.stats().await.expect("counts");
    assert_eq!(stats.paused, model.paused);
    for (status, found) in stats.by_status {
        if status.is_open() {
            assert_eq!(found, count(status), "{status:?} at {}", model.now);
        }
    }
    assert_eq!(store.dead().await.expect("letters").len(), count(Status::Dead));
    for request in &model.requests {
        let found = store.look(request.id).await.expect("a store");
        assert_eq!(found, Some(request.status), "{request:?} at {}", model.now);
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future);
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn in_memory(steps in prop::collection::vec(step(), 1..80)) {
        block_on(run(Place::Memory, steps));
    }
}

proptest! {
    #![proptest_config(cases(16))]
    #[test]
    fn on_a_file(steps in prop::collection::vec(step(), 1..50)) {
        block_on(run(Place::File(ModelFile::new()), steps));
    }
}

/// The rules are the core's, decided by the server's scripts.
#[test]
fn in_redis() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let histories = prop::collection::vec(step(), 1..50);
    let outcome = TestRunner::new(cases(32)).run(&histories, |steps| {
        assert_eq!(server.tell("FLUSHALL"), "+OK");
        block_on(run(Place::Server(&server), steps));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

proptest! {
    /// Whatever the tenants put, over any stretch each with a backlog is served by its weight, within one turn each.
    #[test]
    fn tenants_take_turns_by_weight(weights in prop::collection::vec(1..6u32, 2..6), rounds in 1..5u32) {
        let name = |i: usize| -> Arc<str> { Arc::from(format!("t{i}")) };
        let config = QueueConfig {
            weights: weights.iter().enumerate().map(|(i, weight)| (name(i), *weight)).collect(),
            ..config()
        };
        let queue = RequestQueue::open("memory://", config).expect("opens");
        for (i, weight) in weights.iter().enumerate() {
            for _ in 0..(weight + 1) * rounds * 3 {
                let options = PutOptions { tenant: Some(name(i)), ..PutOptions::default() };
                queue.put(Payload::bytes("x"), &options).expect("a put");
            }
        }
        let mut served = vec![0i64; weights.len()];
        for _ in 0..weights.iter().sum::<u32>() * rounds {
            let lease = queue.try_get().expect("open").expect("a request");
            lease.accept();
            let tenant: usize = lease.tenant()[1..].parse().expect("a number");
            served[tenant] += 1;
        }
        for (served, weight) in served.iter().zip(&weights) {
            prop_assert!((served - i64::from(weight * rounds)).abs() <= 2, "{served:?} of {weights:?} x {rounds}");
        }
    }
}
