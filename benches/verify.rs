//! The local verifier: one pair, and several at once, by a model of random weights that is as large as a real one.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headrace::cache::verify::{LocalVerifier, QuestionPair, Verifier};
use std::hint::black_box;
use std::time::Duration;

#[path = "../src/cache/verify/local/sample.rs"]
mod sample;

/// What a lookup asks at most, and what a batch of lookups may.
const BATCHES: [usize; 3] = [1, 6, 32];

fn verifications(criterion: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let mut group = criterion.benchmark_group("verify");
    group.measurement_time(Duration::from_secs(3));
    // Questions of 11 and of 24 pieces with the marks between them: 38 tokens.
    let pair = QuestionPair { asked: sample::QUESTIONS[0], stored: sample::QUESTIONS[5] };
    for layers in [6, 4, 3] {
        let mut file = sample::SampleFile::new(1, layers, 1);
        file.seal();
        let path = folder.path().join(format!("{layers}.safetensors"));
        let Ok(bytes) = file.bytes() else { return };
        if std::fs::write(&path, bytes).is_err() {
            return;
        }
        group.bench_function(format!("{layers} layers, load"), |bench| {
            bench.iter(|| LocalVerifier::open(&path).and_then(|verifier| verifier.memory()));
        });
        let Ok(verifier) = LocalVerifier::open(&path) else { return };
        for count in BATCHES {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(format!("{layers} layers, {count} pairs of 38 tokens"), |bench| {
                let pairs = vec![pair; count];
                bench.iter(|| black_box(verifier.verify(&pairs)));
            });
        }
    }
}

criterion_group!(benches, verifications);
criterion_main!(benches);
