//! A cache's entries on a real redis-server: the conformance suite, copies that follow each other, and a server that fails.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "conformance/entries.rs"]
mod entries;
mod servers;

use entries::{Handles, ONE, OTHER, entry};
use headrace::blocking::block_on;
use headrace::cache::store::{EntryStore, FeedPosition, RedisEntries};
use headrace::cache::{CacheConfig, InsertRequest, LookupRequest, Selection, SemanticCache};
use headrace::clock::{Clock, ManualClock};
use headrace::store::Location;
use headrace::{Error, Payload, Result};
use servers::RedisServer;
use servers::kinds::conforms_on_every_kind;
use servers::lossy::LossyNetwork;
use servers::upstash::FakeUpstash;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const PATIENT: Duration = Duration::from_mins(1);

fn store(url: &str, name: &str) -> Arc<dyn EntryStore> {
    let Location::Redis(address) = Location::parse(url).unwrap() else { panic!("{url}") };
    Arc::new(RedisEntries::open(address, name).unwrap())
}

fn conforms(url: &str) {
    let count = Cell::new(0);
    let every = entries::every(&|| -> Handles {
        count.set(count.get() + 1);
        let name = format!("{{odd}} % name {}", count.get());
        (store(url, &name), store(url, &name))
    });
    every.unwrap();
}

conforms_on_every_kind!(conforms);

fn open(url: &str) -> SemanticCache {
    open_at(url, Arc::new(headrace::clock::SystemClock::default()))
}

fn open_at(url: &str, clock: Arc<dyn Clock>) -> SemanticCache {
    SemanticCache::open(CacheConfig { url: url.into(), clock, ..CacheConfig::default() }).unwrap()
}

fn put(cache: &SemanticCache, prompt: &str) {
    let request = InsertRequest { tenant: "acme", ..InsertRequest::new(prompt, Payload::bytes("answer")) };
    cache.insert_and_keep(vec![request]).unwrap();
}

fn serves(cache: &SemanticCache, prompt: &str) -> bool {
    cache.lookup(&LookupRequest { tenant: "acme", ..LookupRequest::new(prompt) }).unwrap().is_some()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENT, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_one_puts_and_drops_the_others_serve_and_drop() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let upstash = FakeUpstash::start(&server.url());
    let (one, other) = (open(&server.url()), open(&server.url()));
    put(&one, "a");
    put(&one, "b");
    until("it is heard of", || serves(&other, "a") && serves(&other, "b"));
    assert!(serves(&open(&server.url()), "a"), "who opens it later has it at once");
    let selection = Selection { tenant: Some("acme"), ..Selection::default() };
    assert_eq!(other.invalidate(&selection).unwrap(), 2);
    until("it is gone everywhere", || !serves(&one, "a") && !serves(&one, "b"));
    put(&other, "c");
    until("it is heard of", || serves(&one, "c"));
    let hit = other.lookup(&LookupRequest { tenant: "acme", ..LookupRequest::new("c") }).unwrap().unwrap();
    other.feedback(&hit, false).unwrap();
    until("what answers wrongly serves nowhere", || !serves(&one, "c"));
    put(&one, "d");
    one.clear().unwrap();
    until("it is gone everywhere", || !serves(&other, "d"));
    // Upstash has entries of its own: text alone goes there.
    server.tell("FLUSHALL");
    let (one, other) = (open(&upstash.url()), open(&upstash.url()));
    put(&one, "a");
    until("it is heard of", || serves(&other, "a"));
}

#[test]
fn a_lookup_asks_the_server_nothing() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let upstash = FakeUpstash::start(&server.url());
    let cache = open(&upstash.url());
    put(&cache, "a");
    // It has heard of its own put by then.
    let asked = || upstash.commands.load(Ordering::Relaxed);
    let settled = std::cell::Cell::new((0, Instant::now()));
    until("the copy is up to date", || {
        if asked() != settled.get().0 {
            settled.set((asked(), Instant::now()));
        }
        settled.get().1.elapsed() > Duration::from_secs(3)
    });
    let before = asked();
    for _ in 0..10_000 {
        assert!(serves(&cache, "a") && !serves(&cache, "b"));
    }
    assert!(asked() - before <= 4, "{} commands for 20,000 lookups", asked() - before);
}

#[test]
fn while_the_server_is_away_the_cache_goes_on_and_then_forgets() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let clock = ManualClock::new(Duration::from_secs(1_700_000_000));
    let (cache, other) = (open_at(&server.url(), Arc::new(clock.clone())), open(&server.url()));
    put(&cache, "a");
    until("it is heard of", || serves(&other, "a"));
    server.stop();
    assert!(serves(&cache, "a"), "it serves what it has");
    put(&cache, "lost");
    assert!(!serves(&cache, "lost"));
    assert_eq!(cache.stats().unkept, 1);
    assert!(matches!(cache.flush(), Err(Error::Store(_))), "a flush tells of it");
    let selection = Selection { tenant: Some("acme"), ..Selection::default() };
    assert!(matches!(cache.invalidate(&selection), Err(Error::Store(_))), "what was not erased is told");
    assert!(serves(&other, "a"), "others hear nothing of it");
    // Nobody can say what was dropped elsewhere: what was not confirmed for so long serves no more.
    clock.advance(Duration::from_mins(1));
    until("it holds nothing", || cache.is_empty());
    assert!(!serves(&cache, "a"));
    server.start_again();
    until("it has everything again", || serves(&cache, "a"));
    assert_eq!(cache.invalidate(&selection).unwrap(), 1);
    until("it is gone everywhere", || !serves(&other, "a"));
}

#[test]
fn a_server_that_lost_everything_is_followed() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let cache = open(&server.url());
    put(&cache, "a");
    let other = open(&server.url());
    put(&other, "b");
    // It has read of its own put by then.
    until("it is heard of", || serves(&cache, "b"));
    server.restart();
    until("what the server does not have is not served", || !serves(&cache, "a"));
    put(&other, "c");
    until("what came first after that is heard of", || serves(&cache, "c"));
    assert_eq!(server.tell("SCRIPT FLUSH"), "+OK");
    server.tell("CLIENT KILL TYPE normal");
    server.tell("CLIENT KILL TYPE pubsub");
    put(&other, "d");
    until("a connection that broke is made anew", || serves(&cache, "d"));
}

#[test]
fn what_is_sent_again_after_a_lost_reply_is_done_once() -> Result<()> {
    let Some(server) = RedisServer::start(&[]) else { return Ok(()) };
    let network = LossyNetwork::before(server.port);
    let one = store(&format!("redis://127.0.0.1:{}", network.port), "l");
    let other = store(&server.url(), "l");
    block_on(one.put(ONE, vec![entry(1, "so that the scripts are known")]))?;
    let mut since = block_on(other.read(OTHER, FeedPosition::START))?.next;
    for n in 2..12 {
        network.loses.store(true, Ordering::SeqCst);
        block_on(one.put(ONE, vec![entry(n, "q")]))?;
        assert!(!network.loses.load(Ordering::SeqCst), "a reply was lost");
        let page = block_on(other.read(OTHER, since))?;
        assert_eq!(page.entries.iter().map(|(_, entry)| entry.id).collect::<Vec<_>>(), [n]);
        assert_eq!(page.removed, if n == 2 { vec![] } else { vec![n - 1] });
        since = page.next;
    }
    network.loses.store(true, Ordering::SeqCst);
    block_on(one.remove(ONE, vec![entry(11, "q").name()]))?;
    assert_eq!(block_on(other.read(OTHER, since))?.removed, [11]);
    Ok(())
}
