//! Caches that share their entries: what one changes the others know, and a file is what was written to it.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use headrace::cache::store::{EntryStore, MemoryEntries};
use headrace::cache::{CacheConfig, FEED_INTERVAL, InsertRequest, LookupRequest, Selection, SemanticCache};
use headrace::clock::ManualClock;
use headrace::{Error, Payload, Result};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn answer(number: u64) -> Payload {
    Payload::from(&serde_json::Value::from(number))
}

/// Where the caches of a test keep their entries.
enum Place {
    Memory(Arc<MemoryEntries>),
    File(PathBuf),
}

impl Place {
    fn open(&self, clock: &ManualClock) -> SemanticCache {
        let config = |url| CacheConfig { url, clock: Arc::new(clock.clone()), ..CacheConfig::default() };
        match self {
            Self::Memory(entries) => {
                let store: Arc<dyn EntryStore> = entries.clone();
                SemanticCache::open_in(config("memory://".into()), store).unwrap()
            }
            Self::File(path) => SemanticCache::open(config(format!("sqlite:///{}", path.display()))).unwrap(),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put { prompt: u8, tenant: u8, tag: u8, ttl: Option<u8> },
    PutMany(Vec<(u8, u8)>),
    Get { prompt: u8, tenant: u8 },
    Near { prompt: u8, tenant: u8 },
    Wrong { prompt: u8, tenant: u8 },
    Delete { prompt: u8, tenant: u8 },
    Wait(u8),
    DropTag(u8),
    DropTenant(u8),
    DropOld(u8),
    Clear,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let named = || (0..8_u8, 0..3_u8);
    prop_oneof![
        6 => (0..8_u8, 0..3_u8, 0..3_u8, proptest::option::of(1..5_u8))
            .prop_map(|(prompt, tenant, tag, ttl)| Step::Put { prompt, tenant, tag, ttl }),
        2 => proptest::collection::vec((0..8_u8, 0..3_u8), 1..6).prop_map(Step::PutMany),
        6 => named().prop_map(|(prompt, tenant)| Step::Get { prompt, tenant }),
        3 => named().prop_map(|(prompt, tenant)| Step::Near { prompt, tenant }),
        2 => named().prop_map(|(prompt, tenant)| Step::Wrong { prompt, tenant }),
        1 => named().prop_map(|(prompt, tenant)| Step::Delete { prompt, tenant }),
        2 => (0..4_u8).prop_map(Step::Wait),
        1 => (0..3_u8).prop_map(Step::DropTag),
        1 => (0..3_u8).prop_map(Step::DropTenant),
        1 => (0..4_u8).prop_map(Step::DropOld),
        1 => Just(Step::Clear),
        1 => Just(Step::Reopen),
    ]
}

/// What a plain map knows of an entry.
#[derive(Debug, Clone, Copy)]
struct Known {
    answer: u64,
    tag: u8,
    stored: Duration,
    end: Option<Duration>,
    is_wrong: bool,
}

struct Model {
    entries: BTreeMap<(u8, u8), Known>,
    clock: ManualClock,
    place: Place,
    caches: Vec<SemanticCache>,
}

impl Model {
    fn new(place: Place) -> Self {
        let clock = ManualClock::new(Duration::from_secs(1_000));
        let caches = (0..2).map(|_| place.open(&clock)).collect();
        Self { entries: BTreeMap::new(), clock, place, caches }
    }

    fn now(&self) -> Duration {
        use headrace::clock::Clock;
        self.clock.wall()
    }

    fn serves(&self, tenant: u8, prompt: u8) -> Option<u64> {
        let known = self.entries.get(&(tenant, prompt))?;
        (!known.is_wrong && known.end.is_none_or(|end| self.now() < end)).then_some(known.answer)
    }

    fn put(&mut self, at: usize, number: u64, entries: &[(u8, u8, u8, Option<u8>)]) {
        let tags: Vec<_> = entries.iter().map(|entry| [format!("g{}", entry.2)]).collect();
        let names: Vec<_> = entries.iter().map(|entry| (format!("p{}", entry.0), format!("t{}", entry.1))).collect();
        let vectors: Vec<_> = entries.iter().map(|entry| vector(entry.0)).collect();
        let requests = entries.iter().enumerate().map(|(i, entry)| InsertRequest {
            tenant: &names[i].1,
            tags: &tags[i],
            ttl: entry.3.map(|seconds| Duration::from_secs(seconds.into())),
            embedding: Some(&vectors[i]),
            ..InsertRequest::new(&names[i].0, answer(number * 10 + i as u64))
        });
        self.caches[at].insert_and_keep(requests.collect()).unwrap();
        let stored = self.now();
        for (i, (prompt, tenant, tag, ttl)) in entries.iter().enumerate() {
            let end = ttl.map(|seconds| stored + Duration::from_secs(seconds.into()));
            let known = Known { answer: number * 10 + i as u64, tag: *tag, stored, end, is_wrong: false };
            self.entries.insert((*tenant, *prompt), known);
        }
    }

    fn drop_matching(&mut self, at: usize, selection: &Selection<'_>, is_gone: impl Fn(u8, &Known) -> bool) {
        self.caches[at].invalidate(selection).unwrap();
        self.entries.retain(|(tenant, _), known| !is_gone(*tenant, known));
    }

    fn act(&mut self, at: usize, number: u64, step: &Step) {
        match step {
            Step::Put { prompt, tenant, tag, ttl } => self.put(at, number, &[(*prompt, *tenant, *tag, *ttl)]),
            Step::PutMany(many) => {
                let entries: Vec<_> = many.iter().map(|(prompt, tenant)| (*prompt, *tenant, 0, None)).collect();
                self.put(at, number, &entries);
            }
            Step::Get { prompt, tenant } => {
                let (text, name) = (format!("p{prompt}"), format!("t{tenant}"));
                let asked = LookupRequest { tenant: &name, ..LookupRequest::new(&text) };
                let hit = self.caches[at].lookup(&asked).unwrap();
                assert_eq!(hit.map(|hit| hit.response().clone()), self.serves(*tenant, *prompt).map(answer));
            }
            Step::Near { prompt, tenant } => {
                let (name, vector) = (format!("t{tenant}"), vector(*prompt));
                let found = self.caches[at].lookup_vectors(&[&vector], None, &name, Some(0.999)).unwrap();
                let answers = found[0].as_ref().map(|hit| hit.response().clone());
                assert_eq!(answers, self.serves(*tenant, *prompt).map(answer));
            }
            Step::Wrong { prompt, tenant } => {
                let (text, name) = (format!("p{prompt}"), format!("t{tenant}"));
                let asked = LookupRequest { tenant: &name, ..LookupRequest::new(&text) };
                if let Some(hit) = self.caches[at].lookup(&asked).unwrap() {
                    self.caches[at].feedback(&hit, false).unwrap();
                    self.caches[at].flush().unwrap();
                    self.entries.get_mut(&(*tenant, *prompt)).unwrap().is_wrong = true;
                }
            }
            Step::Delete { prompt, tenant } => {
                let key = headrace::cache::EntryKey::of(&format!("t{tenant}"), None, &format!("p{prompt}"));
                self.caches[at].delete(&key).unwrap();
                self.entries.remove(&(*tenant, *prompt));
            }
            Step::Wait(seconds) => self.clock.advance(Duration::from_secs((*seconds).into())),
            Step::DropTag(tag) => {
                let name = format!("g{tag}");
                let selection = Selection { tag: Some(&name), ..Selection::default() };
                self.drop_matching(at, &selection, |_, known| known.tag == *tag);
            }
            Step::DropTenant(tenant) => {
                let name = format!("t{tenant}");
                let selection = Selection { tenant: Some(&name), ..Selection::default() };
                self.drop_matching(at, &selection, |of, _| of == *tenant);
            }
            Step::DropOld(seconds) => {
                let age = Duration::from_secs((*seconds).into());
                let selection = Selection { older_than: Some(age), ..Selection::default() };
                let now = self.now();
                self.drop_matching(at, &selection, |_, known| now.saturating_sub(known.stored) >= age);
            }
            Step::Clear => {
                self.caches[at].clear().unwrap();
                self.entries.clear();
            }
            Step::Reopen => {
                self.caches[at] = self.place.open(&self.clock);
            }
        }
    }

    fn run(mut self, steps: &[(bool, Step)]) {
        for (number, (first, step)) in steps.iter().enumerate() {
            self.act(usize::from(*first), number as u64, step);
            // What one did, the other knows after the interval.
            self.clock.advance(FEED_INTERVAL);
        }
        for cache in &self.caches {
            cache.purge_expired();
            cache.flush().unwrap();
            self.clock.advance(FEED_INTERVAL);
        }
        let now = self.now();
        let left = self.entries.values().filter(|known| known.end.is_none_or(|end| now < end)).count();
        for cache in &self.caches {
            assert_eq!(cache.len(), left);
        }
    }
}

fn vector(prompt: u8) -> [f32; 8] {
    std::array::from_fn(|place| if place == usize::from(prompt) { 1.0 } else { 0.001 })
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(bool, Step)>> {
    proptest::collection::vec((any::<bool>(), step()), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn two_caches_on_one_memory_do_what_a_plain_map_does(steps in steps(50)) {
        Model::new(Place::Memory(Arc::default())).run(&steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn two_caches_on_one_file_do_what_a_plain_map_does(steps in steps(30)) {
        let folder = tempfile::tempdir().unwrap();
        Model::new(Place::File(folder.path().join("cache.db"))).run(&steps);
    }
}

fn open(path: &Path) -> Result<SemanticCache> {
    SemanticCache::open(CacheConfig { url: format!("sqlite:///{}", path.display()), ..CacheConfig::default() })
}

fn fill(cache: &SemanticCache, count: u64) -> Result<()> {
    let prompts: Vec<_> = (0..count).map(|number| format!("question {number}")).collect();
    let vectors: Vec<_> = (0..count).map(|number| vector((number % 8) as u8)).collect();
    let requests = prompts.iter().zip(&vectors).enumerate().map(|(number, (prompt, vector))| InsertRequest {
        embedding: Some(vector),
        ..InsertRequest::new(prompt, answer(number as u64))
    });
    cache.insert_and_keep(requests.collect())?;
    Ok(())
}

/// How many of the questions are answered; no answer may be a wrong one.
fn answered(cache: &SemanticCache, count: u64) -> Result<u64> {
    let mut answered = 0;
    for number in 0..count {
        if let Some(hit) = cache.lookup(&LookupRequest::new(&format!("question {number}")))? {
            assert_eq!(hit.response(), &answer(number));
            assert_eq!(hit.prompt(), format!("question {number}"));
            answered += 1;
        }
    }
    Ok(answered)
}

#[test]
fn a_flipped_byte_is_a_miss_and_never_a_wrong_answer() -> Result<()> {
    const COUNT: u64 = 40;
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.db");
    let cache = SemanticCache::open(CacheConfig::default())?;
    fill(&cache, COUNT)?;
    assert_eq!(cache.save(&whole)?, COUNT as usize);
    let bytes = std::fs::read(&whole).unwrap();
    let (mut misses, mut refused) = (0, 0);
    for place in (0..400).map(|step| step * 7919 % bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        // A closed file is tidied up by a thread of its own: the next one is elsewhere.
        let own = tempfile::tempdir().unwrap();
        let spoilt = own.path().join("spoilt.db");
        std::fs::write(&spoilt, &flipped).unwrap();
        match open(&spoilt).and_then(|cache| {
            let count = answered(&cache, COUNT)?;
            // What is damaged does not stand in the way of what is put.
            match cache.insert_and_keep(vec![InsertRequest::new("question 0", answer(0))]) {
                Ok(_) => assert_eq!(cache.lookup(&LookupRequest::new("question 0"))?.unwrap().response(), &answer(0)),
                Err(Error::Store(_)) => {}
                Err(other) => return Err(other),
            }
            Ok(count)
        }) {
            Ok(count) => misses += COUNT - count,
            Err(Error::Store(_)) => refused += 1,
            Err(other) => panic!("byte {place}: {other:?}"),
        }
    }
    assert!(misses > 0, "a flip in an answer is a miss");
    assert!(refused < 200, "{refused} of 400 files were refused as a whole");
    Ok(())
}

#[test]
fn a_damaged_row_is_counted_and_the_others_serve() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    fill(&open(&path)?, 5)?;
    let raw = rusqlite::Connection::open(&path).unwrap();
    for spoil in [
        "UPDATE cache_entries SET response = '999' WHERE prompt = 'question 1'",
        "UPDATE cache_entries SET prompt = 'question 9' WHERE prompt = 'question 2'",
        "UPDATE cache_entries SET expires_ms = 1 WHERE prompt = 'question 3'",
        "UPDATE cache_entries SET tenant = x'ff' WHERE prompt = 'question 4'",
    ] {
        raw.execute(spoil, []).unwrap();
    }
    let cache = open(&path)?;
    assert_eq!(answered(&cache, 10)?, 1);
    assert_eq!(cache.stats().damaged, 4);
    fill(&cache, 5)?;
    assert_eq!(answered(&open(&path)?, 5)?, 5);
    Ok(())
}

#[test]
fn saving_to_its_own_file_is_no_harm() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let cache = open(&path)?;
    fill(&cache, 20)?;
    assert_eq!(cache.save(&path)?, 20);
    let link = folder.path().join("link.db");
    std::fs::hard_link(&path, &link).unwrap();
    assert_eq!(cache.save(&link)?, 20);
    fill(&cache, 25)?;
    assert_eq!(answered(&open(&path)?, 25)?, 25);
    Ok(())
}

#[test]
fn saving_over_another_caches_live_file_is_known_to_it() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let live = open(&path)?;
    live.insert_and_keep(vec![InsertRequest::new("only there", answer(1))])?;
    let other = SemanticCache::open(CacheConfig::default())?;
    fill(&other, 10)?;
    assert_eq!(other.save(&path)?, 10);
    live.catch_up();
    assert_eq!((answered(&live, 10)?, live.len()), (10, 10));
    assert_eq!(answered(&open(&path)?, 10)?, 10);
    Ok(())
}

#[test]
fn a_file_that_is_no_cache_is_left_as_it_is() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let cache = SemanticCache::open(CacheConfig::default())?;
    fill(&cache, 3)?;
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE mine (n)").unwrap();
    let notes = folder.path().join("notes.unfinished");
    std::fs::write(&notes, "a user's own").unwrap();
    let queue = folder.path().join("queue.db");
    let url = format!("sqlite:///{}", queue.display());
    drop(headrace::queue::RequestQueue::open(&url, headrace::queue::QueueConfig::default())?);
    for path in [&foreign, &notes, &queue, &folder.path().to_path_buf(), &folder.path().join("no/folder.db")] {
        let before = std::fs::read(path).ok();
        assert!(matches!(cache.save(path), Err(Error::Store(_))), "{}", path.display());
        assert!(matches!(cache.load(path), Err(Error::Store(_))), "{}", path.display());
        assert_eq!(std::fs::read(path).ok(), before);
    }
    let new = folder.path().join("notes.db");
    assert_eq!(cache.save(&new)?, 3);
    assert_eq!(std::fs::read(&notes).unwrap(), b"a user's own", "beside a file that is saved");
    assert_eq!(cache.save(&new)?, 3);
    let names = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    assert!(names.filter(|name| name.to_string_lossy().starts_with("notes.db")).count() == 1);
    Ok(())
}

#[test]
fn a_url_that_is_no_place_for_entries_is_an_error() {
    for url in ["redis://", "upstash://host", "memory", "memory://x", "", "s3://b"] {
        let opened = SemanticCache::open(CacheConfig { url: url.into(), ..CacheConfig::default() });
        assert!(matches!(opened, Err(Error::Config(_))), "{url}");
    }
}

/// Written by `SemanticCache.save` of the first version.
const FIRST: &[u8] = include_bytes!("data/cache_v1.db");

#[test]
fn a_file_of_the_first_version_opens_and_is_brought_to_this_one() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    std::fs::write(&path, FIRST).unwrap();
    let check = |cache: &SemanticCache| -> Result<()> {
        assert_eq!(cache.len(), 4);
        let asked = LookupRequest { embedding: Some(&[0.6, 0.8]), ..LookupRequest::new("Please: what is scope 2?") };
        let hit = cache.lookup(&asked)?.unwrap();
        assert_eq!(hit.response(), &Payload::from(&serde_json::json!("Purchased energy.")));
        assert_eq!(hit.saved_cost(), Some(2_000_000_000_000_000));
        let scope = r#"{"model":"m","temperature":0}"#;
        let scoped = LookupRequest { scope: Some(scope), tenant: "acme", ..LookupRequest::new("And scope 3?") };
        assert_eq!(cache.lookup(&scoped)?.unwrap().response(), &Payload::from(&serde_json::json!({"answer": [3]})));
        let bytes = cache.lookup(&LookupRequest::new("bytes"))?.unwrap();
        assert_eq!(bytes.response(), &Payload::bytes([0, 255]));
        assert!(cache.lookup(&LookupRequest::new("was wrong"))?.is_none());
        Ok(())
    };
    // Read only, it stays as it is.
    let loaded = SemanticCache::open(CacheConfig { guards: None, ..CacheConfig::default() })?;
    assert_eq!(loaded.load(&path)?, 4);
    check(&loaded)?;
    assert_eq!(std::fs::read(&path).unwrap(), FIRST);
    for _ in 0..2 {
        check(&SemanticCache::open(CacheConfig {
            url: format!("sqlite:///{}", path.display()),
            guards: None,
            ..CacheConfig::default()
        })?)?;
    }
    let cache = open(&path)?;
    assert_eq!(cache.invalidate(&Selection { tag: Some("old"), ..Selection::default() })?, 1);
    Ok(())
}
