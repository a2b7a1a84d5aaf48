//! A text as numbers of word pieces, as BERT's uncased vocabularies cut it.
//!
//! Text of ASCII, which most is, goes a short way here. Any other is normalised and cut by the library that the models
//! of this family are trained with.

use super::file::ModelFile;
use crate::Result;
use hashbrown::{DefaultHashBuilder, HashTable};
use safetensors::Dtype;
use std::hash::BuildHasher;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// The vocabulary begins with these, by their places.
const SPECIAL: [&str; 4] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
/// What stands for a word that is not made of known pieces.
const UNKNOWN: u32 = 1;
/// What stands before both questions.
pub(super) const START: u32 = 2;
/// What stands after each question.
pub(super) const END: u32 = 3;
/// What marks a piece that goes on within a word.
const WITHIN: &str = "##";
/// Letters of a word beyond which it is unknown.
const LONGEST_WORD: usize = 100;
/// Bytes of a text beyond which it is not read: no question that fits the model is near it.
const LONGEST_TEXT: usize = 16_384;

/// The vocabulary.
pub(super) struct WordPieces {
    /// The pieces, one after the other, each ended by a line feed.
    text: String,
    starts: Vec<u32>,
    /// Numbers of pieces, by whether they go on within a word and by their letters.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The bytes of the longest piece.
    longest: usize,
}

