//! Random histories of a queue beside a model of it, by a clock that the history moves: order, ageing, leases,
//! idempotency, deadlines, dead letters; on a file and in Redis through two handles in turns, with crashes between the steps.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod servers;

use headrace::clock::ManualClock;
use headrace::queue::{Lease, Priority, PutOptions, QueueConfig, RequestId, RequestQueue, Status};
use headrace::{Error, Payload};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use servers::RedisServer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

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
    /// Goes on with the other handle of the file.
    Switch,
    /// Both handles are gone, and what they held with them.
    Crash,
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
        3 => Just(Step::Switch),
        1 => Just(Step::Crash),
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

async fn run(url: &str, steps: Vec<Step>) {
    let clock = ManualClock::new(Duration::from_secs(1_700_000_000));
    let open = || RequestQueue::open_with_clock(url, config(), Arc::new(clock.clone())).expect("opens");
    let mut queue = open();
    let mut other = open();
    let mut model = Model::default();
    let mut held: Vec<Lease> = Vec::new();
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
                let id = queue.put_async(body, options, None).await.expect("a put");
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
            Step::Get => match queue.get_async(Some(Duration::ZERO)).await {
                Ok(lease) => {
                    lease.accept();
                    model.check_next(lease.id());
                    let place = model.requests.iter().position(|request| request.id == lease.id());
                    assert_eq!(lease.payload().as_bytes(), format!("{}", place.expect("known")).as_bytes());
                    let until = model.now + LEASE;
                    let request = model.at(lease.id());
                    request.attempt += 1;
                    request.lease_until = until;
                    request.status = Status::Leased;
                    assert_eq!(lease.attempt(), request.attempt);
                    held.push(lease);
                }
                Err(Error::Timeout(_)) => assert_eq!(model.waiting().count(), 0, "what waits is handed out"),
                Err(error) => panic!("{error}"),
            },
            Step::Ack(i) | Step::Nack(i, ..) | Step::Extend(i, _) | Step::GiveBack(i) if !held.is_empty() => {
                let lease = held.remove(i % held.len());
                let now = model.now;
                let request = model.at(lease.id());
                let holds = request.status == Status::Leased && request.attempt == lease.attempt();
                let outcome = match step {
                    Step::Ack(_) => lease.ack_async(None, None).await,
                    Step::Nack(_, delay, retry) => {
                        lease.nack_async("no", Some(Duration::from_secs(delay)), retry).await
                    }
                    Step::Extend(_, by) => lease.extend_async(Duration::from_secs(by)).await,
                    // A worker that vanishes: its lease runs out.
                    _ => continue,
                };
                assert_eq!(outcome.is_ok(), holds, "{outcome:?}");
                if !holds {
                    assert!(matches!(outcome, Err(Error::LeaseLost(_))));
                    continue;
                }
                match step {
                    Step::Ack(_) => request.status = Status::Done,
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
                let cancelled = queue.cancel_async(request.id).await.expect("a known id");
                assert_eq!(cancelled, request.status.is_open());
                if cancelled {
                    request.status = Status::Cancelled;
                }
            }
            Step::Requeue(i) if !model.requests.is_empty() => {
                let i = i % model.requests.len();
                let now = model.now;
                let request = &mut model.requests[i];
                let outcome = queue.requeue_async(request.id).await;
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
            Step::Crash if url != "memory://" => {
                held.clear();
                (queue, other) = (open(), open());
            }
            Step::Switch if url != "memory://" => std::mem::swap(&mut queue, &mut other),
            _ => {}
        }
        let open = model.requests.iter().filter(|request| request.status.is_open()).count();
        assert_eq!(queue.len().expect("a count"), open);
        for request in &model.requests {
            assert_eq!(queue.status(request.id).expect("known"), request.status, "{request:?} at {}", model.now);
        }
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn in_memory(steps in prop::collection::vec(step(), 1..80)) {
        block_on(run("memory://", steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn on_a_file_through_two_handles_with_crashes(steps in prop::collection::vec(step(), 1..50)) {
        let directory = tempfile::tempdir().expect("a directory");
        block_on(run(&format!("sqlite:///{}/q.db", directory.path().display()), steps));
    }
}

/// The rules are the core's, decided by the server's scripts.
#[test]
fn in_redis_through_two_handles() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) };
    let histories = prop::collection::vec(step(), 1..50);
    let outcome = TestRunner::new(config).run(&histories, |steps| {
        assert_eq!(server.tell("FLUSHALL"), "+OK");
        block_on(run(&server.url(), steps));
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
