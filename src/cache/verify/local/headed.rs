//! A model's file of any head, before the weights of a small sample: what a head may say is more than weights may.

use super::file::ModelFile;
use super::model::Model;
use super::sample::SampleFile;
use crate::cache::kernel;
use crate::cache::verify::QuestionPair;
use crate::{Error, Result};
use std::path::Path;
use std::sync::OnceLock;

/// The sample's bytes from its weights on.
fn weights() -> Result<&'static [u8]> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    if BYTES.get().is_none() {
        let whole = SampleFile::new(12, 1, 2).bytes().map_err(|error| Error::Config(error.to_string()))?;
        let length = whole.first_chunk().map_or(0, |length| u64::from_le_bytes(*length)) as usize;
        let _ = BYTES.set(whole[8 + length..].to_vec());
    }
    Ok(BYTES.get().map_or(&[], Vec::as_slice))
}

/// Reads a file of this head; what comes back says what the model says of pairs.
pub(crate) fn read_model(head: &[u8]) -> Result<impl Fn(&[QuestionPair<'_>]) -> Vec<Option<f32>>> {
    let bytes = [&(head.len() as u64).to_le_bytes(), head, weights()?].concat();
    let model = Model::read(&ModelFile::new(Path::new("model"), &bytes)?, kernel::Path::detect())?;
    Ok(move |pairs: &[QuestionPair<'_>]| model.probabilities(pairs))
}
