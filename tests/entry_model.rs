//! Random histories of a store of entries beside a model of it, and two caches' copies that follow its feed: through the
//! trait alone, in memory, on a file and in Redis; there by two handles in turns, with closings and crashes.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod models;
mod servers;

use headrace::Payload;
use headrace::blocking::block_on;
use headrace::cache::policy::Judged;
use headrace::cache::store::{
    Criteria, EntryName, EntryStore, Erasure, FeedPosition, Learned, MemoryEntries, RedisEntries, SqliteEntries,
    StoredEntry, Unseen,
};
use headrace::cache::{EntryKey, Selection};
use headrace::store::Location;
use models::{ModelFile, cases};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use servers::RedisServer;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The numbers of two caches, and of one that reads all there is.
const CACHES: [u64; 2] = [1_000_001, 1_000_002];
const STRANGER: u64 = 1_000_003;
const TENANTS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Step {
    /// Keeps entries for these questions, of these tenants.
    Put(Vec<(usize, usize)>),
    Remove(usize),
    Reject(usize),
    Learn(usize, f64),
    Forget(Option<usize>),
    /// Erases what a tenant has, by what this cache knows of it and all that it has not heard of.
    EraseTenant(usize),
    EraseOne(usize),
    EraseAll,
    /// This cache takes in what the others did.
    Follow,
    /// Goes on as the other cache, with its handle of the store.
    Switch,
    Reopen,
    Crash,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..64_usize;
    prop_oneof![
        8 => prop::collection::vec((0..6_usize, 0..2_usize), 1..4).prop_map(Step::Put),
        3 => any.clone().prop_map(Step::Remove),
        3 => any.clone().prop_map(Step::Reject),
        2 => (0..2_usize, -1.0..1.0).prop_map(|(tenant, score)| Step::Learn(tenant, score)),
        1 => prop::option::of(0..2_usize).prop_map(Step::Forget),
        2 => (0..2_usize).prop_map(Step::EraseTenant),
        1 => any.prop_map(Step::EraseOne),
        1 => Just(Step::EraseAll),
        5 => Just(Step::Follow),
        6 => Just(Step::Switch),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        1 => Just(Step::Compact),
    ]
}

fn entry(id: u64, question: usize, tenant: usize) -> StoredEntry {
    StoredEntry {
        id,
        tenant: TENANTS[tenant].into(),
        scope: question.is_multiple_of(2).then(|| "{\"model\":\"m\"}".into()),
        prompt: format!("What is disclosure {question}?").into(),
        response: Payload::from(&serde_json::json!({"answer": id})),
        vector: (question != 3).then(|| [0.6_f32, 0.8].into()),
        tags: [format!("tag {question}")].into(),
        created: Duration::from_millis(1_700_000_000_123),
        expires: None,
        cost: Some(i128::from(id) << 60),
        is_rejected: false,
    }
}

/// What is kept, or what a cache believes is.
#[derive(Debug, Default, Clone, PartialEq)]
struct Kept {
    entries: BTreeMap<u64, StoredEntry>,
    /// Sorted: pieces of one moment have no order.
    evidence: Vec<Learned>,
}

impl Kept {
    fn put(&mut self, entry: StoredEntry) {
        let key = entry.name().key;
        self.entries.retain(|_, held| held.name().key != key);
        self.entries.insert(entry.id, entry);
    }

    fn reject(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.is_rejected = true;
        }
    }

    fn learn(&mut self, evidence: impl IntoIterator<Item = Learned>) {
        self.evidence.extend(evidence);
        self.evidence.sort_by(|one, other| one.judged.score.total_cmp(&other.judged.score));
    }

    /// One of the entries, if there is any.
    fn one(&self, which: usize) -> Option<EntryName> {
        let count = self.entries.len().max(1);
        self.entries.values().nth(which % count).map(StoredEntry::name)
    }
}

/// A cache: its handle of the store, how far it has read the feed, and its copy.
struct Follower {
    by: u64,
    store: Arc<dyn EntryStore>,
    since: FeedPosition,
    copy: Kept,
}

