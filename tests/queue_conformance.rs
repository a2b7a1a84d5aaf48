//! The conformance suite of `QueueStore` on every store, and by four processes.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "conformance/queue.rs"]
mod conformance;

use headrace::Payload;
use headrace::clock::ManualClock;
use headrace::queue::{Again, Lease, LimitRule, LimitScope, PutOptions, QueueConfig, QueueStore, RequestQueue, Status};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "HEADRACE_TEST_QUEUE";
const OWNED: &str = "HEADRACE_TEST_OWNED_QUEUE";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn clock() -> ManualClock {
    ManualClock::new(Duration::from_secs(1_700_000_000))
}

type Open = Box<dyn Fn(QueueConfig) -> Arc<dyn QueueStore>>;

#[test]
fn in_memory() {
    // Handles of a queue in memory are clones.
    block_on(conformance::all(&mut || {
        let clock = clock();
        let (by, first) = (clock.clone(), std::cell::OnceCell::<RequestQueue>::new());
        let open: Open = Box::new(move |config| {
            first
                .get_or_init(|| RequestQueue::open_with_clock("memory://", config, Arc::new(by.clone())).unwrap())
                .store()
        });
        (open, clock)
    }));
}

#[test]
fn on_a_file() {
    let mut directories = Vec::new();
    block_on(conformance::all(&mut || {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:///{}/q.db", directory.path().display());
        directories.push(directory);
        let clock = clock();
        let by = clock.clone();
        let open: Open =
            Box::new(move |config| RequestQueue::open_with_clock(&url, config, Arc::new(by.clone())).unwrap().store());
        (open, clock)
    }));
}

/// The other process of the tests below: takes what it gets and says so, until it is told that there is no more.
#[test]
fn a_worker_of_another_process() {
    let Ok(url) = std::env::var(FILE) else { return };
    let queue = RequestQueue::open(&url, four()).unwrap();
    block_on(async {
        loop {
            let lease = queue.get_async(None).await.unwrap();
            lease.accept();
            if lease.payload().is_empty() {
                lease.ack_async(None, None).await.unwrap();
                return;
            }
            println!("took {}", String::from_utf8_lossy(lease.payload().as_bytes()));
            lease.ack_async(None, None).await.unwrap();
        }
    });
}

fn four() -> QueueConfig {
    let limit = LimitRule {
        scope: LimitScope::Global,
        concurrency: Some(2),
        requests_per_minute: None,
        tokens_per_minute: None,
    };
    QueueConfig { limits: vec![limit], ..QueueConfig::default() }
}

#[test]
fn four_processes_share_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/q.db", directory.path().display());
    let queue = RequestQueue::open(&url, four()).unwrap();
    let worker = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_worker_of_another_process", "--nocapture"])
            .env(FILE, &url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let workers: Vec<_> = (0..4).map(|_| worker()).collect();
    block_on(async {
        for n in 0..100 {
            queue.put_async(Payload::bytes(n.to_string()), PutOptions::default(), None).await.unwrap();
        }
        let last = PutOptions { priority: headrace::queue::Priority::Low, ..PutOptions::default() };
        for _ in 0..4 {
            queue.put_async(Payload::bytes([]), last.clone(), None).await.unwrap();
        }
        queue.drain_async(None).await.unwrap();
    });
    let mut taken = Vec::new();
    for mut worker in workers {
        let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
        // The harness writes beside it.
        taken.extend(lines.map(Result::unwrap).filter_map(|line| {
            let (_, number) = line.split_once("took ")?;
            number.parse::<u32>().ok()
        }));
        assert!(worker.wait().unwrap().success());
    }
    assert_eq!(taken.len(), 100, "none twice");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), (0..100).collect());
}

struct OnFile {
    url: String,
    clock: ManualClock,
    _directory: tempfile::TempDir,
}

impl OnFile {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:///{}/q.db", directory.path().display());
        Self { url, clock: clock(), _directory: directory }
    }

    fn open(&self) -> RequestQueue {
        let limit = LimitRule {
            scope: LimitScope::Global,
            concurrency: Some(1),
            requests_per_minute: None,
            tokens_per_minute: None,
        };
        let config = QueueConfig { limits: vec![limit], ..QueueConfig::default() };
        RequestQueue::open_with_clock(&self.url, config, Arc::new(self.clock.clone())).unwrap()
    }
}

