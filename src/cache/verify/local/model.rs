//! The whole model: a file, and what it says of pairs of questions.

use super::calibration::Calibration;
use super::embedding::{MARKS, PairEmbedding, PairToken, tokens};
use super::file::ModelFile;
use super::head::PairHead;
use super::layers::{LayerRoom, TextLayer};
use super::word_pieces::WordPieces;
use crate::cache::kernel::{self, HEADS, HIDDEN, MOST_TOKENS};
use crate::cache::verify::{Judgement, QuestionPair};
use crate::{Error, Result};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::ops::Range;
use std::path::Path;

/// Tokens of pairs that go through the layers together: enough that reading the weights from memory costs little, and
/// few enough that what lies between two products stays near.
const TOGETHER: usize = 320;
/// The most layers that a file may have.
const MOST_LAYERS: usize = 48;

/// A model that was read.
pub(super) struct Model {
    pub(super) name: String,
    path: kernel::Path,
    /// Whether each pair is read in both orders.
    both_orders: bool,
    most_tokens: usize,
    same_at: f32,
    different_at: f32,
    pieces: WordPieces,
    embedding: PairEmbedding,
    layers: Vec<TextLayer>,
    head: PairHead,
    calibration: Calibration,
    /// Rooms that no thread is in.
    rooms: Mutex<Vec<LayerRoom>>,
}

impl Model {
    /// Reads a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)
            .map_err(|error| Error::Config(format!("the model {} cannot be read: {error}", path.display())))?;
        Self::read(&ModelFile::new(path, &bytes)?, kernel::Path::detect())
    }

    /// Takes a model out of an open file, for one kind of processor.
    pub(super) fn read(file: &ModelFile<'_>, path: kernel::Path) -> Result<Self> {
        file.number("heads", HEADS, HEADS)?;
        let layers = file.number("layers", 1, MOST_LAYERS)?;
        let most_tokens = file.number("max_tokens", MARKS + 2, MOST_TOKENS)?;
        let same_at = file.number("same_at", 0.0, 1.0)?;
        let different_at = file.number("different_at", 0.0, 1.0)?;
        if different_at >= same_at {
            return Err(file.refuse(format!("its different_at, {different_at}, is not below its same_at, {same_at}")));
        }
        let pieces = WordPieces::read(file)?;
        Ok(Self {
            name: file.note("name")?.to_owned(),
            path,
            both_orders: file.number("orders", 1, 2)? == 2,
            most_tokens,
            same_at,
            different_at,
            embedding: PairEmbedding::read(file, pieces.len(), most_tokens)?,
            pieces,
            layers: (0..layers).map(|layer| TextLayer::read(file, layer)).collect::<Result<_>>()?,
            head: PairHead::read(file)?,
            calibration: Calibration::read(file)?,
            rooms: Mutex::new(Vec::new()),
        })
    }

    /// The bytes of memory that the model takes, without the room for what is being read.
    pub(super) fn size(&self) -> usize {
        let layers: usize = self.layers.iter().map(TextLayer::size).sum();
        layers + self.pieces.size() + self.embedding.size() + self.head.size()
    }

    /// What a probability says; None is a pair that was not read.
    pub(super) fn judge(&self, probability: Option<f32>) -> Judgement {
        probability.map_or(Judgement::UNSURE, |probability| Judgement::of(probability, self.same_at, self.different_at))
    }

    /// How probable it is that each pair is the same, each by itself; None for one that could not be read.
    pub(super) fn probabilities(&self, pairs: &[QuestionPair<'_>]) -> Vec<Option<f32>> {
        self.logits(pairs).into_iter().map(|logit| logit.map(|logit| self.probability(logit))).collect()
    }

    pub(super) fn probability(&self, logit: f32) -> f32 {
        self.calibration.at(logit)
    }

    /// What the model says of each pair; None for one that is too long, or has a question without a word.
    pub(super) fn logits(&self, pairs: &[QuestionPair<'_>]) -> Vec<Option<f32>> {
        let mut known: HashMap<&str, Option<Vec<u32>>> = HashMap::new();
        let most = self.most_tokens - MARKS;
        for text in pairs.iter().flat_map(|pair| [pair.asked, pair.stored]) {
            known.entry(text).or_insert_with(|| self.pieces.ids(text, most).filter(|ids| !ids.is_empty()));
        }
        let readable = |pair: &QuestionPair<'_>| {
            let (asked, stored) = (known.get(pair.asked)?.as_deref()?, known.get(pair.stored)?.as_deref()?);
            (asked.len() + stored.len() <= most).then_some((asked, stored))
        };
        let mut all: Vec<PairToken> = Vec::new();
        let mut texts: Vec<Range<usize>> = Vec::new();
        let mut add = |first, second| {
            let start = all.len();
            all.extend(tokens(first, second));
            texts.push(start..all.len());
        };
        let is_read: Vec<bool> = pairs
            .iter()
            .map(|pair| {
                let Some((asked, stored)) = readable(pair) else { return false };
                add(asked, stored);
                if self.both_orders {
                    add(stored, asked);
                }
                true
            })
            .collect();
        let mut found = self.read_texts(&all, &texts).into_iter();
        let mut next = || {
            let first = found.next()?;
            let logit = if self.both_orders { (first + found.next()?) * 0.5 } else { first };
            logit.is_finite().then_some(logit)
        };
        is_read.into_iter().map(|is_read| is_read.then(&mut next).flatten()).collect()
    }

    /// The pieces of a text, as the model reads them.
    #[cfg(test)]
    pub(super) fn pieces(&self, text: &str) -> Vec<u32> {
        self.pieces.ids(text, self.most_tokens).unwrap_or_default()
    }

    /// The logit of each text, which are ranges of the tokens, some together.
    fn read_texts(&self, all: &[PairToken], texts: &[Range<usize>]) -> Vec<f32> {
        let mut logits = Vec::with_capacity(texts.len());
        let mut room = self.rooms.try_lock().and_then(|mut rooms| rooms.pop()).unwrap_or_default();
        let mut rest = texts;
        while let Some(first) = rest.first() {
            let fitting = rest.partition_point(|text| text.end - first.start <= TOGETHER).max(1);
            let (now, later) = rest.split_at(fitting);
            self.read_together(all, now, &mut room, &mut logits);
            rest = later;
        }
        if let Some(mut rooms) = self.rooms.try_lock() {
            rooms.push(room);
        }
        logits
    }

    fn read_together(&self, all: &[PairToken], texts: &[Range<usize>], room: &mut LayerRoom, logits: &mut Vec<f32>) {
        let (Some(first), Some(last)) = (texts.first(), texts.last()) else { return };
        room.fit(last.end - first.start);
        let start = first.start;
        let texts: Vec<Range<usize>> = texts.iter().map(|text| text.start - start..text.end - start).collect();
        for text in &texts {
            let tokens = &all[start + text.start..start + text.end];
            let numbers = text.start * HIDDEN..text.end * HIDDEN;
            self.embedding.write(self.path, tokens, &mut room.hidden[numbers.clone()], &mut room.added[numbers]);
        }
        for layer in &self.layers {
            layer.run(self.path, &texts, room);
        }
        let rows = |text: &Range<usize>| &room.hidden[text.start * HIDDEN..text.end * HIDDEN];
        logits.extend(texts.iter().map(|text| self.head.logit(self.path, rows(text))));
    }
}
