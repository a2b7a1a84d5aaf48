//! The language of a question, by its small words.

use super::lexicon::{Language, Lexicon};
use super::text::{Kind, Token};

const ALL: [Language; 7] = [
    Language::English,
    Language::German,
    Language::French,
    Language::Spanish,
    Language::Portuguese,
    Language::Italian,
    Language::Dutch,
];

/// The language that most small words speak for; None where there are too few to tell, or two languages tie.
pub(super) fn detect(tokens: &[Token<'_>], lexicon: &Lexicon) -> Option<Language> {
    let mut votes = [0.0_f32; ALL.len()];
    for token in tokens.iter().filter(|token| token.kind == Kind::Word) {
        let speaking = lexicon.languages(&token.stem);
        for language in speaking {
            // A word of many languages says little.
            votes[*language as usize] += 1.0 / speaking.len() as f32;
        }
    }
    let (best, most) = ALL.iter().zip(votes).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let second =
        ALL.iter().zip(votes).filter(|(language, _)| *language != best).map(|(_, vote)| vote).fold(0.0, f32::max);
    (most >= 1.5 && most >= 1.5 * second).then_some(*best)
}