async fn acquire(queue: &RequestQueue) -> headrace::Result<Lease> {
    queue.acquire(Payload::bytes("question"), PutOptions::default(), None).await
}

#[test]
fn turns_on_a_file_are_their_callers_and_end_with_them() {
    let file = OnFile::new();
    block_on(async {
        let (one, two) = (file.open(), file.open());
        let first = acquire(&one).await.unwrap();
        let waiting = tokio::spawn({
            let two = two.clone();
            async move { acquire(&two).await.unwrap().id() }
        });
        while one.len().unwrap() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(one.store().take(5).await.unwrap().is_empty());
        let id = first.id();
        first.ack_async(Some(Payload::bytes("answer")), Some(5)).await.unwrap();
        // Nobody moves the clock: the other handle hears of it.
        let other = waiting.await.unwrap();
        assert_eq!(one.status(id).unwrap(), Status::Done);
        assert_ne!(other, id);
        // Its lease was dropped with its task.
        one.drain_async(None).await.unwrap();
        assert_eq!(two.status(other).unwrap(), Status::Cancelled);
        assert!(two.dead().unwrap().is_empty());
    });
}

#[test]
fn a_turn_on_a_file_is_paused_without_its_slot() {
    let file = OnFile::new();
    block_on(async {
        let queue = file.open();
        let lease = acquire(&queue).await.unwrap();
        let id = lease.id();
        let again = tokio::spawn(lease.again(Again { delay: Duration::from_secs(5), ..Again::default() }));
        while queue.status(id).unwrap() != Status::Scheduled {
            tokio::task::yield_now().await;
        }
        let other = acquire(&queue).await.unwrap();
        file.clock.advance(Duration::from_secs(6));
        drop(other);
        let lease = again.await.unwrap().unwrap();
        assert_eq!((lease.id(), lease.attempt()), (id, 2));
        lease.cancel(Some(0));
        queue.drain_async(None).await.unwrap();
        assert_eq!(queue.status(id).unwrap(), Status::Cancelled);
    });
}

/// The other process of the test below: waits for turns until it is killed.
#[test]
fn an_owner_in_another_process() {
    let Ok(url) = std::env::var(OWNED) else { return };
    let queue = RequestQueue::open(&url, QueueConfig { limits: four().limits, ..QueueConfig::default() }).unwrap();
    block_on(async {
        let (one, two, three) = (acquire(&queue).await.unwrap(), acquire(&queue).await.unwrap(), acquire(&queue));
        println!("owns {} {}", one.id().0, two.id().0);
        three.await.unwrap();
    });
}

#[test]
fn orphans_are_adopted_when_their_owner_is_silent() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/q.db", directory.path().display());
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_owner_in_another_process", "--nocapture"])
        .env(OWNED, &url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("owns 1 2")));
    let queue = RequestQueue::open(&url, four()).unwrap();
    block_on(async {
        // The third waits for its turn: two are leased.
        while queue.len().unwrap() < 3 {
            tokio::task::yield_now().await;
        }
        assert!(queue.store().take(5).await.unwrap().is_empty(), "they are nobody else's");
        owner.kill().unwrap();
        owner.wait().unwrap();
        // An hour later nothing was heard of it.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let later = ManualClock::new(now + Duration::from_hours(1));
        let heir = RequestQueue::open_with_clock(&url, four(), Arc::new(later)).unwrap();
        assert!(heir.store().take(5).await.unwrap().is_empty(), "orphans are for those who adopt");
        let orphans = heir.adopt(5, Some(Duration::ZERO)).await.unwrap();
        let known: Vec<_> = orphans.iter().map(|orphan| (orphan.id().0, orphan.attempt())).collect();
        assert_eq!(known, [(1, 2), (2, 2)], "the limit holds for them as well");
        assert_eq!(orphans[0].payload().as_bytes(), b"question");
        // One that is handed back is an orphan again.
        drop(orphans);
        let mut answered = Vec::new();
        while heir.len().unwrap() > 0 {
            for orphan in heir.adopt(1, Some(Duration::from_mins(1))).await.unwrap() {
                answered.push(orphan.id().0);
                orphan.ack_async(Some(Payload::bytes("late")), None).await.unwrap();
            }
        }
        assert_eq!(answered, [1, 2, 3]);
    });
}
