//! The text of a document that comes with a question: sentences of a sustainability report, as long as asked for.

use super::catalogue::Catalogue;
use super::question::YEARS;
use crate::load::request::estimate_tokens;
use crate::load::rng::Rng;

/// About `tokens` tokens of report text, at least one sentence.
pub(super) fn text(rng: &mut Rng, catalogue: &Catalogue, tokens: u64) -> String {
    let mut text = String::new();
    while let Some(sentence) = rng.pick(&catalogue.names.sentence) {
        if !text.is_empty() {
            text.push(' ');
        }
        let value = rng.below(900_000) + 100;
        let share = rng.below(99) + 1;
        let year = usize::from(*YEARS.start()) + rng.below(YEARS.len());
        let filled = sentence
            .replace("{v}", &value.to_string())
            .replace("{d}", &share.to_string())
            .replace("{y}", &year.to_string());
        text.push_str(&filled);
        if estimate_tokens(&text) >= tokens {
            break;
        }
    }
    text
}
