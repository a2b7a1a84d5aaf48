//! The semantic cache from outside: partitions never meet, and bounds hold under any sequence of calls.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use headrace::cache::{CacheConfig, InsertRequest, LookupRequest, Selection, SemanticCache};
use headrace::clock::ManualClock;
use headrace::{Payload, Result};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn answer(number: u64) -> Payload {
    Payload::from(&serde_json::Value::from(number))
}

/// Pieces that a careless key would run together: separators, lengths, quotes, and each other's beginnings.
const PIECES: [&str; 12] = ["", "a", "b", "ab", "\0", "\u{1}", "|", ":", "\"", "null", "a\0b", "1:a"];

#[test]
fn of_a_million_lookups_across_tenants_none_hits() -> Result<()> {
    let cache = SemanticCache::open(CacheConfig::default())?;
    let mut random = StdRng::seed_from_u64(1);
    let mut word = |most: usize| -> String {
        (0..random.random_range(0..=most)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
    };
    let mut stored = std::collections::HashSet::new();
    for number in 0..2_000 {
        let (tenant, scope, prompt) = (word(3), word(2), format!("{}x", word(3)));
        cache.insert(InsertRequest {
            tenant: &tenant,
            scope: Some(&scope),
            ..InsertRequest::new(&prompt, answer(number))
        })?;
        stored.insert((tenant, Some(scope), prompt));
    }
    let stored_list: Vec<_> = stored.iter().cloned().collect();
    let mut asked = 0;
    for round in 0.. {
        let (tenant, scope, prompt) = &stored_list[round % stored_list.len()];
        let other = word(3);
        // The same bytes cut elsewhere, and the same question by another tenant.
        let all = format!("{tenant}{}{prompt}", scope.as_deref().unwrap_or_default());
        let cut =
            (0..=all.len()).rev().find(|&at| all.is_char_boundary(at) && at <= round % (all.len() + 1)).unwrap_or(0);
        for question in [
            (other.clone(), scope.clone(), prompt.clone()),
            (tenant.clone(), Some(other.clone()), prompt.clone()),
            (tenant.clone(), None, prompt.clone()),
            (all[..cut].to_owned(), Some(String::new()), all[cut..].to_owned()),
        ] {
            if stored.contains(&question) {
                continue;
            }
            let request =
                LookupRequest { tenant: &question.0, scope: question.1.as_deref(), ..LookupRequest::new(&question.2) };
            assert!(cache.lookup(&request)?.is_none(), "{question:?}");
            asked += 1;
        }
        if asked >= 1_000_000 {
            return Ok(());
        }
    }
    Ok(())
}

#[test]
fn similar_questions_of_other_tenants_do_not_hit() -> Result<()> {
    let cache = SemanticCache::open(CacheConfig { guards: None, ..CacheConfig::default() })?;
    let vector = [0.6_f32, 0.8];
    for tenant in 0..200 {
        let name = format!("tenant {tenant}");
        let request =
            InsertRequest { tenant: &name, embedding: Some(&vector), ..InsertRequest::new("q", answer(tenant)) };
        cache.insert(request)?;
    }
    for tenant in 0..20_000_u64 {
        let name = format!("tenant {tenant}");
        let asked = LookupRequest { tenant: &name, embedding: Some(&vector), ..LookupRequest::new("another") };
        let expected = (tenant < 200).then(|| answer(tenant));
        assert_eq!(cache.lookup(&asked)?.map(|hit| hit.response().clone()), expected);
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Step {
    Put { prompt: u8, tenant: u8, tag: u8, ttl: Option<u8> },
    Get { prompt: u8, tenant: u8 },
    Wait(u8),
    DropTag(u8),
    DropTenant(u8),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8_u8, 0..3_u8, 0..3_u8, proptest::option::of(1..5_u8))
            .prop_map(|(prompt, tenant, tag, ttl)| Step::Put { prompt, tenant, tag, ttl }),
        8 => (0..8_u8, 0..3_u8).prop_map(|(prompt, tenant)| Step::Get { prompt, tenant }),
        2 => (0..4_u8).prop_map(Step::Wait),
        1 => (0..3_u8).prop_map(Step::DropTag),
        1 => (0..3_u8).prop_map(Step::DropTenant),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn does_what_a_plain_map_does(steps in proptest::collection::vec(step(), 1..60)) {
        let clock = ManualClock::new(Duration::from_secs(1_000));
        let cache = SemanticCache::open(CacheConfig { clock: Arc::new(clock.clone()), ..CacheConfig::default() }).unwrap();
        let mut model: BTreeMap<(u8, u8), (u64, u8, Option<u64>)> = BTreeMap::new();
        let mut now = 0_u64;
        for (number, step) in steps.into_iter().enumerate() {
            let number = number as u64;
            match step {
                Step::Put { prompt, tenant, tag, ttl } => {
                    let (text, name, tags) = (format!("p{prompt}"), format!("t{tenant}"), [format!("g{tag}")]);
                    let ttl_time = ttl.map(|seconds| Duration::from_secs(seconds.into()));
                    let vector = [1.0, f32::from(prompt) * 10.0];
                    cache.insert(InsertRequest {
                        tenant: &name, tags: &tags, ttl: ttl_time, embedding: Some(&vector),
                        ..InsertRequest::new(&text, answer(number))
                    }).unwrap();
                    model.insert((tenant, prompt), (number, tag, ttl.map(|seconds| now + u64::from(seconds))));
                }
                Step::Get { prompt, tenant } => {
                    let (text, name) = (format!("p{prompt}"), format!("t{tenant}"));
                    let hit = cache.lookup(&LookupRequest { tenant: &name, ..LookupRequest::new(&text) }).unwrap();
                    let expected = model.get(&(tenant, prompt)).filter(|held| held.2.is_none_or(|end| now < end));
                    prop_assert_eq!(hit.map(|hit| hit.response().clone()), expected.map(|held| answer(held.0)));
                }
                Step::Wait(seconds) => {
                    clock.advance(Duration::from_secs(seconds.into()));
                    now += u64::from(seconds);
                }
                Step::DropTag(tag) => {
                    let name = format!("g{tag}");
                    cache.invalidate(&Selection { tag: Some(&name), ..Selection::default() }).unwrap();
                    model.retain(|_, held| held.1 != tag);
                }
                Step::DropTenant(tenant) => {
                    let name = format!("t{tenant}");
                    cache.invalidate(&Selection { tenant: Some(&name), ..Selection::default() }).unwrap();
                    model.retain(|key, _| key.0 != tenant);
                }
                Step::Clear => {
                    cache.clear().unwrap();
                    model.clear();
                }
            }
            cache.purge_expired();
            prop_assert_eq!(cache.len(), model.values().filter(|held| held.2.is_none_or(|end| now < end)).count());
        }
    }
}
