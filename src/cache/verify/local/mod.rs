//! The local verifier: a small model that reads both questions, in this process, with no other program or library.
//!
//! The model is a transformer of a few layers, in one file of whole-number weights. Its sums are exact and its other
//! arithmetic stands in one order, so that every kind of processor gives the same probability, to the bit. The file is
//! read at the first pair, once a process however many caches there are.

mod calibration;
mod embedding;
mod file;
mod head;
#[cfg(any(test, fuzzing))]
mod headed;
mod layers;
mod model;
#[cfg(test)]
mod reference;
mod rivals;
#[cfg(any(test, fuzzing))]
mod sample;
#[cfg(test)]
mod tests;
mod word_pieces;

#[cfg(any(test, fuzzing))]
pub(crate) use headed::read_model;

use super::{Judgement, QuestionPair, Verifier};
use crate::{Error, Result};
use model::Model;
use parking_lot::Mutex;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

/// How long to wait for another thread that reads the file. In a forked process that thread may not be there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Judges pairs by a model in a local file; clones, and verifiers of one file, share it.
///
/// Of one asked question at most one stored question is the same: pairs of one call that look right together are each the
/// less probable, unless the stored questions are wordings of one. A pair that is too long for the model, or has a text
/// without a word, is [`Judgement::UNSURE`]; no text is cut.
///
/// ```no_run
/// use headrace::cache::verify::{LocalVerifier, QuestionPair, Verifier};
/// let verifier = LocalVerifier::open("verifier.safetensors")?;
/// let pair = QuestionPair { asked: "What were scope 1 emissions in 2023?", stored: "Scope 1 emissions of 2023?" };
/// println!("{:.2}", verifier.verify(&[pair])?[0].probability);
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Clone)]
pub struct LocalVerifier {
    file: Arc<SharedModel>,
}

/// A file, and what was read of it.
struct SharedModel {
    path: PathBuf,
    state: FileState,
    model: OnceLock<Result<Model>>,
    reading: Mutex<()>,
}

/// What tells a file from another that took its place.
type FileState = (u64, Option<SystemTime>);

/// The files that this process has open verifiers of.
static SHARED: Mutex<Vec<Weak<SharedModel>>> = Mutex::new(Vec::new());

impl LocalVerifier {
    /// A verifier of the model in a file, which is looked for now and read when the first pair is to be judged.
    ///
    /// # Errors
    /// [`Error::Config`] where there is no such file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let absent = |why: &dyn fmt::Display| {
            Error::Config(format!(
                "{} holds no model of a verifier: {why}; give the path of a verifier.safetensors, or verifier=None",
                path.display()
            ))
        };
        let found = std::fs::metadata(path).map_err(|error| absent(&error))?;
        if !found.is_file() {
            return Err(absent(&"it is no file"));
        }
        let state = (found.len(), found.modified().ok());
        let path = std::fs::canonicalize(path).map_err(|error| absent(&error))?;
        let own = |path| SharedModel { path, state, model: OnceLock::new(), reading: Mutex::new(()) };
        let Some(mut shared) = SHARED.try_lock_for(PATIENCE) else { return Ok(Self { file: Arc::new(own(path)) }) };
        let known = shared.iter().filter_map(Weak::upgrade).find(|file| file.path == path && file.state == state);
        let file = known.unwrap_or_else(|| Arc::new(own(path)));
        shared.retain(|other| other.strong_count() > 0 && !std::ptr::eq(other.as_ptr(), Arc::as_ptr(&file)));
        shared.push(Arc::downgrade(&file));
        Ok(Self { file })
    }

    /// Where the model is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Whether the file was read already, with success.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        matches!(self.file.model.get(), Some(Ok(_)))
    }

    /// What the model calls itself; reads the file where that was not done yet.
    ///
    /// # Errors
    /// [`Error::Config`] where the file is damaged or of another kind.
    pub fn model_name(&self) -> Result<&str> {
        self.model().map(|model| model.name.as_str())
    }

    /// The bytes of memory that the model takes; reads the file where that was not done yet.
    ///
    /// # Errors
    /// [`Error::Config`] where the file is damaged or of another kind.
    pub fn memory(&self) -> Result<usize> {
        self.model().map(Model::size)
    }

    /// What the model says of each pair before it is made a probability; None for a pair that it cannot read.
    ///
    /// # Errors
    /// [`Error::Config`] where the file is damaged or of another kind.
    pub fn logits(&self, pairs: &[QuestionPair<'_>]) -> Result<Vec<Option<f32>>> {
        self.model().map(|model| model.logits(pairs))
    }

    fn model(&self) -> Result<&Model> {
        let file = &*self.file;
        if file.model.get().is_none() {
            let _one_reads = file.reading.try_lock_for(PATIENCE);
            if file.model.get().is_none() {
                // Where another thread was faster its model stays.
                let _ = file.model.set(Model::open(&file.path));
            }
        }
        match file.model.get() {
            Some(Ok(model)) => Ok(model),
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::Config(format!("{} was not read", file.path.display()))),
        }
    }
}

impl Verifier for LocalVerifier {
    fn name(&self) -> &'static str {
        "local"
    }

    fn verify(&self, pairs: &[QuestionPair<'_>]) -> Result<Vec<Judgement>> {
        let model = self.model()?;
        let alone = model.probabilities(pairs);
        let couples = rivals::couples(pairs, &alone);
        let stored =
            |&(one, other): &(usize, usize)| QuestionPair { asked: pairs[one].stored, stored: pairs[other].stored };
        let read = model.probabilities(&couples.iter().map(stored).collect::<Vec<_>>());
        let is_one = |read: &Option<f32>| read.is_some_and(|probability| probability >= rivals::ONE_QUESTION);
        let wordings: Vec<(usize, usize)> =
            couples.iter().zip(&read).filter(|(_, read)| is_one(read)).map(|(couple, _)| *couple).collect();
        Ok(rivals::weigh(pairs, &alone, &wordings).into_iter().map(|one| model.judge(one)).collect())
    }

    fn is_english_only(&self) -> bool {
        true
    }
}

impl fmt::Debug for LocalVerifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LocalVerifier({})", self.file.path.display())
    }
}
