//! Token ids of a text, word by word, from a cache of the thread.
//!
//! A byte-pair vocabulary whose tokens never go on after a word's end encodes each word alone to what it encodes
//! the whole text to, so words can be remembered. The cache is the thread's own: no lock that a fork could
//! leave closed.

use super::caught::caught;
use crate::{Error, Result};
use hashbrown::HashMap;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use tokenizers::Tokenizer;

/// The mark that `SentencePiece` vocabularies write for a space.
const SPACE: char = '▁';
const CACHED_WORDS: usize = 32_768;
/// A longer run without a space is no word, and not worth remembering.
const LONGEST_WORD: usize = 48;

static INSTANCES: AtomicU64 = AtomicU64::new(0);

type Cache = HashMap<Box<str>, Box<[u32]>>;

thread_local! {
    static CACHE: RefCell<(u64, Cache)> = RefCell::new((u64::MAX, Cache::new()));
}

/// A tokenizer, and whether it can go word by word.
pub(super) struct Pieces {
    tokenizer: Tokenizer,
    by_word: bool,
    instance: u64,
}

impl Pieces {
    pub(super) fn new(tokenizer: Tokenizer) -> Self {
        let vocabulary = tokenizer.get_vocab(true);
        let spaced = vocabulary.contains_key(&SPACE.to_string());
        let inside = vocabulary.keys().any(|token| token.trim_start_matches(SPACE).contains(SPACE));
        let prepends = encode(&tokenizer, "a b").is_ok_and(|both| {
            let [Ok(a), Ok(b)] = ["a", "b"].map(|word| encode(&tokenizer, word)) else { return false };
            *both == [a, b].concat()
        });
        let by_word = spaced && !inside && prepends && tokenizer.get_pre_tokenizer().is_none();
        Self { tokenizer, by_word, instance: INSTANCES.fetch_add(1, Ordering::Relaxed) }
    }

    /// The token that is this word, where one is.
    pub(super) fn token(&self, word: &str) -> Option<u32> {
        self.tokenizer.token_to_id(&format!("{SPACE}{word}"))
    }

    /// Calls `each` with every token id of the text, in order.
    pub(super) fn for_each(&self, text: &str, mut each: impl FnMut(u32)) -> Result<()> {
        // An added token such as "<s>" cuts the text before words are looked at; a last space is a token alone.
        if !self.by_word || text.ends_with(' ') || text.contains(['<', SPACE]) {
            return encode(&self.tokenizer, text).map(|ids| ids.iter().copied().for_each(each));
        }
        CACHE.with_borrow_mut(|(owner, cache)| {
            if *owner != self.instance || cache.len() > CACHED_WORDS {
                cache.clear();
                *owner = self.instance;
            }
            for word in words(text) {
                if let Some(ids) = cache.get(word) {
                    ids.iter().copied().for_each(&mut each);
                    continue;
                }
                let ids = encode(&self.tokenizer, word)?;
                ids.iter().copied().for_each(&mut each);
                if word.len() <= LONGEST_WORD {
                    cache.insert(word.into(), ids);
                }
            }
            Ok(())
        })
    }
}

fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Box<[u32]>> {
    let encode = || tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().into());
    caught(|| encode().map_err(|error| error.to_string()))
        .flatten()
        .map_err(|error| Error::Embedding(format!("the tokenizer cannot read a text of {} bytes: {error}", text.len())))
}

/// The words of a text, each without the one space before it, which the tokenizer puts back.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = (!text.is_empty()).then_some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let start = text.find(|letter| letter != ' ').unwrap_or(text.len());
        let end = text[start..].find(' ').map(|length| start + length);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn splits_where_a_space_follows_a_word() {
        let split = |text| words(text).collect::<Vec<_>>();
        assert_eq!(split("a b"), ["a", "b"]);
        assert_eq!(split(" a  b"), [" a", " b"]);
        assert_eq!(split("   "), ["   "]);
        assert!(split("").is_empty());
    }
}