impl Follower {
    /// Takes in what others did, as a replica does.
    fn follow(&mut self) {
        loop {
            let page = block_on(self.store.read(self.by, self.since)).unwrap();
            assert_eq!(page.damaged, 0);
            for (_, entry) in page.entries {
                self.copy.put(entry);
            }
            if page.missed {
                let roll: BTreeMap<u64, bool> = block_on(self.store.roll()).unwrap().into_iter().collect();
                self.copy.entries.retain(|id, _| roll.contains_key(id));
                for (id, _) in roll.into_iter().filter(|(_, is_rejected)| *is_rejected) {
                    self.copy.reject(id);
                }
            }
            for id in page.removed {
                self.copy.entries.remove(&id);
            }
            for id in page.rejected {
                self.copy.reject(id);
            }
            self.copy.learn(page.evidence);
            if page.forgotten {
                self.copy.evidence = all(&*self.store).evidence;
            }
            self.since = page.next;
            if !page.more {
                break;
            }
        }
        assert!(!block_on(self.store.has_news(self.since)).unwrap(), "all was read");
    }
}

/// All that a store holds.
fn all(store: &dyn EntryStore) -> Kept {
    let (mut found, mut since) = (Kept::default(), FeedPosition::START);
    loop {
        let page = block_on(store.read(STRANGER, since)).unwrap();
        for (_, entry) in page.entries {
            assert!(found.entries.insert(entry.id, entry).is_none());
        }
        found.learn(page.evidence);
        since = page.next;
        if !page.more {
            return found;
        }
    }
}

/// Where a history takes place.
enum Place<'a> {
    Memory,
    File(ModelFile),
    Server(&'a RedisServer),
}

impl Place<'_> {
    fn open(&self) -> Arc<dyn EntryStore> {
        match self {
            Self::Memory => Arc::new(MemoryEntries::default()),
            Self::File(file) => Arc::new(SqliteEntries::open(&file.path()).unwrap()),
            Self::Server(server) => {
                let Location::Redis(address) = Location::parse(&server.url()).unwrap() else { panic!("no address") };
                Arc::new(RedisEntries::open(address, "default").unwrap())
            }
        }
    }

    /// Another handle, which in memory is the same.
    fn again(&self, store: &Arc<dyn EntryStore>) -> Arc<dyn EntryStore> {
        if matches!(self, Self::Memory) { Arc::clone(store) } else { self.open() }
    }
}

