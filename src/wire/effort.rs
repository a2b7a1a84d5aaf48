//! How hard a model is to think: a word in OpenAI's protocols, a number of tokens in others.

use crate::chat::Request;

/// The most tokens of thoughts that a word stands for, by Google's table for those who ask Gemini in OpenAI's words
/// (<https://ai.google.dev/gemini-api/docs/openai#thinking>).
const BUDGETS: [(&str, u64); 5] = [("none", 0), ("minimal", 512), ("low", 1024), ("medium", 8192), ("high", 24576)];

/// The word for a request's effort: as given, or that of the budget that was given.
pub(super) fn word(request: &Request) -> Option<&str> {
    let of_budget = |budget: u64| {
        let row = BUDGETS.iter().find(|(_, most)| budget <= *most);
        row.map_or("high", |(word, _)| *word)
    };
    request.sampling.reasoning_effort.as_deref().or_else(|| request.limits.max_reasoning_tokens.map(of_budget))
}

/// The budget that a word stands for; None for a word that is a provider's own.
pub(super) fn budget(word: &str) -> Option<u64> {
    BUDGETS.iter().find(|(known, _)| *known == word).map(|(_, budget)| *budget)
}
