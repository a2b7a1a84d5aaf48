//! What every store of a queue has to do, through the trait alone and by a clock that the test moves.

use headrace::clock::ManualClock;
use headrace::queue::{
    Acked, Handout, LeaseEnd, LimitRule, LimitScope, Priority, PutOptions, QueueConfig, QueueStore, RequestId, Status,
};
use headrace::{Error, Payload};
use std::sync::Arc;
use std::time::Duration;

/// Opens handles of one store, all with one clock.
pub struct Stores<'a> {
    pub open: &'a dyn Fn(QueueConfig) -> Arc<dyn QueueStore>,
    pub clock: ManualClock,
}

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn payload(n: usize) -> Payload {
    Payload::bytes(n.to_string())
}

async fn put(store: &dyn QueueStore, n: usize, options: PutOptions) -> RequestId {
    store.put(vec![payload(n)], options).await.expect("room")[0]
}

async fn take_one(store: &dyn QueueStore) -> Option<Handout> {
    store.take(1).await.expect("a store").pop()
}

fn number(handout: &Handout) -> usize {
    std::str::from_utf8(handout.payload.as_bytes()).expect("a text").parse().expect("a number")
}

async fn ack(store: &dyn QueueStore, handout: &Handout) -> headrace::Result<()> {
    store.settle(handout.id, handout.attempt, LeaseEnd::Ack { result: None, tokens: None }).await
}

fn nack(delay: u64, retry: bool) -> LeaseEnd {
    LeaseEnd::Nack { error: "no".into(), delay: Some(second(delay)), retry }
}

/// All of it, each part on a store of its own.
pub async fn all(make: &mut dyn FnMut() -> (Box<dyn Fn(QueueConfig) -> Arc<dyn QueueStore>>, ManualClock)) {
    macro_rules! each {
        ($($part:ident),* $(,)?) => {$({
            let (open, clock) = make();
            $part(Stores { open: &*open, clock }).await;
        })*};
    }
    each!(
        a_life,
        one_order_through_all_handles,
        room_is_common,
        limits_are_common,
        rates_are_common,
        a_key_is_common,
        a_pause_is_common,
        time_brings_about_the_same_everywhere,
        leases_run_out,
        what_is_cancelled_is_over,
        dead_letters_come_back,
        what_is_old_is_forgotten,
    );
}

async fn a_life(stores: Stores<'_>) {
    let (one, two) = ((stores.open)(QueueConfig::default()), (stores.open)(QueueConfig::default()));
    let id = put(&*one, 1, PutOptions::default()).await;
    assert_eq!(two.look(id).await.expect("a store"), Some(Status::Waiting));
    assert!(two.result(id).await.expect("a store").is_none());
    let handout = take_one(&*two).await.expect("a request");
    assert_eq!((handout.id, handout.attempt, number(&handout)), (id, 1, 1));
    assert!(take_one(&*one).await.is_none());
    assert_eq!(one.look(id).await.expect("a store"), Some(Status::Leased));
    let result = Some(Payload::bytes("answer"));
    one.settle(id, 1, LeaseEnd::Ack { result: result.clone(), tokens: None }).await.expect("the lease");
    assert_eq!(two.look(id).await.expect("a store"), Some(Status::Done));
    assert_eq!(two.result(id).await.expect("done"), Some(Acked { result }));
    assert!(matches!(ack(&*two, &handout).await, Err(Error::LeaseLost(_))));
    assert!(two.look(RequestId(999)).await.expect("a store").is_none());
}