fn run(place: &Place<'_>, steps: Vec<Step>) {
    let first = place.open();
    let mut caches = [Arc::clone(&first), place.again(&first)]
        .into_iter()
        .zip(CACHES)
        .map(|(store, by)| Follower { by, store, since: FeedPosition::START, copy: Kept::default() })
        .collect::<Vec<_>>();
    drop(first);
    caches.iter_mut().for_each(Follower::follow);
    let mut kept = Kept::default();
    let (mut at, mut last_id) = (0, 0);
    for step in steps {
        let cache = &mut caches[at];
        match step {
            Step::Put(wanted) => {
                let mut entries: Vec<StoredEntry> = Vec::new();
                for (question, tenant) in wanted {
                    last_id += 1;
                    let entry = entry(last_id, question, tenant);
                    // One question once in a call.
                    if entries.iter().all(|other| other.name().key != entry.name().key) {
                        entries.push(entry);
                    }
                }
                block_on(cache.store.put(cache.by, entries.clone())).unwrap();
                for entry in entries {
                    kept.put(entry.clone());
                    cache.copy.put(entry);
                }
            }
            Step::Remove(which) => {
                // By its own copy, which may be behind.
                let Some(name) = cache.copy.one(which) else { continue };
                block_on(cache.store.remove(cache.by, vec![name])).unwrap();
                kept.entries.remove(&name.id);
                cache.copy.entries.remove(&name.id);
            }
            Step::Reject(which) => {
                let Some(name) = cache.copy.one(which) else { continue };
                block_on(cache.store.reject(cache.by, name)).unwrap();
                kept.reject(name.id);
                cache.copy.reject(name.id);
            }
            Step::Learn(tenant, score) => {
                let learned =
                    Learned { tenant: TENANTS[tenant].into(), judged: Judged { score, correct: score > 0.0 } };
                block_on(cache.store.learn(cache.by, learned.clone())).unwrap();
                kept.learn([learned.clone()]);
                cache.copy.learn([learned]);
            }
            Step::Forget(tenant) => {
                let tenant = tenant.map(|tenant| TENANTS[tenant].to_owned());
                block_on(cache.store.forget(cache.by, tenant.clone())).unwrap();
                let stays = |learned: &Learned| tenant.as_ref().is_some_and(|tenant| *tenant != learned.tenant);
                kept.evidence.retain(stays);
                // What others learned and this one has not read yet counts among what it forgets.
                cache.follow();
                cache.copy.evidence = all(&*cache.store).evidence;
            }
            Step::EraseTenant(tenant) => {
                let selection = Selection { tenant: Some(TENANTS[tenant]), ..Selection::default() };
                let criteria = Criteria::of(&selection, Duration::from_hours(500_000));
                let is_meant = |entry: &StoredEntry| criteria.matches(entry);
                let known: Vec<_> =
                    cache.copy.entries.values().filter(|entry| is_meant(entry)).map(StoredEntry::name).collect();
                let mut unheard: Vec<u64> = kept
                    .entries
                    .values()
                    .filter(|entry| is_meant(entry) && known.iter().all(|name| name.id != entry.id))
                    .map(|entry| entry.id)
                    .collect();
                kept.entries.retain(|_, entry| !is_meant(entry));
                cache.copy.entries.retain(|_, entry| !is_meant(entry));
                let erasure = Erasure { known, since: cache.since, unseen: Unseen::Matching(criteria.clone()) };
                let mut found = block_on(cache.store.erase(cache.by, erasure)).unwrap();
                found.sort_unstable();
                unheard.sort_unstable();
                assert_eq!(found, unheard, "what went that this cache had not heard of");
            }
            Step::EraseOne(which) => {
                let Some(name) = cache.copy.one(which) else { continue };
                let erasure = Erasure { known: vec![name], since: cache.since, unseen: Unseen::Nothing };
                assert_eq!(block_on(cache.store.erase(cache.by, erasure)).unwrap(), [0_u64; 0]);
                kept.entries.remove(&name.id);
                cache.copy.entries.remove(&name.id);
            }
            Step::EraseAll => {
                let known = cache.copy.entries.values().map(StoredEntry::name).collect();
                let erasure = Erasure { known, since: cache.since, unseen: Unseen::Everything };
                block_on(cache.store.erase(cache.by, erasure)).unwrap();
                kept.entries.clear();
                cache.copy.entries.clear();
            }
            Step::Follow => cache.follow(),
            Step::Switch => at = 1 - at,
            Step::Reopen => cache.store = place.again(&cache.store),
            Step::Crash => {
                if let Place::File(file) = place {
                    file.crash();
                }
                for cache in &mut caches {
                    cache.store = place.again(&cache.store);
                }
            }
            Step::Compact => block_on(cache.store.compact()).unwrap(),
        }
        let store = &caches[at].store;
        assert_eq!(all(&**store), kept);
        let mut roll = block_on(store.roll()).unwrap();
        roll.sort_unstable();
        assert_eq!(roll, kept.entries.values().map(|entry| (entry.id, entry.is_rejected)).collect::<Vec<_>>());
    }
    for cache in &mut caches {
        cache.follow();
        assert_eq!(cache.copy, kept, "whoever has read the feed knows what is kept");
    }
    // Two questions of one tenant have keys of their own.
    let keys: Vec<EntryKey> = kept.entries.values().map(|entry| entry.name().key).collect();
    assert!(keys.iter().enumerate().all(|(at, key)| !keys[..at].contains(key)));
}

proptest! {
    #![proptest_config(cases(512))]
    #[test]
    fn in_memory(steps in prop::collection::vec(step(), 1..60)) {
        run(&Place::Memory, steps);
    }
}

proptest! {
    #![proptest_config(cases(16))]
    #[test]
    fn on_a_file(steps in prop::collection::vec(step(), 1..40)) {
        run(&Place::File(ModelFile::new()), steps);
    }
}

#[test]
fn in_redis() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let outcome = TestRunner::new(cases(32)).run(&prop::collection::vec(step(), 1..40), |steps| {
        assert_eq!(server.tell("FLUSHALL"), "+OK");
        run(&Place::Server(&server), steps);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
