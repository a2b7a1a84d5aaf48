//! Word vectors on disk: one tensor of rows in a safetensors file, and a tokenizer in JSON.

use crate::{Error, Result};
use half::f16;
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// The rows of a vocabulary, one after the other.
pub(super) struct Rows {
    pub(super) values: Box<[f32]>,
    pub(super) dimension: usize,
}

/// The names under which wordllama and `Model2Vec` write the rows.
const TENSORS: [&str; 2] = ["embedding.weight", "embeddings"];

pub(super) fn rows(path: &Path) -> Result<Rows> {
    let refuse = |why: &dyn std::fmt::Display| {
        Error::Config(format!(
            "{} holds no word vectors: {why}; give a safetensors file with one of the tensors {TENSORS:?}, \
             of shape (words, dimensions), in F16 or F32",
            path.display()
        ))
    };
    let bytes = std::fs::read(path).map_err(|error| refuse(&error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| refuse(&error))?;
    let tensor = TENSORS
        .iter()
        .find_map(|name| file.tensor(name).ok())
        .ok_or_else(|| refuse(&format!("its tensors are {:?}", file.names())))?;
    let &[_, dimension] = tensor.shape() else {
        return Err(refuse(&format!("its shape is {:?}", tensor.shape())));
    };
    let values: Box<[f32]> = match tensor.dtype() {
        Dtype::F16 => tensor.data().as_chunks().0.iter().map(|&two| f16::from_le_bytes(two).to_f32()).collect(),
        Dtype::F32 => tensor.data().as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect(),
        other => return Err(refuse(&format!("its numbers are {other:?}"))),
    };
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return Err(refuse(&"it is empty or has a number that is not finite"));
    }
    Ok(Rows { values, dimension })
}

pub(super) fn tokenizer(path: &Path) -> Result<tokenizers::Tokenizer> {
    tokenizers::Tokenizer::from_file(path).map_err(|error| {
        Error::Config(format!(
            "{} is no tokenizer: {error}; give the JSON file that the tokenizers library writes",
            path.display()
        ))
    })
}