async fn one_order_through_all_handles(stores: Stores<'_>) {
    let handles: Vec<_> = (0..3).map(|_| (stores.open)(QueueConfig::default())).collect();
    for n in 0..12 {
        let priority = Priority::ALL[n % 4];
        put(&*handles[n % 3], n, PutOptions { priority, ..PutOptions::default() }).await;
        stores.clock.advance(Duration::from_millis(1));
    }
    let mut order = Vec::new();
    for n in 0..12 {
        order.push(number(&take_one(&*handles[(n + 1) % 3]).await.expect("a request")));
    }
    assert_eq!(order, [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    for (n, tenant) in ["a", "a", "a", "a", "b", "b"].iter().enumerate() {
        put(&*handles[n % 3], n, PutOptions { tenant: Some(Arc::from(*tenant)), ..PutOptions::default() }).await;
    }
    let mut tenants = Vec::new();
    for n in 0..4 {
        tenants.push(take_one(&*handles[n % 3]).await.expect("a request").tenant);
    }
    assert_eq!(tenants.iter().filter(|tenant| &***tenant == "b").count(), 2, "{tenants:?}");
}

async fn room_is_common(stores: Stores<'_>) {
    let config = QueueConfig { max_size: Some(3), max_bytes: Some(10), ..QueueConfig::default() };
    let (one, two) = ((stores.open)(config.clone()), (stores.open)(config));
    one.put(vec![payload(1), payload(2)], PutOptions::default()).await.expect("room");
    let many = two.put(vec![payload(3), payload(4)], PutOptions::default()).await;
    assert!(matches!(many, Err(Error::QueueFull(_))), "all or none");
    let large = two.put(vec![Payload::bytes([0; 9])], PutOptions::default()).await;
    assert!(matches!(large, Err(Error::QueueFull(_))));
    put(&*two, 3, PutOptions::default()).await;
    assert!(matches!(one.put(vec![payload(4)], PutOptions::default()).await, Err(Error::QueueFull(_))));
    let handout = take_one(&*one).await.expect("a request");
    assert!(matches!(two.put(vec![payload(4)], PutOptions::default()).await, Err(Error::QueueFull(_))));
    ack(&*one, &handout).await.expect("the lease");
    put(&*two, 4, PutOptions::default()).await;
}

fn limited(rule: LimitRule) -> QueueConfig {
    QueueConfig { limits: vec![rule], ..QueueConfig::default() }
}

fn rule(concurrency: Option<u64>, requests: Option<u64>, tokens: Option<u64>) -> LimitRule {
    LimitRule { scope: LimitScope::Global, concurrency, requests_per_minute: requests, tokens_per_minute: tokens }
}

async fn limits_are_common(stores: Stores<'_>) {
    let config = limited(rule(Some(3), None, None));
    let (one, two) = ((stores.open)(config.clone()), (stores.open)(config));
    one.put((0..8).map(payload).collect(), PutOptions::default()).await.expect("room");
    let mut held = one.take(2).await.expect("a store");
    held.extend(two.take(8).await.expect("a store"));
    assert_eq!(held.iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(one.take(1).await.expect("a store").is_empty());
    two.settle(held[0].id, 1, nack(100, true)).await.expect("the lease");
    assert_eq!(one.take(8).await.expect("a store").len(), 1);
    assert!(two.take(8).await.expect("a store").is_empty());
}

async fn rates_are_common(stores: Stores<'_>) {
    let config = QueueConfig { lease: second(1000), ..limited(rule(None, Some(3), Some(100))) };
    let (one, two) = ((stores.open)(config.clone()), (stores.open)(config));
    let of = |tokens| PutOptions { estimated_tokens: tokens, ..PutOptions::default() };
    for n in 0..4 {
        put(&*one, n, of(10)).await;
    }
    let first = take_one(&*one).await.expect("a request");
    ack(&*one, &first).await.expect("the lease");
    stores.clock.advance(second(10));
    assert_eq!(two.take(8).await.expect("a store").len(), 2);
    assert!(one.take(8).await.expect("a store").is_empty(), "three requests have left in this minute");
    stores.clock.advance(second(50));
    assert_eq!(one.take(8).await.expect("a store").len(), 1, "the first has left the window");
    stores.clock.advance(second(60));
    put(&*two, 5, of(90)).await;
    put(&*two, 6, of(20)).await;
    assert_eq!(number(&take_one(&*two).await.expect("a request")), 5);
    assert!(take_one(&*one).await.is_none(), "the tokens of this minute are used");
    stores.clock.advance(second(60));
    assert_eq!(number(&take_one(&*one).await.expect("a request")), 6);
}

async fn a_key_is_common(stores: Stores<'_>) {
    let (one, two) = ((stores.open)(QueueConfig::default()), (stores.open)(QueueConfig::default()));
    let keyed = || PutOptions { key: Some(Arc::from("k")), ..PutOptions::default() };
    let id = put(&*one, 1, keyed()).await;
    assert_eq!(put(&*two, 2, keyed()).await, id);
    let handout = take_one(&*two).await.expect("a request");
    assert_eq!(number(&handout), 1);
    ack(&*two, &handout).await.expect("the lease");
    assert_eq!(put(&*one, 3, keyed()).await, id);
    assert!(take_one(&*one).await.is_none());
}

async fn a_pause_is_common(stores: Stores<'_>) {
    let (one, two) = ((stores.open)(QueueConfig::default()), (stores.open)(QueueConfig::default()));
    put(&*one, 1, PutOptions::default()).await;
    one.pause(true).await.expect("a store");
    assert!(take_one(&*two).await.is_none());
    assert!(two.stats().await.expect("a store").paused);
    two.pause(false).await.expect("a store");
    assert!(take_one(&*one).await.is_some());
}

async fn time_brings_about_the_same_everywhere(stores: Stores<'_>) {
    let (one, two) = ((stores.open)(QueueConfig::default()), (stores.open)(QueueConfig::default()));
    let late = put(&*one, 1, PutOptions { delay: second(10), ..PutOptions::default() }).await;
    let brief = put(&*one, 2, PutOptions { deadline: Some(second(5)), ..PutOptions::default() }).await;
    let low = put(&*one, 3, PutOptions { priority: Priority::Low, ..PutOptions::default() }).await;
    assert_eq!(two.look(late).await.expect("a store"), Some(Status::Scheduled));
    stores.clock.advance(second(10));
    assert_eq!(two.look(late).await.expect("a store"), Some(Status::Waiting));
    assert_eq!(one.look(brief).await.expect("a store"), Some(Status::Dead));
    assert!(matches!(two.result(brief).await, Err(Error::RequestFailed(_))));
    stores.clock.advance(second(90));
    put(&*two, 4, PutOptions::default()).await;
    let first = take_one(&*two).await.expect("a request");
    assert_eq!(first.id, low, "the low one rose: it has waited for longer");
    assert_eq!(number(&take_one(&*one).await.expect("a request")), 1);
    assert_eq!(number(&take_one(&*two).await.expect("a request")), 4);
}

async fn leases_run_out(stores: Stores<'_>) {
    let config = QueueConfig { lease: second(20), max_attempts: 2, ..QueueConfig::default() };
    let (one, two) = ((stores.open)(config.clone()), (stores.open)(config));
    let id = put(&*one, 1, PutOptions::default()).await;
    let first = take_one(&*one).await.expect("a request");
    two.extend(id, 1, second(40)).await.expect("the lease");
    stores.clock.advance(second(30));
    assert!(take_one(&*two).await.is_none(), "it was extended");
    stores.clock.advance(second(10));
    assert!(matches!(ack(&*one, &first).await, Err(Error::LeaseLost(_))));
    let second_lease = take_one(&*two).await.expect("again");
    assert_eq!((second_lease.id, second_lease.attempt), (id, 2));
    assert!(matches!(ack(&*one, &first).await, Err(Error::LeaseLost(_))));
    stores.clock.advance(second(20));
    assert_eq!(one.look(id).await.expect("a store"), Some(Status::Dead), "its attempts are used up");
    let lost = two.extend(id, 2, second(1)).await;
    assert!(matches!(lost, Err(Error::LeaseLost(_))));
}

async fn what_is_cancelled_is_over(stores: Stores<'_>) {
    let (one, two) = ((stores.open)(QueueConfig::default()), (stores.open)(QueueConfig::default()));
    let (leased, waiting) = (put(&*one, 1, PutOptions::default()).await, put(&*one, 2, PutOptions::default()).await);
    let handout = take_one(&*one).await.expect("a request");
    for id in [leased, waiting] {
        assert!(two.cancel(id).await.expect("known"));
        assert!(!one.cancel(id).await.expect("known"));
        assert!(matches!(one.result(id).await, Err(Error::RequestCancelled(_))));
    }
    assert!(matches!(ack(&*one, &handout).await, Err(Error::LeaseLost(_))));
    assert!(take_one(&*one).await.is_none());
    assert!(matches!(two.cancel(RequestId(999)).await, Err(Error::InvalidArgument(_))));
}

async fn dead_letters_come_back(stores: Stores<'_>) {
    let (one, two) = ((stores.open)(QueueConfig::default()), (stores.open)(QueueConfig::default()));
    let id = put(&*one, 1, PutOptions::default()).await;
    let handout = take_one(&*one).await.expect("a request");
    assert!(two.revive(id).await.is_err(), "it is not dead");
    two.settle(handout.id, 1, nack(0, false)).await.expect("the lease");
    let letters = one.dead().await.expect("a store");
    let (letter, none) = (&letters[0], letters.get(1));
    assert_eq!((letter.id, &*letter.reason, letter.payload.clone()), (id, "no", Some(payload(1))));
    assert!(none.is_none());
    one.revive(id).await.expect("a dead letter");
    let again = take_one(&*two).await.expect("a request");
    assert_eq!((again.id, again.attempt), (id, 1));
}

async fn what_is_old_is_forgotten(stores: Stores<'_>) {
    let config = QueueConfig { keep_results: second(60), keep_keys: second(600), ..QueueConfig::default() };
    let (one, two) = ((stores.open)(config.clone()), (stores.open)(config));
    let plain = put(&*one, 1, PutOptions::default()).await;
    let keyed = put(&*one, 2, PutOptions { key: Some(Arc::from("k")), ..PutOptions::default() }).await;
    for handout in one.take(2).await.expect("a store") {
        ack(&*one, &handout).await.expect("the lease");
    }
    let newest = put(&*one, 3, PutOptions::default()).await;
    stores.clock.advance(second(100));
    two.purge().await.expect("a store");
    assert_eq!(one.look(newest).await.expect("a store"), Some(Status::Waiting));
    let late = (stores.open)(QueueConfig::default());
    assert_eq!(late.look(keyed).await.expect("a store"), Some(Status::Done));
    assert!(late.look(plain).await.expect("a store").is_none());
}
