//! The stores of entries keep what they promise, in memory and on a file.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "conformance/entries.rs"]
mod entries;

use entries::{Handles, ONE, OTHER, entry};
use headrace::blocking::block_on;
use headrace::cache::Selection;
use headrace::cache::store::{
    Criteria, EntryStore, Erasure, FeedPosition, MemoryEntries, SqliteEntries, StoredEntry, Unseen,
};
use headrace::{Payload, Result};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn entries_in_memory_conform() -> Result<()> {
    entries::every(&|| -> Handles {
        let store = Arc::new(MemoryEntries::default());
        (store.clone(), store)
    })
}

#[test]
fn entries_in_a_file_conform() -> Result<()> {
    let folders = RefCell::new(Vec::new());
    let open = |path: &Path| -> Arc<dyn EntryStore> { Arc::new(SqliteEntries::open(path).unwrap()) };
    entries::every(&|| -> Handles {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.db");
        folders.borrow_mut().push(folder);
        (open(&path), open(&path))
    })
}

#[test]
fn after_an_erasure_no_byte_is_left() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let (one, other) = (SqliteEntries::open(&path)?, SqliteEntries::open(&path)?);
    let secret = |id: u64| StoredEntry {
        tenant: "SECRET-tenant".into(),
        scope: Some("\"SECRET-scope\"".into()),
        response: Payload::bytes("SECRET-answer".repeat(1 + id as usize * 37 % 900)),
        tags: ["SECRET-tag".to_owned()].into(),
        ..entry(id, &format!("SECRET-question {}", id % 150))
    };
    // Replaced, evicted and living, put by two, between others that stay.
    for round in 0..6_u64 {
        let each = |base: u64| (0..60).map(move |n| base + round * 60 + n);
        block_on(one.put(ONE, each(0).map(secret).collect()))?;
        block_on(other.put(OTHER, each(10_000).map(secret).collect()))?;
        block_on(one.put(ONE, each(20_000).map(|id| entry(id, &format!("stays {id}"))).collect()))?;
        block_on(other.remove(OTHER, each(10_000).step_by(7).map(|id| secret(id).name()).collect()))?;
    }
    let selection = Selection { tenant: Some("SECRET-tenant"), ..Selection::default() };
    let criteria = Criteria::of(&selection, Duration::ZERO);
    let erasure = Erasure { known: Vec::new(), since: FeedPosition::START, unseen: Unseen::Matching(criteria) };
    assert!(!block_on(one.erase(ONE, erasure))?.is_empty());
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"SECRET"), "{} holds it", file.display());
    }
    assert_eq!(block_on(other.roll())?.len(), 360);
    Ok(())
}
