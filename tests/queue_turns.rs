//! Turns of one's own (`RequestQueue::acquire`): who gets them, what limits count, and what is left when a caller leaves.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use futures_util::FutureExt;
use headrace::clock::ManualClock;
use headrace::queue::{Again, Lease, LimitRule, LimitScope, PutOptions, QueueConfig, RequestQueue, Status};
use headrace::{Error, Payload, Result};
use std::sync::Arc;
use std::time::Duration;

fn nothing() -> Payload {
    Payload::bytes([])
}

fn limited(concurrency: Option<u64>, requests_per_minute: Option<u64>) -> (RequestQueue, ManualClock) {
    let rule = LimitRule { scope: LimitScope::Global, concurrency, requests_per_minute, tokens_per_minute: None };
    let config = QueueConfig { limits: vec![rule], ..QueueConfig::default() };
    let clock = ManualClock::new(Duration::from_secs(1_700_000_000));
    (RequestQueue::open_with_clock("memory://", config, Arc::new(clock.clone())).unwrap(), clock)
}

fn now(queue: &RequestQueue) -> Option<Result<Lease>> {
    queue.acquire(nothing(), PutOptions::default(), None).now_or_never()
}

fn boxed(queue: &RequestQueue) -> std::pin::Pin<Box<dyn Future<Output = Result<Lease>> + Send>> {
    let queue = queue.clone();
    Box::pin(async move { queue.acquire(nothing(), PutOptions::default(), None).await })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn where_nothing_is_in_the_way_it_is_ready_at_the_first_poll_without_a_runtime() {
    let queue = RequestQueue::open("memory://", QueueConfig::default()).unwrap();
    let lease = now(&queue).expect("ready").unwrap();
    assert_eq!((lease.attempt(), queue.status(lease.id()).unwrap()), (1, Status::Leased));
    lease.ack(Some(Payload::bytes("answer")), Some(7)).unwrap();
    assert_eq!(queue.status(lease.id()).unwrap(), Status::Done);
    assert_eq!(queue.len().unwrap(), 0);
}

#[test]
fn a_worker_is_never_given_anothers_turn_and_a_turn_is_never_a_workers() {
    let (queue, _) = limited(Some(1), None);
    let first = now(&queue).unwrap().unwrap();
    block_on(async {
        let mut second = boxed(&queue);
        assert!(futures_util::poll!(&mut second).is_pending());
        queue.put(Payload::bytes("work"), &PutOptions::default()).unwrap();
        assert!(queue.try_get().unwrap().is_none());
        first.ack(None, None).unwrap();
        // The slot is the waiting turn's, which was put before the work.
        assert!(queue.try_get().unwrap().is_none());
        let second = second.await.unwrap();
        assert!(queue.try_get().unwrap().is_none());
        drop(second);
        let work = queue.try_get().unwrap().expect("the work");
        assert_eq!(work.payload().as_bytes(), b"work");
        work.ack(None, None).unwrap();
    });
    assert_eq!(queue.len().unwrap(), 0);
}

#[test]
fn turns_come_in_order() {
    let (queue, _) = limited(Some(1), None);
    let mut lease = now(&queue).unwrap().unwrap();
    block_on(async {
        let mut waiting: Vec<_> = (0..5).map(|_| boxed(&queue)).collect();
        for turn in &mut waiting {
            assert!(futures_util::poll!(turn).is_pending());
        }
        for _ in 0..5 {
            drop(lease);
            let mut next = waiting.remove(0);
            lease = next.as_mut().now_or_never().expect("the oldest is next").unwrap();
            for turn in &mut waiting {
                assert!(futures_util::poll!(turn).is_pending());
            }
        }
    });
}

#[test]
fn who_leaves_takes_the_request_along_on_a_thread_without_a_runtime_too() {
    let (queue, _) = limited(Some(1), None);
    let lease = now(&queue).unwrap().unwrap();
    let mut waiting = boxed(&queue);
    block_on(async { assert!(futures_util::poll!(&mut waiting).is_pending()) });
    assert_eq!(queue.len().unwrap(), 2);
    std::thread::spawn(move || drop(waiting)).join().unwrap();
    assert_eq!(queue.len().unwrap(), 1);
    std::thread::spawn(move || drop(lease)).join().unwrap();
    assert_eq!(queue.len().unwrap(), 0);
    assert!(queue.dead().unwrap().is_empty());
    assert!(now(&queue).is_some(), "the slot is free");
}

#[test]
fn a_turn_that_came_to_one_who_has_just_left_goes_to_the_next() {
    let (queue, _) = limited(Some(1), None);
    let lease = now(&queue).unwrap().unwrap();
    block_on(async {
        let (mut one, mut two) = (boxed(&queue), boxed(&queue));
        assert!(futures_util::poll!(&mut one).is_pending());
        assert!(futures_util::poll!(&mut two).is_pending());
        drop(lease);
        drop(one);
        assert!(two.as_mut().now_or_never().is_some());
    });
    assert_eq!(queue.len().unwrap(), 0);
}

#[test]
fn a_pause_frees_the_slot_and_counts_one_more_request() {
    let (queue, clock) = limited(Some(1), Some(3));
    let lease = now(&queue).unwrap().unwrap();
    let (id, pause) = (lease.id(), Duration::from_secs(5));
    block_on(async {
        let mut again = Box::pin(lease.again(Again { delay: pause, ..Again::default() }));
        assert!(futures_util::poll!(&mut again).is_pending());
        assert_eq!(queue.status(id).unwrap(), Status::Scheduled);
        let other = now(&queue).expect("the slot is free meanwhile").unwrap();
        clock.advance(pause);
        assert!(futures_util::poll!(&mut again).is_pending(), "the other has the slot");
        drop(other);
        let mut lease = again.now_or_never().expect("its turn again").unwrap();
        assert_eq!((lease.id(), lease.attempt()), (id, 2));
        let mut fourth = Box::pin(lease.again(Again::default()));
        assert!(futures_util::poll!(&mut fourth).is_pending(), "three requests left in this minute");
        clock.advance(Duration::from_mins(1));
        assert!(queue.try_get().unwrap().is_none());
        lease = fourth.now_or_never().expect("a new minute").unwrap();
        for _ in 0..10 {
            clock.advance(Duration::from_mins(1));
            lease = lease.again(Again::default()).now_or_never().expect("no end of attempts").unwrap();
        }
        assert_eq!(queue.status(id).unwrap(), Status::Leased);
        lease.ack(None, None).unwrap();
    });
}

#[test]
fn another_way_counts_against_the_limits_there() {
    let of = |model: &str| LimitRule {
        scope: LimitScope::Model(Arc::from(model)),
        concurrency: Some(1),
        requests_per_minute: None,
        tokens_per_minute: None,
    };
    let config = QueueConfig { limits: vec![of("small"), of("big")], ..QueueConfig::default() };
    let queue = RequestQueue::open("memory://", config).unwrap();
    let to = |model: &str| PutOptions { model: Some(Arc::from(model)), ..PutOptions::default() };
    let acquire = |model: &str| queue.acquire(nothing(), to(model), None).now_or_never();
    let lease = acquire("small").unwrap().unwrap();
    let again = Again { model: Some(Arc::from("big")), ..Again::default() };
    let lease = lease.again(again).now_or_never().unwrap().unwrap();
    let _small = acquire("small").expect("the first model is free again").unwrap();
    block_on(async { assert!(acquire("big").is_none(), "the second has its one") });
    drop(lease);
    assert!(acquire("big").is_some());
}

#[test]
fn what_comes_too_late_leaves_nothing_behind() {
    let (queue, _) = limited(Some(1), None);
    let _lease = now(&queue).unwrap().unwrap();
    block_on(async {
        let late = queue.acquire(nothing(), PutOptions::default(), Some(Duration::from_millis(1))).await;
        assert!(matches!(late, Err(Error::Timeout(_))), "{late:?}");
    });
    assert_eq!(queue.len().unwrap(), 1);
    assert!(queue.dead().unwrap().is_empty());
}

#[test]
fn a_wait_ends_when_its_request_is_cancelled_or_the_queue_closed() {
    let (queue, _) = limited(Some(1), None);
    let lease = now(&queue).unwrap().unwrap();
    block_on(async {
        let (mut one, mut two) = (boxed(&queue), boxed(&queue));
        assert!(futures_util::poll!(&mut one).is_pending());
        assert!(futures_util::poll!(&mut two).is_pending());
        let second = headrace::queue::RequestId(lease.id().0 + 1);
        assert!(queue.cancel_async(second).await.unwrap());
        assert!(matches!(one.await, Err(Error::RequestCancelled(_))));
        queue.close();
        assert!(matches!(two.await, Err(Error::QueueClosed(_))));
    });
}

#[test]
fn a_full_queue_is_waited_for() {
    let config = QueueConfig { max_size: Some(1), ..QueueConfig::default() };
    let queue = RequestQueue::open("memory://", config).unwrap();
    let lease = now(&queue).unwrap().unwrap();
    block_on(async {
        let late = queue.acquire(nothing(), PutOptions::default(), Some(Duration::ZERO)).await;
        assert!(matches!(late, Err(Error::Timeout(_))), "{late:?}");
        let mut next = boxed(&queue);
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(lease);
        assert!(next.await.is_ok());
    });
}

#[test]
fn many_threads_share_a_limit_and_all_come_through() {
    let (queue, _) = limited(Some(3), None);
    let running = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                block_on(async {
                    for _ in 0..50 {
                        let lease = queue.acquire(nothing(), PutOptions::default(), None).await.unwrap();
                        assert!(running.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 3);
                        tokio::task::yield_now().await;
                        running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        lease.ack(None, None).unwrap();
                    }
                });
            });
        }
    });
    assert_eq!(queue.len().unwrap(), 0);
}
