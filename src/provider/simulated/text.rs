//! What the simulated models say, and how long it is.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const OPENINGS: [&str; 4] = [
    "According to the sustainability statement,",
    "The reported figure, consolidated under operational control, is as follows:",
    "Based on the assured inventory,",
    "The disclosure gives the following:",
];
const SUBJECTS: [&str; 5] = [
    "gross emissions were {a} tCO2e, {b} % below the base year",
    "consumption came to {a} MWh, of which {b} % from renewable sources",
    "withdrawal was {a} m3, with {b} % in areas of high water stress",
    "the total was {a} t, and {b} % of it was recovered",
    "coverage reached {b} % of spend across {a} suppliers",
];
const CLOSINGS: [&str; 4] = [
    "The method follows the GHG Protocol Corporate Standard.",
    "Estimates cover less than a tenth of the total and are marked as such.",
    "The figure was assured to a limited level (ISAE 3000).",
    "Restatements since the last report are explained in the notes.",
];

/// A number that belongs to a text and a seed.
pub(super) fn digest(seed: u64, text: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(text.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// An answer that names the question, so that who reads it can tell to which question it belongs.
pub(super) fn answer(seed: u64, question: &str) -> String {
    let mut rng = SmallRng::seed_from_u64(digest(seed, question));
    let mut pick = |list: &[&'static str]| list.choose(&mut rng).copied().unwrap_or_default();
    let (opening, closing) = (pick(&OPENINGS), pick(&CLOSINGS));
    let mut facts = Vec::new();
    let mut rng = SmallRng::seed_from_u64(digest(seed.wrapping_add(1), question));
    for _ in 0..rng.random_range(1..4) {
        let (a, b) = (rng.random_range(100..90_000), rng.random_range(1..100));
        let subject = SUBJECTS.choose(&mut rng).copied().unwrap_or_default();
        facts.push(subject.replace("{a}", &a.to_string()).replace("{b}", &b.to_string()));
    }
    format!("Re \"{question}\": {opening} {}. {closing}", facts.join("; "))
}

/// Tokens of a text, four bytes each, at least one where there is text: close to what byte-pair encoders give English.
pub(super) fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// A text in pieces of about a token.
pub(super) fn pieces(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// A unit vector that belongs to the words of a text: texts that share words are near each other.
pub(super) fn vector(seed: u64, text: &str, dimension: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; dimension];
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words.chain(lower.is_empty().then_some("")) {
        let mut rng = SmallRng::seed_from_u64(digest(seed, word));
        for slot in &mut sum {
            *slot += rng.random_range(-1.0..1.0_f32);
        }
    }
    let norm = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    sum.iter().map(|value| value / norm).collect()
}
