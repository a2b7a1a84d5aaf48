//! The line of the judges: facts, verifiers, policy, and who of them serves.

#![allow(clippy::unwrap_used)]

use headrace::cache::policy::PolicyConfig;
use headrace::cache::verify::{Judgement, QuestionPair, SpentMeter, Verifier, VerifierSpending, bounds};
use headrace::cache::{CacheConfig, InsertRequest, LabelledPair, LookupRequest, SemanticCache};
use headrace::{Error, Payload, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Knows a probability for each stored question; fails where it is told to.
#[derive(Debug, Default)]
struct Known {
    of_stored: HashMap<String, f32>,
    english_only: bool,
    fails: bool,
    calls: AtomicUsize,
    pairs: AtomicUsize,
    meter: SpentMeter,
}

impl Known {
    fn of(known: &[(&str, f32)]) -> Arc<Self> {
        let of_stored = known.iter().map(|(stored, probability)| ((*stored).to_owned(), *probability)).collect();
        Arc::new(Self { of_stored, ..Self::default() })
    }

    fn counts(&self) -> (usize, usize) {
        (self.calls.load(Ordering::Relaxed), self.pairs.load(Ordering::Relaxed))
    }
}

impl Verifier for Known {
    fn name(&self) -> &'static str {
        "known"
    }

    fn verify(&self, pairs: &[QuestionPair<'_>]) -> Result<Vec<Judgement>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.pairs.fetch_add(pairs.len(), Ordering::Relaxed);
        self.meter.add(VerifierSpending { calls: 1, cost: 1_000_000_000_000, failures: 0 });
        if self.fails {
            return Err(Error::Config("out of order".into()));
        }
        let of = |pair: &QuestionPair<'_>| self.of_stored.get(pair.stored).copied().unwrap_or(0.5);
        Ok(pairs.iter().map(|pair| Judgement::of(of(pair), bounds::SAME_AT, bounds::DIFFERENT_AT)).collect())
    }

    fn is_english_only(&self) -> bool {
        self.english_only
    }

    fn spending(&self) -> VerifierSpending {
        self.meter.read()
    }
}

/// Vectors at an angle to the first axis, whose cosine to `[1, 0]` is `near`.
fn at(near: f32) -> [f32; 2] {
    [near, (1.0 - near * near).sqrt()]
}

fn cache(verifiers: Vec<Arc<dyn Verifier>>) -> SemanticCache {
    SemanticCache::open(CacheConfig { verifiers, ..CacheConfig::default() }).unwrap()
}

fn put(cache: &SemanticCache, prompt: &str, near: f32) {
    let vector = at(near);
    let answer = Payload::from(&serde_json::json!(prompt));
    let request = InsertRequest {
        embedding: Some(&vector),
        cost: Some(2_000_000_000_000_000),
        ..InsertRequest::new(prompt, answer)
    };
    cache.insert(request).unwrap();
}

fn ask(cache: &SemanticCache, prompt: &str) -> Option<(String, Option<f32>)> {
    let hit = cache.lookup(&LookupRequest { embedding: Some(&[1.0, 0.0]), ..LookupRequest::new(prompt) }).unwrap()?;
    Some((hit.prompt().to_owned(), hit.verified()))
}

const ASKED: &str = "How much water was withdrawn?";

#[test]
fn the_best_verified_serves_and_not_the_most_similar() {
    let verifier = Known::of(&[
        ("How much water was consumed?", 0.05),
        ("What was the water withdrawal?", 0.97),
        ("Water taken in all?", 0.92),
    ]);
    let cache = cache(vec![verifier.clone()]);
    put(&cache, "How much water was consumed?", 0.99);
    put(&cache, "Water taken in all?", 0.95);
    put(&cache, "What was the water withdrawal?", 0.90);
    assert_eq!(ask(&cache, ASKED), Some(("What was the water withdrawal?".into(), Some(0.97))));
    assert_eq!(verifier.counts(), (1, 3), "one batch");
    let stats = cache.stats();
    assert_eq!(
        (stats.verifications(), stats.verified_same, stats.verified_different, stats.verified_unsure),
        (3, 2, 1, 0)
    );
    assert_eq!((stats.verified_hits, stats.verified_saved_nanodollars), (1, 2_000_000));
    assert_eq!((stats.verifier_calls, stats.verifier_cost), (1, 1_000_000_000_000));
    assert!(stats.verifier_time > Duration::ZERO);
}

#[test]
fn nothing_serves_on_unsure_unless_a_second_verifier_says_same() {
    let first = Known::of(&[("What was the water withdrawal?", 0.4)]);
    let alone = cache(vec![first.clone()]);
    put(&alone, "What was the water withdrawal?", 0.95);
    assert_eq!(ask(&alone, ASKED), None);
    assert_eq!(alone.stats().verified_unsure, 1);
    let second = Known::of(&[("What was the water withdrawal?", 0.99)]);
    let both = cache(vec![first, second.clone()]);
    put(&both, "What was the water withdrawal?", 0.95);
    assert_eq!(ask(&both, ASKED), Some(("What was the water withdrawal?".into(), Some(0.99))));
    assert_eq!(second.counts(), (1, 1));
}

#[test]
fn facts_that_differ_are_read_by_no_verifier_and_exact_repeats_neither() {
    let stored = "What were the scope 1 emissions in 2023?";
    let verifier = Known::of(&[(stored, 1.0)]);
    let cache = cache(vec![verifier.clone()]);
    put(&cache, stored, 0.99);
    assert_eq!(ask(&cache, "What were the scope 1 emissions in 2024?"), None);
    assert_eq!(ask(&cache, stored), Some((stored.into(), None)));
    assert_eq!(verifier.counts(), (0, 0));
    assert!(ask(&cache, "Scope 1 emissions 2023, what were they?").is_some(), "no fact differs: the verifier decides");
    assert_eq!(verifier.counts(), (1, 1));
}

#[test]
fn wording_is_the_verifiers_to_judge() {
    let (stored, asked) = ("How much water was consumed?", "Who approves the water policy?");
    let guarded = SemanticCache::open(CacheConfig::default()).unwrap();
    put(&guarded, stored, 0.97);
    assert_eq!(ask(&guarded, asked), None, "the guards compare the wording");
    let verified = cache(vec![Known::of(&[(stored, 0.95)])]);
    put(&verified, stored, 0.97);
    assert!(ask(&verified, asked).is_some());
}

#[test]
fn a_few_candidates_are_read_at_most() {
    let verifier = Known::of(&[]);
    let cache = cache(vec![verifier.clone()]);
    for number in 0..40_u8 {
        put(&cache, &format!("Water question {}", char::from(b'a' + number % 26)), 0.99 - f32::from(number) * 0.001);
    }
    assert_eq!(ask(&cache, ASKED), None);
    assert_eq!(verifier.counts(), (1, bounds::MOST_READ));
}

#[test]
fn a_verifier_that_fails_is_a_miss_and_counted() {
    let broken = Arc::new(Known { fails: true, ..Known::default() });
    let cache = cache(vec![broken]);
    put(&cache, "What was the water withdrawal?", 0.95);
    assert_eq!(ask(&cache, ASKED), None);
    let stats = cache.stats();
    assert_eq!((stats.verifier_failures, stats.verified_unsure, stats.misses), (1, 1, 1));
}

#[test]
fn another_language_is_judged_by_the_guards_where_no_verifier_reads_it() {
    let (stored, asked) = ("Wie hoch waren die Emissionen in 2023?", "Wie hoch waren die Emissionen 2023?");
    let local = Arc::new(Known { english_only: true, ..Known::default() });
    let verified = cache(vec![local.clone()]);
    put(&verified, stored, 0.97);
    assert_eq!(ask(&verified, asked), Some((stored.into(), None)));
    assert_eq!(local.counts(), (0, 0));
    // One that reads every language is asked, and believed.
    let refuses = cache(vec![local, Known::of(&[(stored, 0.01)])]);
    put(&refuses, stored, 0.97);
    assert_eq!(ask(&refuses, asked), None);
}

#[test]
fn many_questions_are_read_in_one_batch() {
    let stored = ["What was the water withdrawal?", "Which boards oversee risk?", "What do contractors earn?"];
    let verifier = Known::of(&[(stored[0], 0.95), (stored[1], 0.95), (stored[2], 0.2)]);
    let cache = cache(vec![verifier.clone()]);
    let axis = |place: usize, turned: f32| {
        let mut vector = [0.0_f32; 4];
        vector[place] = 1.0;
        vector[3] = turned;
        vector
    };
    for (place, prompt) in stored.iter().enumerate() {
        let vector = axis(place, 0.0);
        let request = InsertRequest {
            embedding: Some(&vector),
            ..InsertRequest::new(prompt, Payload::from(&serde_json::json!(place)))
        };
        cache.insert(request).unwrap();
    }
    let vectors: Vec<_> = (0..3).map(|place| axis(place, 0.2)).collect();
    let asked = ["How much water was withdrawn?", "Which board looks after risk?", "How are contractors paid?"];
    let requests: Vec<_> = asked
        .iter()
        .zip(&vectors)
        .map(|(prompt, vector)| LookupRequest { embedding: Some(vector), ..LookupRequest::new(prompt) })
        .collect();
    let hits = cache.lookup_many(&requests).unwrap();
    assert_eq!(hits.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(verifier.counts(), (1, 3));
    let one_by_one: Vec<_> =
        requests.iter().map(|request| cache.lookup(request).unwrap().map(|hit| hit.key())).collect();
    assert_eq!(one_by_one, hits.iter().map(|hit| hit.as_ref().map(headrace::cache::CacheHit::key)).collect::<Vec<_>>());
}

#[test]
fn explain_says_what_each_judge_says() {
    let (same, unsure) = ("What was the water withdrawal?", "What about the water?");
    let cache = cache(vec![Known::of(&[(same, 0.97), (unsure, 0.5)])]);
    put(&cache, same, 0.95);
    put(&cache, unsure, 0.94);
    put(&cache, "How much water was withdrawn in 2023?", 0.93);
    let other = InsertRequest { scope: Some("\"s\""), ..InsertRequest::new("x", Payload::from(&serde_json::json!(1))) };
    cache.insert(other).unwrap();
    let nearest =
        cache.explain(&LookupRequest { embedding: Some(&[1.0, 0.0]), ..LookupRequest::new(ASKED) }, 5).unwrap();
    assert_eq!(nearest.in_other_scopes, 1);
    let judges: Vec<_> = nearest.entries.iter().map(|near| near.judges.join("\n")).collect();
    assert_eq!(
        judges[0],
        "threshold: 0.9500 is at least 0.6\nguard: no fact differs\n\
         verifier known: same, 0.97 probable that one answer serves both\nexpiry: it serves without an end"
    );
    assert!(nearest.entries[0].serves && !nearest.entries[1].serves && !nearest.entries[2].serves);
    assert_eq!(nearest.entries[1].blocked, ["verifier known: unsure, 0.50 probable that one answer serves both"]);
    assert!(nearest.entries[2].blocked[0].starts_with("guard: year 2023"), "{judges:?}");
    assert_eq!(cache.stats().verifications(), 0, "explaining counts nothing");
}

#[test]
fn the_policy_learns_by_probability_and_calibrating_asks_the_verifier() {
    let verifier = Known::of(&[("What was the water withdrawal?", 0.6)]);
    let policy = Some(PolicyConfig { max_error_rate: 0.2, shadow_rate: 1e-9, ..PolicyConfig::default() });
    let cache =
        SemanticCache::open(CacheConfig { verifiers: vec![verifier], policy, ..CacheConfig::default() }).unwrap();
    let mut served = 0;
    for number in 0..200 {
        put(&cache, "What was the water withdrawal?", 0.95);
        let (vector, prompt) = ([1.0, 0.0], format!("{}How much water was withdrawn?", " ".repeat(number)));
        let request = LookupRequest { embedding: Some(&vector), ..LookupRequest::new(&prompt) };
        if let Some(hit) = cache.lookup(&request).unwrap() {
            served += usize::from(hit.verified() == Some(0.6));
        } else {
            let answer = Payload::from(&serde_json::json!("What was the water withdrawal?"));
            cache.insert(InsertRequest::new(&prompt, answer)).unwrap();
        }
    }
    assert!(served > 100, "{served} of 200 were served on evidence, of which the verifier alone is unsure");
    let pair = LabelledPair { asked: ASKED, stored: "x", same: true };
    assert!(cache.calibrate(&[pair], 0.1, 0.95).is_err(), "there is no embedder");
}
