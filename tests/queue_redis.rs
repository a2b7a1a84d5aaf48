//! A queue on a real redis-server: the conformance suite, wake-ups, turns of one's own, and a server that fails.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "conformance/queue.rs"]
mod conformance;
mod servers;

use headrace::clock::ManualClock;
use headrace::queue::{
    Again, Lease, LimitRule, LimitScope, PutOptions, QueueConfig, QueueStore, RequestId, RequestQueue, Status,
};
use headrace::{Error, Payload};
use servers::RedisServer;
use servers::kinds::conforms_on_every_kind;
use servers::lossy::LossyNetwork;
use servers::upstash::FakeUpstash;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const PATIENT: Duration = Duration::from_mins(1);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

type Open = Box<dyn Fn(QueueConfig) -> Arc<dyn QueueStore>>;

fn conforms(url: &str) {
    block_on(conformance::all(&mut handles(url, "odd")));
}

/// Handles of a fresh queue each time, by a clock of the test's.
fn handles(url: &str, kind: &str) -> impl FnMut() -> (Open, ManualClock) {
    let mut count = 0;
    move || {
        let clock = ManualClock::new(Duration::from_secs(1_700_000_000));
        count += 1;
        let (by, url, name) = (clock.clone(), url.to_owned(), format!("{{{kind}}} % name {count}"));
        let open: Open = Box::new(move |config| {
            let config = QueueConfig { name: name.clone(), ..config };
            RequestQueue::open_with_clock(&url, config, Arc::new(by.clone())).unwrap().store()
        });
        (open, clock)
    }
}

conforms_on_every_kind!(conforms);

/// As Python's calls wait: such a thread asks the server by itself.
#[test]
fn it_passes_the_conformance_suite_with_a_thread_that_waits() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    headrace::blocking::block_on(conformance::all(&mut handles(&server.url(), "waits")));
}

#[test]
fn a_wrong_token_is_refused_and_not_told() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let upstash = FakeUpstash::start(&server.url());
    let wrong = upstash.url().replace(servers::upstash::TOKEN, "another");
    let Err(Error::Store(refused)) = RequestQueue::open(&wrong, QueueConfig::default()) else { panic!("it opened") };
    assert!(refused.contains("refused the login") && !refused.contains("another"), "{refused}");
}

fn config(name: &str) -> QueueConfig {
    QueueConfig { name: name.into(), ..QueueConfig::default() }
}

async fn put(queue: &RequestQueue, text: &str) -> RequestId {
    queue.put_async(Payload::bytes(text), PutOptions::default(), Some(PATIENT)).await.unwrap()
}

async fn get(queue: &RequestQueue) -> Lease {
    let lease = queue.get_async(Some(PATIENT)).await.unwrap();
    lease.accept();
    lease
}

/// Work for another handle: a worker hears of it, its caller of the result, and neither asks again and again.
fn wakes_up(server: &RedisServer, url: &str) {
    let (one, two) = (RequestQueue::open(url, config("w")).unwrap(), RequestQueue::open(url, config("w")).unwrap());
    block_on(async {
        let worker = tokio::spawn(async move {
            let lease = get(&two).await;
            lease.ack_async(Some(Payload::bytes([0, 159, 255])), None).await.unwrap();
            two
        });
        // It sleeps when it has left word.
        let started = Instant::now();
        while server.tell("HGET headrace:{queue:w}:meta ready") != "$1" {
            assert!(started.elapsed() < PATIENT);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let id = put(&one, "work").await;
        let result = one.result_async(id, Some(PATIENT)).await.unwrap();
        assert_eq!(result, Some(Payload::bytes([0, 159, 255])), "bytes come back as they went in");
        one.drain_async(Some(PATIENT)).await.unwrap();
        drop(worker.await.unwrap());
    });
}

#[test]
fn a_worker_is_woken_by_a_message() {
    let Some(server) = RedisServer::start(&[]) else { return };
    wakes_up(&server, &server.url());
    let upstash = FakeUpstash::start(&server.url());
    server.tell("FLUSHALL");
    wakes_up(&server, &upstash.url());
}

#[test]
fn a_request_costs_three_commands_and_an_idle_worker_next_to_none() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let upstash = FakeUpstash::start(&server.url());
    let queue = RequestQueue::open(&upstash.url(), config("c")).unwrap();
    block_on(async {
        // The scripts are known to the server from here on.
        put(&queue, "first").await;
        get(&queue).await.ack_async(None, None).await.unwrap();
        let before = upstash.commands.load(Ordering::Relaxed);
        for n in 0..20 {
            put(&queue, &n.to_string()).await;
            get(&queue).await.ack_async(None, None).await.unwrap();
        }
        assert_eq!(upstash.commands.load(Ordering::Relaxed) - before, 60);
        let before = upstash.commands.load(Ordering::Relaxed);
        assert!(matches!(queue.get_async(Some(Duration::from_secs(3))).await, Err(Error::Timeout(_))));
        let asked = upstash.commands.load(Ordering::Relaxed) - before;
        // Two looks, one at the end, and one for each word that messages come in now.
        assert!(asked <= 6, "{asked} commands while nothing happened");
    });
}

