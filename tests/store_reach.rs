//! Whether the servers of a client's stores answer, as the client and its endpoint tell it.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod servers;

use headrace::cache::{CacheConfig, SemanticCache};
use headrace::client::{Client, ClientConfig};
use headrace::cost::CostTracker;
use headrace::cost::price::PriceTable;
use headrace::gateway::{Gateway, GatewayConfig};
use headrace::provider::simulated::{Simulated, SimulatedConfig};
use headrace::queue::{QueueConfig, RequestQueue};
use servers::RedisServer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const PATIENT: Duration = Duration::from_mins(1);

fn client(shared: &str, cache: &str) -> Client {
    let cache = CacheConfig { url: cache.into(), ..CacheConfig::default() };
    let queue = RequestQueue::open(shared, QueueConfig::default()).unwrap();
    let costs = CostTracker::open(shared, PriceTable::builtin()).unwrap();
    let provider = Arc::new(Simulated::new(SimulatedConfig::default()));
    let cache = Some(SemanticCache::open(cache).unwrap());
    Client::new(ClientConfig { cache, ..ClientConfig::new(vec![provider], queue, costs) }).unwrap()
}

async fn get(gateway: &Gateway, path: &str) -> (u16, String) {
    let mut exchange = gateway.in_process().exchange("GET", path, [], Vec::new()).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = exchange.next().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    (exchange.status(), String::from_utf8(text).unwrap())
}

async fn until(gateway: &Gateway, wanted: impl Fn(u16, &str) -> bool) {
    let started = Instant::now();
    loop {
        let (status, text) = get(gateway, "/readyz").await;
        if wanted(status, &text) {
            return;
        }
        assert!(started.elapsed() < PATIENT, "{status}: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_by_readyz_and_metrics() {
    let Some(mut shared) = RedisServer::start(&["--appendonly", "yes"]) else { return };
    let Some(mut cached) = RedisServer::start(&[]) else { return };
    let gateway = Gateway::new(client(&shared.url(), &cached.url()), GatewayConfig::default());
    assert_eq!(get(&gateway, "/readyz").await, (200, "ready".into()));
    let (status, metrics) = get(&gateway, "/metrics").await;
    assert_eq!(status, 200, "{metrics}");
    for store in ["queue", "costs", "cache"] {
        assert!(metrics.contains(&format!("headrace_store_up{{store=\"{store}\"}} 1\n")), "{metrics}");
    }

    cached.stop();
    // The cache is open: calls are let in.
    until(&gateway, |status, text| status == 200 && text.contains("\ncache: redis:// has not answered for ")).await;
    let (status, metrics) = get(&gateway, "/metrics").await;
    assert_eq!(status, 200, "{metrics}");
    assert!(metrics.contains("headrace_store_up{store=\"cache\"} 0\n"), "{metrics}");
    assert!(metrics.contains("headrace_calls_in_flight 0"), "{metrics}");

    shared.stop();
    until(&gateway, |status, text| {
        status == 503 && text.starts_with("not ready\n") && text.contains("\nqueue: ") && text.contains("\ncosts: ")
    })
    .await;
    let (status, metrics) = get(&gateway, "/metrics").await;
    assert_eq!(status, 200, "{metrics}");
    assert!(metrics.contains("headrace_store_up{store=\"costs\"} 0\n"), "{metrics}");

    shared.start_again();
    cached.start_again();
    until(&gateway, |status, text| status == 200 && text == "ready").await;
}
