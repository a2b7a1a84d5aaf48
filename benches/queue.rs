//! What the queue's core costs, without Python: one request through, a thousand at once, one among a million, and on disk.
#![allow(clippy::expect_used)] // a bench that cannot begin may stop

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;
use headrace::Payload;
use headrace::queue::{PutOptions, QueueConfig, RequestQueue};
use std::hint::black_box;
use tokio::runtime::Builder;

const MANY: usize = 1000;

fn body() -> Payload {
    Payload::bytes([b'x'; 512])
}

fn open(url: &str) -> RequestQueue {
    RequestQueue::open(url, QueueConfig::default()).expect("a queue")
}

fn through(queue: &RequestQueue, body: &Payload, options: &PutOptions) {
    queue.put(body.clone(), options).expect("room");
    let lease = queue.try_get().expect("an open queue").expect("a request");
    lease.ack(None, None).expect("a lease");
}

fn memory(criterion: &mut Criterion) {
    let (options, body) = (PutOptions::default(), body());
    for waiting in [0, 1000, 1_000_000] {
        let queue = open("memory://");
        for _ in 0..waiting / MANY {
            queue.put_many(vec![body.clone(); MANY], &options).expect("room");
        }
        criterion.bench_function(&format!("queue/put, get, ack, {waiting} waiting"), |bench| {
            bench.iter(|| through(&queue, &body, &options));
        });
    }
    let queue = open("memory://");
    criterion.bench_function("queue/acquire, ack", |bench| {
        bench.iter(|| {
            let turn = queue.acquire(Payload::bytes([]), options.clone(), None).now_or_never();
            turn.expect("nothing in the way").expect("an open queue").ack(None, None).expect("a lease");
        });
    });
    let queue = open("memory://");
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Elements(MANY as u64));
    group.bench_function("put_many, get_many, ack", |bench| {
        bench.iter(|| {
            black_box(queue.put_many(vec![body.clone(); MANY], &options)).expect("room");
            for lease in queue.try_get_many(MANY).expect("an open queue") {
                lease.ack(None, None).expect("a lease");
            }
        });
    });
    group.finish();
}

fn durable(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let queue = open(&format!("sqlite://{}/queue.db", directory.path().display()));
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("queue");
    group.sample_size(20);
    group.bench_function("durable put", |bench| {
        bench.iter(|| runtime.block_on(queue.put_async(body(), PutOptions::default(), None)).expect("a disk"));
    });
    group.finish();
}

criterion_group!(benches, memory, durable);
criterion_main!(benches);
