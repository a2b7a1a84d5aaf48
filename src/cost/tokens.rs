//! How many tokens a call will have, before it is made; offline.
//!
//! For `OpenAI`'s models the text is split as they split it (tiktoken's `o200k_base` and `cl100k_base`), and the count is
//! that of the text. Others are counted with `o200k_base`; `most` is then an upper bound that holds for every text and every
//! other maker's splitter that `benches/quality/tokens.py` measures (`docs/cost.md` has the table).

use super::price::PriceTable;
use crate::lock::Lazy;
use crate::usage::Usage;
use serde_json::Value;
use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

/// Tokens that frame a message and open the answer, by `OpenAI`'s cookbook ("How to count tokens with tiktoken").
const FRAME: u64 = 3;
/// The same for makers who do not publish theirs: none of the published templates takes more.
const OTHER_FRAME: u64 = 8;
/// Answers of a model whose longest one no list knows.
const MOST_OUTPUT_TOKENS: u64 = 4096;
/// Names of models that are split with the older table.
const CL100K: [&str; 4] = ["gpt-4-", "gpt-3.5", "text-embedding-3", "text-embedding-ada"];
/// Names of models that are split with the newer one.
const O200K: [&str; 11] =
    ["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-6", "gpt-oss", "gpt-audio", "chatgpt-4o", "o1", "o3", "o4"];

/// A number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenCount {
    /// The likely number.
    pub tokens: u64,
    /// What to set aside, so that the call fits.
    pub most: u64,
}

/// Counts a text.
///
/// ```
/// use headrace::cost::tokens;
/// assert_eq!(tokens::of_text("openai/gpt-4o", "Scope 3 emissions").tokens, 4);
/// ```
#[must_use]
pub fn of_text(model: &str, text: &str) -> TokenCount {
    let (splitter, is_own) = splitter(model);
    let tokens = splitter.count_ordinary(text) as u64;
    TokenCount { tokens, most: if is_own { tokens } else { bound(text, tokens) } }
}

/// The most tokens that another splitter makes of a text: 8/5 as many, or 5/4 a character of a script that is not Latin,
/// where a splitter may know few words; never more than bytes.
fn bound(text: &str, tokens: u64) -> u64 {
    let characters = (text.chars().count() as u64).max(1);
    let others = text.chars().filter(|&character| character > '\u{24f}').count() as u64;
    let latin = u128::from(tokens) * 8 * u128::from(characters - others);
    let other = (u128::from(tokens) * 8 * u128::from(others)).max(u128::from(others) * u128::from(characters) * 25 / 4);
    let most = (latin + other).div_ceil(5 * u128::from(characters)) + 1;
    u64::try_from(most).unwrap_or(u64::MAX).min(text.len() as u64)
}

/// Counts messages: a text, or a list of role and content. What is no text in them (images, files) is not counted.
#[must_use]
pub fn of_messages(model: &str, messages: &Value) -> TokenCount {
    of_list(model, messages.as_array().map_or(std::slice::from_ref(messages), Vec::as_slice))
}

/// The same of a list.
#[must_use]
pub fn of_list(model: &str, list: &[Value]) -> TokenCount {
    let frame = if splitter(model).1 { FRAME } else { OTHER_FRAME };
    let mut sum = TokenCount { tokens: FRAME, most: frame };
    for message in list {
        let mut texts = Vec::new();
        collect(message, &mut texts);
        for text in texts {
            let found = of_text(model, text);
            sum.tokens = sum.tokens.saturating_add(found.tokens);
            sum.most = sum.most.saturating_add(found.most);
        }
        sum.tokens += FRAME;
        sum.most += frame;
    }
    sum
}

/// Counts the texts of a conversation of so many messages.
#[must_use]
pub fn of_texts(model: &str, texts: &[String], messages: usize) -> TokenCount {
    let frame = if splitter(model).1 { FRAME } else { OTHER_FRAME };
    let frames = messages as u64 + 1;
    let start = TokenCount { tokens: frames.saturating_mul(FRAME), most: frames.saturating_mul(frame) };
    texts.iter().map(|text| of_text(model, text)).fold(start, |sum, found| TokenCount {
        tokens: sum.tokens.saturating_add(found.tokens),
        most: sum.most.saturating_add(found.most),
    })
}

/// The usage to set aside for a call that answers with at most so many tokens.
#[must_use]
pub fn estimate_usage(model: &str, messages: &Value, max_output_tokens: u64) -> Usage {
    Usage::new(of_messages(model, messages).most, max_output_tokens)
}

/// The longest answer of a model, by the price table.
#[must_use]
pub fn most_output(prices: &PriceTable, model: &str) -> u64 {
    let found = prices.resolve(model).ok().and_then(|found| found.price.max_output);
    found.unwrap_or(MOST_OUTPUT_TOKENS)
}

/// The texts of a message, its role and its tool calls among them; data in base64 is no text.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if !text.starts_with("data:") => texts.push(text),
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
        _ => {}
    }
}

// The library's own singletons know nothing of forks.
static NEWER: Lazy<&CoreBPE> = Lazy::new(o200k_base_singleton);
static OLDER: Lazy<&CoreBPE> = Lazy::new(cl100k_base_singleton);

/// The table that splits the model's text, and whether it is the model's own. Each is built at its first use.
fn splitter(model: &str) -> (&'static CoreBPE, bool) {
    let name = model.rsplit('/').next().unwrap_or(model);
    let is = |names: &[&str]| names.iter().any(|known| name.starts_with(known));
    if is(&O200K) {
        (&NEWER, true)
    } else if name == "gpt-4" || is(&CL100K) {
        (&OLDER, true)
    } else {
        (&NEWER, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_longer_call_never_counts_less_and_others_get_room() {
        let one = json!([{"role": "user", "content": "What are Scope 2 emissions?"}]);
        let two = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What are Scope 2 emissions?"}]);
        for model in ["openai/gpt-4o", "openai/gpt-4", "anthropic/claude-opus-5"] {
            let (short, long) = (of_messages(model, &one), of_messages(model, &two));
            assert!(short.tokens < long.tokens && short.most <= long.most && short.tokens <= short.most, "{model}");
        }
        assert!(of_text("anthropic/claude-opus-5", "emissions").most > of_text("openai/gpt-4o", "emissions").most);
        assert_eq!(estimate_usage("openai/gpt-4o", &json!(""), 7).output_tokens, 7);
        let image =
            json!([{"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(9000))}}]);
        assert!(of_messages("openai/gpt-4o", &image).tokens < 20);
    }
}
