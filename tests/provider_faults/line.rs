//! A whole line before a scripted provider: client, queue, budget, ledger, cache.

use crate::raw::{KEY, reply, stream};
use headrace::Result;
use headrace::cache::{CacheConfig, SemanticCache};
use headrace::client::{ChatCall, Client, ClientConfig};
use headrace::cost::budget::Budget;
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{CostRecord, CostTracker, Filter};
use headrace::provider::{BreakerConfig, HttpProvider, HttpProviderConfig, RetryPolicy};
use headrace::queue::{LimitRule, LimitScope, QueueConfig, RequestQueue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does once it has the request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// It says nothing until the other side leaves.
    Stall,
    /// It breaks the connection off so that the other side sees a reset.
    Reset,
}

/// A server that plays a script a request, the last one ever after; how many requests it had.
pub(crate) async fn play(scripts: Vec<Vec<Step>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (asked, scripts) = (Arc::new(AtomicUsize::new(0)), Arc::new(scripts));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (scripts, count) = (Arc::clone(&scripts), Arc::clone(&count));
            tokio::spawn(async move { perform(socket, &scripts, &count).await });
        }
    });
    (url, asked)
}

async fn perform(mut socket: TcpStream, scripts: &[Vec<Step>], asked: &AtomicUsize) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = socket.read(&mut chunk).await.ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&bytes);
        let told = text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= told.unwrap_or(0_usize)) {
            break;
        }
    }
    let number = asked.fetch_add(1, Ordering::SeqCst);
    for step in &scripts[number.min(scripts.len() - 1)] {
        match step {
            Step::Send(bytes) => socket.write_all(bytes).await.ok()?,
            Step::Stall => while socket.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {},
            Step::Reset => {
                socket.set_zero_linger().ok()?;
                return None;
            }
        }
    }
    socket.shutdown().await.ok()
}

/// A reply with its usage, to whichever way it is asked for.
pub(crate) fn good(is_stream: bool) -> Vec<Step> {
    vec![Step::Send(if is_stream {
        stream(&format!("{}{}{}{}", crate::raw::TEXT, crate::raw::STOP, USED, crate::raw::DONE))
    } else {
        reply(200, "", whole("stop", "1,204 t").as_bytes())
    })]
}

/// A chunk that tells usage.
pub(crate) const USED: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}}\n\n";

/// A whole reply with its usage.
pub(crate) fn whole(finish: &str, text: &str) -> String {
    format!(
        "{{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\
         \"finish_reason\":\"{finish}\"}}],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}}}}"
    )
}

/// A client with a cache, a budget, and one call at a time.
pub(crate) fn line(url: &str, retry: RetryPolicy, change: impl FnOnce(&mut HttpProviderConfig)) -> Client {
    let mut config = HttpProviderConfig::new("raw", url, Some(KEY));
    change(&mut config);
    let one = LimitRule {
        scope: LimitScope::Global,
        concurrency: Some(1),
        requests_per_minute: None,
        tokens_per_minute: None,
    };
    let queue = RequestQueue::open("memory://", QueueConfig { limits: vec![one], ..QueueConfig::default() }).unwrap();
    let costs = CostTracker::open("memory://", PriceTable::builtin()).unwrap();
    costs.set_budget(Budget::new("1000".parse().unwrap()).unwrap(), vec![], None).wait().unwrap();
    Client::new(ClientConfig {
        cache: Some(SemanticCache::open(CacheConfig::default()).unwrap()),
        retry,
        // What is looked at here is one call after the other, however many fail.
        breaker: BreakerConfig { failures: u32::MAX, ..BreakerConfig::default() },
        ..ClientConfig::new(vec![Arc::new(HttpProvider::new(config).unwrap())], queue, costs)
    })
    .unwrap()
}

pub(crate) fn once() -> RetryPolicy {
    RetryPolicy { max_attempts: 1, ..RetryPolicy::default() }
}

/// The words of the answer.
pub(crate) async fn ask(client: &Client, is_stream: bool, prompt: &str) -> Result<String> {
    let call = ChatCall::new("raw/m", prompt);
    if !is_stream {
        return client.chat(call).await.map(|response| response.text());
    }
    let mut stream = client.stream(call).await?;
    while stream.next().await?.is_some() {}
    Ok(stream.response().unwrap().text())
}

pub(crate) async fn records(client: &Client) -> Vec<CostRecord> {
    client.costs().records(&Filter::default(), None, false).await.unwrap()
}

/// Waits until nothing of a call is left: no place in the queue, no money set aside.
pub(crate) async fn settled(client: &Client) {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let reserved = client.costs().budgets().await.unwrap()[0].taken.reserved;
        let open = client.queue().len().unwrap();
        if (open, reserved) == (0, Money::ZERO) {
            return;
        }
        assert!(Instant::now() < until, "{open} requests and {reserved} dollars are left behind");
        tokio::task::yield_now().await;
    }
}