impl WordPieces {
    pub(super) fn read(file: &ModelFile<'_>) -> Result<Self> {
        let name = "vocabulary";
        let bytes = file.bytes(name, Dtype::U8, &file.shape(name)?)?;
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(file.refuse(format!("{name:?} is not UTF-8")));
        };
        Self::new(text).map_err(|why| file.refuse(format!("{name:?} {why}")))
    }

    /// The pieces of a vocabulary, one a line.
    fn new(text: &str) -> Result<Self, String> {
        if !text.split('\n').take(SPECIAL.len()).eq(SPECIAL) {
            return Err(format!("must begin with {SPECIAL:?}"));
        }
        if u32::try_from(text.len()).is_err() {
            return Err("is longer than 4 GiB".into());
        }
        let text = format!("{text}\n");
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at as u32 + 1)).collect();
        let mut pieces =
            Self { text, starts, table: HashTable::new(), hasher: DefaultHashBuilder::default(), longest: 0 };
        let mut table = HashTable::with_capacity(pieces.len());
        for id in 0..pieces.len() as u32 {
            let (within, letters) = pieces.piece(id);
            let hash = pieces.hasher.hash_one((within, letters));
            if letters.is_empty() || table.find(hash, |&other| pieces.piece(other) == (within, letters)).is_some() {
                return Err(format!("has an empty piece, or one twice: line {}", id + 1));
            }
            table.insert_unique(hash, id, |&other| pieces.hasher.hash_one(pieces.piece(other)));
            pieces.longest = pieces.longest.max(letters.len());
        }
        pieces.table = table;
        Ok(pieces)
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes of memory that they take.
    pub(super) fn size(&self) -> usize {
        self.text.capacity() + self.starts.capacity() * size_of::<u32>() + self.table.allocation_size()
    }

    /// Whether a piece goes on within a word, and its letters.
    fn piece(&self, id: u32) -> (bool, &str) {
        let id = id as usize;
        let piece = &self.text[self.starts[id] as usize..self.starts[id + 1] as usize - 1];
        match piece.strip_prefix(WITHIN) {
            Some(letters) if !letters.is_empty() => (true, letters),
            _ => (false, piece),
        }
    }

    fn find(&self, within: bool, letters: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((within, letters));
        self.table.find(hash, |&id| self.piece(id) == (within, letters)).copied()
    }

    /// The pieces of a text; None where there are more than `most`, or the text is too long to be looked at.
    pub(super) fn ids(&self, text: &str, most: usize) -> Option<Vec<u32>> {
        if text.len() > LONGEST_TEXT {
            return None;
        }
        let mut ids = Vec::new();
        if text.is_ascii() {
            self.plain(text, &mut ids);
        } else {
            self.any(text, &mut ids)?;
        }
        (ids.len() <= most).then_some(ids)
    }

    /// The pieces of a text of ASCII.
    fn plain(&self, text: &str, ids: &mut Vec<u32>) {
        let kept = text.chars().filter(|letter| !letter.is_ascii_control() || "\t\n\r".contains(*letter));
        let clean: String = kept.map(|letter| letter.to_ascii_lowercase()).collect();
        for word in clean.split(|letter: char| letter.is_ascii_whitespace()) {
            // Every mark is a word of its own.
            for part in word.split_inclusive(|letter: char| letter.is_ascii_punctuation()) {
                let body = part.trim_end_matches(|letter: char| letter.is_ascii_punctuation());
                for word in [body, &part[body.len()..]].into_iter().filter(|word| !word.is_empty()) {
                    self.word(word, ids);
                }
            }
        }
    }

    /// The pieces of any text; None where the library cannot read it.
    fn any(&self, text: &str, ids: &mut Vec<u32>) -> Option<()> {
        let mut normalized = NormalizedString::from(text);
        BertNormalizer::new(true, true, Some(true), true).normalize(&mut normalized).ok()?;
        let mut split = PreTokenizedString::from(normalized);
        BertPreTokenizer.pre_tokenize(&mut split).ok()?;
        for (word, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            self.word(word, ids);
        }
        Some(())
    }

    /// The pieces of a word: the longest known beginning, then the longest that goes on from there.
    fn word(&self, word: &str, ids: &mut Vec<u32>) {
        let before = ids.len();
        let mut rest = word;
        while !rest.is_empty() {
            let within = rest.len() < word.len();
            let mut end = rest.floor_char_boundary(self.longest);
            let found = loop {
                if let Some(id) = self.find(within, &rest[..end]) {
                    break Some(id);
                }
                let Some((shorter, _)) = rest[..end].char_indices().next_back() else { break None };
                end = shorter;
            };
            let Some(id) = found.filter(|_| end > 0 && word.chars().nth(LONGEST_WORD).is_none()) else {
                ids.truncate(before);
                ids.push(UNKNOWN);
                return;
            };
            ids.push(id);
            rest = &rest[end..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;
    use tokenizers::Tokenizer;
    use tokenizers::models::wordpiece::WordPiece;

    /// Letters of several scripts, alone and within a word, and some words.
    static VOCABULARY: LazyLock<String> = LazyLock::new(|| {
        let letters = "abcdefghijklmnopqrstuvwxyz0123456789äβжあ中가ſ'.,?!-#[]%$€«—".chars();
        let single = letters.flat_map(|letter| [letter.to_string(), format!("##{letter}")]);
        let words = ["scope", "emission", "##s", "##ions", "em", "##iss", "2023", "unaffordable", "strasse", "[MASK]"];
        let all = SPECIAL.into_iter().chain(words).map(String::from);
        all.chain(single.filter(|piece| piece != "##s")).collect::<Vec<_>>().join("\n")
    });
    static PIECES: LazyLock<WordPieces> = LazyLock::new(|| WordPieces::new(&VOCABULARY).unwrap());
    static LIBRARY: LazyLock<Tokenizer> = LazyLock::new(|| {
        let vocabulary = WordPiece::read_bytes(VOCABULARY.as_bytes()).unwrap();
        let model = WordPiece::builder().vocab(vocabulary).build().unwrap();
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, Some(true), true))).unwrap();
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        tokenizer
    });

    fn assert_equal(text: &str) {
        let expected = LIBRARY.encode_fast(text, false).unwrap();
        assert_eq!(PIECES.ids(text, usize::MAX).unwrap(), expected.get_ids(), "{text:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_as_the_library_cuts_it(text in any::<String>()) {
            assert_equal(&text);
        }

        #[test]
        fn plain_text_is_cut_as_the_library_cuts_it(text in "[\\x00-\\x7f]{0,80}") {
            assert_equal(&text);
        }

        #[test]
        fn words_are_cut_as_the_library_cuts_them(text in "(scope|emission|s|Straße|É|2023|ions|em|中| |\u{301}|\u{200d}|[.#-]){0,24}") {
            assert_equal(&text);
        }
    }

    #[test]
    fn what_is_hard_to_cut() {
        let long = |letters: usize| "a".repeat(letters);
        for text in [
            "",
            " ",
            "\u{a0}",
            "[SEP] [CLS] [MASK] ##s",
            "Scope-1 emissions?",
            "a\tb\nc\rd\u{b}e\u{c}f\u{7f}g\0h",
            "İstanbul ẞ Ǆ",
            "e\u{301}\u{323}",
            "中文字",
            "ｆｕｌｌ",
            "한국어",
            "\u{feff}a\u{ad}b\u{fffd}c",
            "\u{2028}x\u{85}y",
            "$1.5bn + 3% = ~4 ^ `x` |y| <z>",
            "«a» — ‘b’ … ¡c!",
            "\u{1f600} a",
            &long(100),
            &long(101),
            "zé#",
        ] {
            assert_equal(text);
        }
    }

    #[test]
    fn a_long_text_is_not_read() {
        assert_eq!(PIECES.ids("a b c", 2), None);
        assert_eq!(PIECES.ids("a b c", 3).map(|ids| ids.len()), Some(3));
        assert_eq!(PIECES.ids(&" ".repeat(LONGEST_TEXT + 1), 3), None);
    }

    #[test]
    fn a_vocabulary_is_whole() {
        let special = SPECIAL.join("\n");
        for wrong in ["", "[PAD]\n[UNK]\n[CLS]", &format!("{special}\na\na"), &format!("{special}\n\nb")] {
            assert!(WordPieces::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(WordPieces::new(&format!("{special}\na\n##a")).is_ok());
    }
}
