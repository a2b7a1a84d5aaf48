//! A cache with entries of every kind.

use crate::{Facts, START, url};
use headrace::cache::{CacheConfig, InsertRequest, LookupRequest, SemanticCache};
use headrace::clock::ManualClock;
use headrace::{Payload, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How what was lost is told: a miss.
pub const LOST: &str = "a miss";
const ENTRIES: u64 = 24;

fn open(file: &Path, at: Duration) -> Result<SemanticCache> {
    let clock = Arc::new(ManualClock::new(at));
    SemanticCache::open(CacheConfig { url: url(file), clock, ..CacheConfig::default() })
}

fn prompt(number: u64) -> String {
    format!("What does disclosure {number} ask for?")
}

fn vector(number: u64) -> [f32; 16] {
    std::array::from_fn(|at| if at as u64 == number % 16 { 1.0 } else { 0.05 * (number as f32 + at as f32) })
}

fn tenant(number: u64) -> String {
    format!("tenant {}", number % 3)
}

pub fn make(file: &Path) {
    let cache = open(file, START).unwrap();
    for number in 0..ENTRIES {
        let (asked, tenant, vector) = (prompt(number), tenant(number), vector(number));
        let tags = [format!("tag {}", number % 4)];
        let request = InsertRequest {
            embedding: Some(&vector),
            tenant: &tenant,
            tags: &tags,
            scope: number.is_multiple_of(4).then_some("{\"model\":\"m\"}"),
            ttl: (number % 5 == 4).then_some(Duration::from_mins(5)),
            cost: Some(i128::from(number) << 70),
            ..InsertRequest::new(&asked, Payload::bytes(format!("answer {number}").repeat(20)))
        };
        cache.insert_and_keep(vec![request]).unwrap();
    }
    for number in [3, 7] {
        let (asked, tenant) = (prompt(number), tenant(number));
        let request = LookupRequest { tenant: &tenant, ..LookupRequest::new(&asked) };
        cache.feedback(&cache.lookup_exact(&request).unwrap(), false).unwrap();
    }
    cache.flush().unwrap();
    drop(cache);
    assert!(headrace::store::sqlite::close_all(Duration::from_mins(1)));
}

pub fn look(file: &Path) -> Result<Facts> {
    let cache = open(file, START + Duration::from_mins(10))?;
    let mut facts = Facts::new();
    for number in 0..ENTRIES {
        let (asked, tenant, vector) = (prompt(number), tenant(number), vector(number));
        let scope = number.is_multiple_of(4).then_some("{\"model\":\"m\"}");
        let exact = LookupRequest { tenant: &tenant, scope, ..LookupRequest::new(&asked) };
        let near = format!("Please: {asked}");
        let near = LookupRequest { prompt: &near, embedding: Some(&vector), threshold: Some(0.999), ..exact };
        for (kind, hit) in [("exact", cache.lookup_exact(&exact)), ("near", cache.lookup(&near)?)] {
            let said = hit.map_or_else(
                || LOST.to_owned(),
                |hit| {
                    let money = hit.saved_cost();
                    format!("{} {:?} {:?} {money:?} {:?}", hit.prompt(), hit.response(), hit.age(), hit.similarity())
                },
            );
            facts.insert(format!("{number}, {kind}"), said);
        }
    }
    Ok(facts)
}
