//! Text to vectors: the trait that the cache asks, and the offline embedder of static word vectors.

mod caught;
mod folder;
mod pieces;
mod static_vectors;

pub use static_vectors::StaticEmbedder;

use crate::Result;
use std::fmt::Debug;
use std::sync::Arc;

/// Turns texts into vectors whose cosine says how alike the texts are.
///
/// ```
/// use headrace::embed::Embedder;
///
/// #[derive(Debug)]
/// struct Length;
///
/// impl Embedder for Length {
///     fn name(&self) -> &str {
///         "length"
///     }
///     fn embed(&self, texts: &[&str]) -> headrace::Result<Vec<Vec<f32>>> {
///         Ok(texts.iter().map(|text| vec![1.0, text.len() as f32]).collect())
///     }
/// }
/// assert_eq!(Length.embed(&["ab"])?, [[1.0, 2.0]]);
/// # Ok::<(), headrace::Error>(())
/// ```
pub trait Embedder: Debug + Send + Sync {
    /// What tells this embedder's vectors from another's, as in `static/wordllama-256`.
    fn name(&self) -> &str;

    /// A vector for each text, in the order given. Unit length is not promised.
    ///
    /// # Errors
    /// [`crate::Error::Embedding`] where a text has no vector, and what a provider reports.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>>;

    /// The cosine from which an entry is a candidate when the guards are on and the user named no threshold.
    ///
    /// None where nothing is known about this embedder; a cache then takes its general default.
    fn recommended_threshold(&self) -> Option<f32> {
        None
    }

    /// Vectors of single words, by which the guards tell a synonym from another thing.
    fn word_vectors(&self) -> Option<Arc<dyn WordVectors>> {
        None
    }
}

/// Vectors of single words.
pub trait WordVectors: Debug + Send + Sync {
    /// Whether there are vectors at all; false where they were looked for and not found.
    fn is_available(&self) -> bool {
        true
    }

    /// The vector of a word, of unit length; None for a word that has none.
    fn vector(&self, word: &str) -> Option<Box<[f32]>>;

    /// How much the word moves a text's vector beside the vocabulary's average: "obtained" some 0.5, "solar" 1.4.
    ///
    /// None for a word that is no entry of the vocabulary, written exactly so.
    fn weight(&self, word: &str) -> Option<f32>;
}