#[test]
fn turns_of_ones_own_come_in_order_and_end_with_their_callers() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let rule = LimitRule {
        scope: LimitScope::Global,
        concurrency: Some(1),
        requests_per_minute: None,
        tokens_per_minute: None,
    };
    let open = || RequestQueue::open(&server.url(), QueueConfig { limits: vec![rule.clone()], ..config("t") }).unwrap();
    let (one, two) = (open(), open());
    block_on(async {
        let acquire = |queue: &RequestQueue| {
            let queue = queue.clone();
            tokio::spawn(async move {
                queue.acquire(Payload::bytes("question"), PutOptions::default(), Some(PATIENT)).await.unwrap()
            })
        };
        let first = acquire(&one).await.unwrap();
        let second = acquire(&two);
        while one.len().unwrap() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let third = acquire(&one);
        while one.len().unwrap() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(one.store().take(5).await.unwrap().is_empty(), "they are their callers'");
        let id = first.id();
        first.ack_async(Some(Payload::bytes("answer")), None).await.unwrap();
        let second = second.await.unwrap();
        assert!(!third.is_finished());
        // It waits again, behind nobody, without its slot.
        let again = tokio::spawn(second.again(Again { model: Some("m".into()), ..Again::default() }));
        let second = again.await.unwrap().unwrap();
        assert_eq!(second.attempt(), 2);
        drop(second);
        let third = third.await.unwrap();
        assert_eq!(two.status(id).unwrap(), Status::Done);
        third.cancel(None);
        two.drain_async(Some(PATIENT)).await.unwrap();
        assert_eq!(two.stats().unwrap().by_status[5], (Status::Cancelled, 2));
    });
}

#[test]
fn a_server_that_starts_anew_or_forgets_the_scripts_is_found_again() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let queue = RequestQueue::open(&server.url(), config("r")).unwrap();
    block_on(async {
        put(&queue, "0").await;
        assert_eq!(server.tell("SCRIPT FLUSH"), "+OK");
        put(&queue, "1").await;
        server.restart();
        put(&queue, "2").await;
        for n in 0..3 {
            let lease = get(&queue).await;
            assert_eq!(lease.payload().as_bytes(), n.to_string().as_bytes());
            server.tell("CLIENT KILL TYPE normal");
            lease.ack_async(None, None).await.unwrap();
        }
        assert_eq!(queue.len().unwrap(), 0);
    });
}

#[test]
fn a_server_that_does_not_answer_ends_the_callers_patience_and_no_more() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let queue = RequestQueue::open(&server.url(), config("p")).unwrap();
    block_on(async {
        let id = put(&queue, "before").await;
        server.signal(19);
        let paused = queue.put_async(Payload::bytes("x"), PutOptions::default(), Some(Duration::from_secs(1))).await;
        assert!(matches!(&paused, Err(Error::Store(text)) if text.contains("did not answer within 1 s")), "{paused:?}");
        server.signal(18);
        let lease = get(&queue).await;
        assert_eq!(lease.id(), id);
        lease.ack_async(None, None).await.unwrap();
        server.stop();
        let gone = queue.get_async(Some(Duration::from_secs(1))).await;
        assert!(matches!(&gone, Err(Error::Store(text)) if text.contains("refused")), "{gone:?}");
        let url = server.url().replace("redis://", "redis://:hush@");
        let Err(Error::Store(text)) = RequestQueue::open(&url, config("p")) else { panic!("it opened") };
        assert!(!text.contains("hush"), "{text}");
    });
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let Some(server) = RedisServer::start(&["--requirepass", "right"]) else { return };
    for login in ["", ":hush@", "somebody:hush@"] {
        let url = server.url().replace("redis://", &format!("redis://{login}"));
        let Err(Error::Store(text)) = RequestQueue::open(&url, config("a")) else { panic!("{login} opened") };
        assert!(text.contains("refused the login") && !text.contains("hush"), "{text}");
    }
    let url = server.url().replace("redis://", "redis://:right@");
    let queue = RequestQueue::open(&url, config("a")).unwrap();
    assert!(!format!("{queue:?} {}", queue.url()).contains("right"));
    assert_eq!(queue.len().unwrap(), 0);
}

