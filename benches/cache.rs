//! Lookups and inserts of the semantic cache, without Python. Beside a peer: `benches/peers/cache.py`.

use criterion::{Criterion, criterion_group, criterion_main};
use headrace::cache::{CacheConfig, InsertRequest, LookupRequest, SemanticCache};
use headrace::{Payload, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;

const COUNT: usize = 10_000;
const DIMENSION: usize = 384;
const BATCH: usize = 64;

fn vector(random: &mut StdRng) -> Vec<f32> {
    (0..DIMENSION).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn filled() -> Result<(SemanticCache, Vec<Vec<f32>>)> {
    let random = &mut StdRng::seed_from_u64(1);
    let cache = SemanticCache::open(CacheConfig { guards: None, ..CacheConfig::default() })?;
    let answer = Payload::from(&serde_json::json!("answer"));
    let prompts: Vec<String> = (0..COUNT).map(|i| format!("prompt {i}")).collect();
    let vectors: Vec<Vec<f32>> = (0..COUNT).map(|_| vector(random)).collect();
    let requests = prompts.iter().zip(&vectors).map(|(prompt, vector)| InsertRequest {
        embedding: Some(vector),
        ..InsertRequest::new(prompt, answer.clone())
    });
    cache.insert_many(requests.collect())?;
    Ok((cache, vectors))
}

fn lookups(criterion: &mut Criterion) {
    let Ok((cache, vectors)) = filled() else { return };
    let random = &mut StdRng::seed_from_u64(2);
    let far: Vec<Vec<f32>> = (0..BATCH).map(|_| vector(random)).collect();
    let ask = |vector| LookupRequest { embedding: Some(vector), ..LookupRequest::new("another") };
    criterion.bench_function("cache/exact", |bench| {
        bench.iter(|| black_box(cache.lookup(&LookupRequest::new("prompt 5000"))));
    });
    criterion.bench_function("cache/semantic hit, 10,000 x 384", |bench| {
        bench.iter(|| black_box(cache.lookup(&ask(&vectors[5000]))));
    });
    criterion.bench_function("cache/semantic miss, 10,000 x 384", |bench| {
        bench.iter(|| black_box(cache.lookup(&ask(&far[0]))));
    });
    criterion.bench_function("cache/64 misses at once, 10,000 x 384", |bench| {
        let requests: Vec<_> = far.iter().map(|vector| ask(vector.as_slice())).collect();
        bench.iter(|| black_box(cache.lookup_many(&requests)));
    });
    criterion.bench_function("cache/insert, 384", |bench| {
        let answer = Payload::from(&serde_json::json!("answer"));
        let mut count = 0_usize;
        bench.iter(|| {
            count += 1;
            let prompt = format!("new {count}");
            let request = InsertRequest {
                embedding: Some(&vectors[count % COUNT]),
                ..InsertRequest::new(&prompt, answer.clone())
            };
            black_box(cache.insert(request))
        });
    });
}

criterion_group!(benches, lookups);
criterion_main!(benches);
