//! What every store of entries must do, as functions that each store's own tests call.
//!
//! `handles` makes handles on one store that is new and empty: the same one twice, or two processes' worth of them.

use headrace::blocking::block_on;
use headrace::cache::Selection;
use headrace::cache::policy::Judged;
use headrace::cache::store::{
    Criteria, EntryName, EntryStore, Erasure, FeedPage, FeedPosition, Learned, StoredEntry, Unseen,
};
use headrace::{Payload, Result};
use std::sync::Arc;
use std::time::Duration;

/// The numbers of two caches.
pub const ONE: u64 = 1_000_001;
pub const OTHER: u64 = 1_000_002;
const STRANGER: u64 = 1_000_003;

/// Two handles on one new store.
pub type Handles = (Arc<dyn EntryStore>, Arc<dyn EntryStore>);

pub fn entry(id: u64, prompt: &str) -> StoredEntry {
    StoredEntry {
        id,
        tenant: "acme".into(),
        scope: Some("{\"model\":\"m\"}".into()),
        prompt: prompt.into(),
        response: Payload::from(&serde_json::json!({"answer": prompt})),
        vector: Some([0.6_f32, 0.8].into()),
        tags: ["tag".to_owned()].into(),
        created: Duration::from_millis(1_700_000_000_123),
        expires: Some(Duration::from_millis(1_800_000_000_456)),
        cost: Some(2_000_000_000_000_000),
        is_rejected: false,
    }
}

fn evidence(tenant: &str, score: f64) -> Learned {
    Learned { tenant: tenant.into(), judged: Judged { score, correct: true } }
}

fn all(store: &dyn EntryStore) -> Result<Vec<StoredEntry>> {
    let mut position = FeedPosition::START;
    let mut entries = Vec::new();
    loop {
        let page = block_on(store.read(STRANGER, position))?;
        entries.extend(page.entries.into_iter().map(|(_, entry)| entry));
        position = page.next;
        if !page.more {
            return Ok(entries);
        }
    }
}

fn news(store: &dyn EntryStore, by: u64, since: &mut FeedPosition) -> Result<FeedPage> {
    let page = block_on(store.read(by, *since))?;
    *since = page.next;
    Ok(page)
}

fn prompts(page: &FeedPage) -> Vec<&str> {
    page.entries.iter().map(|(_, entry)| &*entry.prompt).collect()
}

pub fn what_is_put_is_read_as_it_was(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    let bare = StoredEntry {
        scope: None,
        vector: None,
        tags: [].into(),
        expires: None,
        cost: None,
        is_rejected: true,
        response: Payload::bytes([0, 255, 10]),
        ..entry(i64::MAX as u64, "bare \0 \u{1F600}")
    };
    let put = vec![entry(1, "a"), bare, StoredEntry { tenant: "".into(), ..entry(3, "a") }];
    block_on(one.put(ONE, put.clone()))?;
    assert_eq!(all(&*other)?, put);
    assert_eq!(all(&*one)?, put);
    Ok(())
}

pub fn one_of_the_same_key_takes_the_place(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    block_on(one.put(ONE, vec![entry(1, "a"), entry(2, "b")]))?;
    let mut since = FeedPosition::START;
    assert_eq!(prompts(&news(&*other, OTHER, &mut since)?), ["a", "b"]);
    block_on(one.put(ONE, vec![entry(3, "a")]))?;
    let page = news(&*other, OTHER, &mut since)?;
    assert_eq!(page.entries.iter().map(|(_, entry)| entry.id).collect::<Vec<_>>(), [3]);
    // Its name is another one's now.
    block_on(one.remove(ONE, vec![entry(1, "a").name()]))?;
    let mut ids: Vec<_> = all(&*other)?.iter().map(|entry| entry.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [2, 3]);
    Ok(())
}

pub fn the_feed_tells_others_and_not_oneself(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    let (mut mine, mut theirs) = (FeedPosition::START, FeedPosition::START);
    news(&*one, ONE, &mut mine)?;
    news(&*other, OTHER, &mut theirs)?;
    assert!(!block_on(other.has_news(theirs))?);
    block_on(one.put(ONE, vec![entry(1, "a"), entry(2, "b")]))?;
    block_on(one.reject(ONE, entry(1, "a").name()))?;
    block_on(one.remove(ONE, vec![entry(2, "b").name()]))?;
    block_on(one.learn(ONE, evidence("acme", 0.9)))?;
    assert!(block_on(other.has_news(theirs))?);
    let told = news(&*other, OTHER, &mut theirs)?;
    assert_eq!(prompts(&told), ["a"]);
    assert!(told.entries[0].1.is_rejected);
    assert!(told.removed.contains(&2) && told.rejected.contains(&1));
    assert_eq!(told.evidence, [evidence("acme", 0.9)]);
    let own = news(&*one, ONE, &mut mine)?;
    assert!(own.entries.is_empty() && own.removed.is_empty() && own.rejected.is_empty() && own.evidence.is_empty());
    assert!(!block_on(other.has_news(theirs))? && !block_on(one.has_news(mine))?);
    // What came and went again before anybody looked.
    block_on(other.put(OTHER, vec![entry(4, "d")]))?;
    block_on(other.remove(OTHER, vec![entry(4, "d").name()]))?;
    let late = news(&*one, ONE, &mut mine)?;
    assert!(late.entries.is_empty() && !late.missed);
    assert_eq!(block_on(one.roll())?, [(1, true)]);
    Ok(())
}