#[test]
fn what_is_sent_again_after_a_lost_reply_is_done_once() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let network = LossyNetwork::before(server.port);
    let queue = RequestQueue::open(&format!("redis://127.0.0.1:{}", network.port), config("l")).unwrap();
    block_on(async {
        put(&queue, "so that the scripts are known").await;
        get(&queue).await.ack_async(None, None).await.unwrap();
        for n in 0..10 {
            network.loses.store(true, Ordering::SeqCst);
            let id = put(&queue, &n.to_string()).await;
            assert!(!network.loses.load(Ordering::SeqCst), "a reply was lost");
            assert_eq!(queue.len().unwrap(), 1);
            let lease = get(&queue).await;
            network.loses.store(true, Ordering::SeqCst);
            lease.ack_async(Some(Payload::bytes("done")), None).await.unwrap();
            assert!(!network.loses.load(Ordering::SeqCst), "a reply was lost");
            assert_eq!(queue.result_async(id, Some(PATIENT)).await.unwrap(), Some(Payload::bytes("done")));
            assert!(matches!(lease.ack_async(None, None).await, Err(Error::LeaseLost(_))), "another ack is another");
        }
        let stats = queue.stats().unwrap();
        assert_eq!((stats.by_status[3], stats.acked), ((Status::Done, 11), 11));
    });
}

#[test]
fn calls_that_come_while_one_is_under_way_go_together() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let upstash = FakeUpstash::start(&server.url());
    let queue = RequestQueue::open(&upstash.url(), config("many")).unwrap();
    block_on(async {
        put(&queue, "first").await;
        let before = upstash.commands.load(Ordering::Relaxed);
        server.signal(19);
        let puts: Vec<_> = (0..60)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { put(&queue, "one of many").await })
            })
            .collect();
        // The first look lets every put begin; when the second is over, all have been asked for.
        for _ in 0..2 {
            assert!(queue.reach().await.unwrap().silent_for.is_some(), "a server that is stopped is silent");
        }
        server.signal(18);
        let mut ids = std::collections::HashSet::new();
        for put in puts {
            assert!(ids.insert(put.await.unwrap()), "each put has an id of its own");
        }
        let asked = upstash.commands.load(Ordering::Relaxed) - before;
        assert!(asked <= 8, "{asked} commands for sixty puts at once, and two looks");
        let leases = queue.get_many_async(100, Some(PATIENT)).await.unwrap();
        assert_eq!(leases.len(), 61);
        let acks = leases.iter().map(|lease| lease.ack_async(None, None));
        assert!(futures_util::future::join_all(acks).await.into_iter().all(|acked| acked.is_ok()));
        let again = leases[0].ack_async(None, None).await;
        assert!(matches!(again, Err(Error::LeaseLost(_))), "{again:?}");
        assert_eq!(queue.len().unwrap(), 0);
    });
}

#[test]
fn a_put_waits_for_a_replica_where_its_address_says_so() {
    let Some(main) = RedisServer::start(&["--repl-diskless-sync-delay", "0"]) else { return };
    let port = main.url().rsplit(':').next().unwrap().to_owned();
    let Some(mut replica) = RedisServer::start(&["--replicaof", "127.0.0.1", &port]) else { return };
    let started = Instant::now();
    while main.tell("WAIT 1 100") != ":1" {
        assert!(started.elapsed() < PATIENT, "the replica does not follow");
    }
    let queue = RequestQueue::open(&format!("{}?wait=1", main.url()), config("w")).unwrap();
    assert!(!queue.url().contains("wait"), "{}", queue.url());
    block_on(async {
        put(&queue, "kept twice").await;
        assert_eq!(replica.tell("HLEN headrace:{queue:w}:records"), ":1", "it is there when the put returns");
        replica.stop();
        let alone =
            queue.put_async(Payload::bytes("kept once"), PutOptions::default(), Some(Duration::from_secs(1))).await;
        let Err(Error::Store(why)) = alone else { panic!("{alone:?}") };
        assert!(why.contains("0 of 1 replicas"), "{why}");
        assert_eq!(main.tell("HLEN headrace:{queue:w}:records"), ":2", "it is done all the same");
    });
}
