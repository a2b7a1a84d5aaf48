//! The offline embedder: the mean of a text's token vectors, from a table that was learned beforehand.

use super::pieces::Pieces;
use super::{Embedder, WordVectors, folder};
use crate::{Error, Result};
use std::fmt::{self, Debug, Formatter};
use std::path::Path;
use std::sync::Arc;

/// From this cosine on, two questions under mean-pooled word vectors are worth the guards' look.
///
/// Two wordings of one question lie mostly anywhere from 0.5 up, and so do two questions that differ in a year:
/// below, `docs/cache-quality.md` has the curve. The guards decide; this only bounds their work.
const CANDIDATE_FLOOR: f32 = 0.5;

/// Embeds offline from static word vectors, in microseconds a text: the mean of the token rows, then unit length.
///
/// Reads the format of wordllama (tensor `embedding.weight`) and of `Model2Vec` (tensor `embeddings`).
/// Cloning is cheap: clones share the table.
///
/// ```no_run
/// use headrace::embed::{Embedder, StaticEmbedder};
/// let embedder = StaticEmbedder::open("model.safetensors", "tokenizer.json")?;
/// let vectors = embedder.embed(&["Scope 1 emissions in 2023?"])?;
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Clone)]
pub struct StaticEmbedder {
    table: Arc<Table>,
}

struct Table {
    name: String,
    rows: folder::Rows,
    pieces: Pieces,
    /// The average length of a row.
    average: f32,
}

fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

impl StaticEmbedder {
    /// Reads the vectors and the tokenizer from two local files.
    ///
    /// # Errors
    /// [`Error::Config`] where a file is missing or is not of a known format.
    pub fn open(weights: impl AsRef<Path>, tokenizer: impl AsRef<Path>) -> Result<Self> {
        let weights = weights.as_ref();
        let rows = folder::rows(weights)?;
        let pieces = Pieces::new(folder::tokenizer(tokenizer.as_ref())?);
        let stem = weights.file_stem().map_or("vectors".into(), |stem| stem.to_string_lossy());
        let lengths: f32 = rows.values.chunks_exact(rows.dimension).map(norm).sum();
        let average = lengths * rows.dimension as f32 / rows.values.len() as f32;
        Ok(Self { table: Arc::new(Table { name: format!("static/{stem}"), rows, pieces, average }) })
    }

    /// How many numbers a vector has.
    pub fn dimension(&self) -> usize {
        self.table.rows.dimension
    }

    /// Writes the vector of a text over `out`, without an allocation: all zeros for a text with no token.
    ///
    /// # Errors
    /// [`Error::Embedding`] where the tokenizer cannot read the text, or `out` is not of this dimension.
    pub fn embed_into(&self, text: &str, out: &mut [f32]) -> Result<()> {
        let folder::Rows { values, dimension } = &self.table.rows;
        if out.len() != *dimension {
            return Err(Error::Embedding(format!("room for {} numbers was given, {dimension} are needed", out.len())));
        }
        let last = values.len() / dimension - 1;
        out.fill(0.0);
        self.table.pieces.for_each(text, |id| {
            let start = (id as usize).min(last) * dimension;
            for (sum, value) in out.iter_mut().zip(&values[start..start + dimension]) {
                *sum += value;
            }
        })?;
        // The mean differs from the sum in length only, and the length is set here.
        let length = norm(out);
        if length > 0.0 {
            for value in out {
                *value /= length;
            }
        }
        Ok(())
    }
}

impl Embedder for StaticEmbedder {
    fn name(&self) -> &str {
        &self.table.name
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let embed = |text: &&str| {
            let mut vector = vec![0.0; self.dimension()];
            self.embed_into(text, &mut vector).map(|()| vector)
        };
        texts.iter().map(embed).collect()
    }

    fn recommended_threshold(&self) -> Option<f32> {
        Some(CANDIDATE_FLOOR)
    }

    fn word_vectors(&self) -> Option<Arc<dyn WordVectors>> {
        Some(Arc::new(self.clone()))
    }
}

impl WordVectors for StaticEmbedder {
    fn vector(&self, word: &str) -> Option<Box<[f32]>> {
        let mut vector = vec![0.0; self.dimension()].into_boxed_slice();
        self.embed_into(word, &mut vector).ok()?;
        vector.iter().any(|&value| value != 0.0).then_some(vector)
    }

    fn weight(&self, word: &str) -> Option<f32> {
        let id = self.table.pieces.token(word)? as usize;
        let dimension = self.dimension();
        let row = self.table.rows.values.get(id * dimension..(id + 1) * dimension)?;
        Some(norm(row) / self.table.average)
    }
}

impl Debug for StaticEmbedder {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "StaticEmbedder({}, {} dimensions)", self.table.name, self.dimension())
    }
}