pub fn an_erasure_takes_what_was_not_heard_of(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    block_on(one.put(ONE, vec![entry(1, "known"), entry(2, "spared")]))?;
    let mut since = FeedPosition::START;
    news(&*one, ONE, &mut since)?;
    let elsewhere = StoredEntry { tenant: "other".into(), ..entry(4, "of another") };
    let untagged = StoredEntry { tags: [].into(), ..entry(5, "untagged") };
    block_on(other.put(OTHER, vec![entry(3, "unseen"), elsewhere, untagged]))?;
    let selection = Selection { tenant: Some("acme"), tag: Some("tag"), ..Selection::default() };
    let erasure = Erasure {
        known: vec![entry(1, "known").name(), entry(9, "gone already").name()],
        since,
        unseen: Unseen::Matching(Criteria::of(&selection, Duration::from_secs(1_700_000_001))),
    };
    assert_eq!(block_on(one.erase(ONE, erasure))?, [3]);
    let mut left: Vec<_> = all(&*other)?.iter().map(|entry| entry.id).collect();
    left.sort_unstable();
    assert_eq!(left, [2, 4, 5]);
    let mut theirs = since;
    let told = news(&*other, OTHER, &mut theirs)?;
    assert!(told.removed.contains(&1) && told.removed.contains(&3), "{told:?}");
    Ok(())
}

pub fn everything_goes_at_once(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    block_on(one.put(ONE, (1..=5_000).map(|id| entry(id, &format!("q{id}"))).collect()))?;
    assert_eq!(all(&*other)?.len(), 5_000);
    let (mut mine, mut theirs) = (FeedPosition::START, FeedPosition::START);
    while news(&*other, OTHER, &mut theirs)?.more {}
    while news(&*one, ONE, &mut mine)?.more {}
    let everything = |since| Erasure { known: Vec::new(), since, unseen: Unseen::Everything };
    block_on(other.erase(OTHER, everything(theirs)))?;
    assert!(news(&*one, ONE, &mut mine)?.missed, "the roll says what is left");
    assert_eq!(block_on(one.roll())?, []);
    block_on(one.put(ONE, vec![entry(1, "after")]))?;
    assert_eq!(prompts(&news(&*other, OTHER, &mut theirs)?), ["after"]);
    Ok(())
}

pub fn evidence_is_forgotten_by_tenant(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    for (tenant, score) in [("a", 0.1), ("b", 0.2), ("a", 0.3)] {
        block_on(one.learn(ONE, evidence(tenant, score)))?;
    }
    let mut since = FeedPosition::START;
    assert_eq!(news(&*other, OTHER, &mut since)?.evidence.len(), 3);
    block_on(one.forget(ONE, Some("a".into())))?;
    assert!(news(&*other, OTHER, &mut since)?.forgotten);
    let read = |store: &dyn EntryStore| block_on(store.read(STRANGER, FeedPosition::START)).map(|page| page.evidence);
    assert_eq!(read(&*other)?, [evidence("b", 0.2)]);
    block_on(other.forget(OTHER, None))?;
    assert_eq!(read(&*one)?, []);
    Ok(())
}

pub fn what_is_wrong_is_done_to_no_other(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    block_on(one.put(ONE, vec![entry(1, "a")]))?;
    let unknown = EntryName { key: entry(1, "a").name().key, id: 7 };
    block_on(other.reject(OTHER, unknown))?;
    block_on(other.remove(OTHER, vec![unknown, entry(8, "never").name()]))?;
    assert_eq!(all(&*one)?, [entry(1, "a")]);
    block_on(one.flush())?;
    block_on(one.compact())?;
    assert_eq!(all(&*one)?, [entry(1, "a")]);
    Ok(())
}

pub fn who_reads_too_rarely_is_sent_to_the_roll(handles: &dyn Fn() -> Handles) -> Result<()> {
    let (one, other) = handles();
    block_on(one.put(ONE, vec![entry(1, "stays"), entry(2, "goes")]))?;
    let mut since = FeedPosition::START;
    news(&*other, OTHER, &mut since)?;
    block_on(one.remove(ONE, vec![entry(2, "goes").name()]))?;
    for round in 0..80_u64 {
        let many: Vec<_> = (0..1_000).map(|n| entry(1_000 + round * 1_000 + n, &format!("{n}"))).collect();
        let names = many.iter().map(StoredEntry::name).collect();
        drop(one.put(ONE, many));
        drop(one.remove(ONE, names));
    }
    block_on(one.flush())?;
    assert!(news(&*other, OTHER, &mut since)?.missed);
    assert_eq!(block_on(other.roll())?, [(1, false)]);
    Ok(())
}

/// All of them, each on a new store.
pub fn every(handles: &dyn Fn() -> Handles) -> Result<()> {
    what_is_put_is_read_as_it_was(handles)?;
    one_of_the_same_key_takes_the_place(handles)?;
    the_feed_tells_others_and_not_oneself(handles)?;
    an_erasure_takes_what_was_not_heard_of(handles)?;
    everything_goes_at_once(handles)?;
    evidence_is_forgotten_by_tenant(handles)?;
    what_is_wrong_is_done_to_no_other(handles)?;
    who_reads_too_rarely_is_sent_to_the_roll(handles)
}
