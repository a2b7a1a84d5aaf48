//! A pair of questions as tokens, and the numbers with which each token begins.

use super::file::ModelFile;
use super::word_pieces::{END, START};
use crate::Result;
use crate::cache::kernel::{self, HIDDEN};
use safetensors::Dtype;

/// A token of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PairToken {
    pub(super) id: u32,
    /// 0 for the first question, 1 for the second.
    pub(super) segment: u8,
    /// 0 for a mark between the questions, 1 where the piece is in the other question too, 2 where it is not.
    pub(super) found: u8,
}

/// The tokens that a pair has beside those of its questions.
pub(super) const MARKS: usize = 3;

/// The tokens of two questions, in their order.
pub(super) fn tokens<'a>(first: &'a [u32], second: &'a [u32]) -> impl Iterator<Item = PairToken> + 'a {
    let mark = |id, segment| std::iter::once(PairToken { id, segment, found: 0 });
    let pieces = |own: &'a [u32], other: &'a [u32], segment| {
        own.iter().map(move |&id| PairToken { id, segment, found: if other.contains(&id) { 1 } else { 2 } })
    };
    mark(START, 0)
        .chain(pieces(first, second, 0))
        .chain(mark(END, 0))
        .chain(pieces(second, first, 1))
        .chain(mark(END, 1))
}

/// The tables of what a piece, a place, a question and a match stand for.
pub(super) struct PairEmbedding {
    words: Box<[u8]>,
    scales: Box<[f32]>,
    positions: Box<[[f32; HIDDEN]]>,
    segments: [Box<[f32; HIDDEN]>; 2],
    matches: [Box<[f32; HIDDEN]>; 3],
    pub(super) norm: Norm,
}

/// What a normalisation multiplies with and adds.
pub(super) struct Norm {
    pub(super) weight: Box<[f32; HIDDEN]>,
    pub(super) bias: Box<[f32; HIDDEN]>,
}

impl Norm {
    pub(super) fn read(file: &ModelFile<'_>, name: &str) -> Result<Self> {
        Ok(Self { weight: file.array(&format!("{name}.weight"))?, bias: file.array(&format!("{name}.bias"))? })
    }
}

impl PairEmbedding {
    pub(super) fn read(file: &ModelFile<'_>, words: usize, most_tokens: usize) -> Result<Self> {
        let rows = |name: &str, count: usize| -> Result<Vec<[f32; HIDDEN]>> {
            Ok(file.floats(name, &[count, HIDDEN])?.as_chunks().0.to_vec())
        };
        let [segments, matches] = [rows("embed.segment", 2)?, rows("embed.match", 3)?];
        Ok(Self {
            words: file.bytes("embed.word", Dtype::I8, &[words, HIDDEN])?.into(),
            scales: file.floats("embed.word.scale", &[words])?.into(),
            positions: rows("embed.position", most_tokens)?.into(),
            segments: [0, 1].map(|n| Box::new(segments[n])),
            matches: [0, 1, 2].map(|n| Box::new(matches[n])),
            norm: Norm::read(file, "embed.norm")?,
        })
    }

    /// The bytes of memory that the tables take.
    pub(super) fn size(&self) -> usize {
        self.words.len()
            + size_of_val(&*self.scales)
            + size_of_val(&*self.positions)
            + 7 * size_of_val(&*self.norm.bias)
    }

    /// Writes the numbers of a pair's tokens into `rows`; `scratch` has the same room.
    pub(super) fn write(&self, path: kernel::Path, tokens: &[PairToken], rows: &mut [f32], scratch: &mut [f32]) {
        let lines = rows.as_chunks_mut::<HIDDEN>().0.iter_mut().zip(scratch.as_chunks_mut::<HIDDEN>().0);
        for ((token, place), (row, scratch)) in tokens.iter().zip(&self.positions).zip(lines) {
            let id = token.id as usize;
            let scale = self.scales[id];
            let segment = &self.segments[usize::from(token.segment)];
            for (i, &code) in self.words[id * HIDDEN..(id + 1) * HIDDEN].iter().enumerate() {
                row[i] = f32::from(code.cast_signed()) * scale + place[i] + segment[i];
            }
            *scratch = *self.matches[usize::from(token.found)];
        }
        kernel::add_and_normalize(path, rows, scratch, &self.norm.weight, &self.norm.bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_both_questions_between_marks() {
        let found: Vec<_> = tokens(&[7, 8], &[8, 9, 8]).map(|token| (token.id, token.segment, token.found)).collect();
        let expected = [(2, 0, 0), (7, 0, 2), (8, 0, 1), (3, 0, 0), (8, 1, 1), (9, 1, 2), (8, 1, 1), (3, 1, 0)];
        assert_eq!(found, expected);
        assert_eq!(found.len(), 5 + MARKS);
    }
}
