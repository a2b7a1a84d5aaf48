//! Word vectors on disk: one tensor of rows in a safetensors file, and a tokenizer in JSON.

use super::caught::caught;
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
    let read = caught(|| tokenizers::Tokenizer::from_file(path).map_err(|error| error.to_string())).flatten();
    read.map_err(|error| {
        Error::Config(format!(
            "{} is no tokenizer: {error}; give the JSON file that the tokenizers library writes",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::embed::StaticEmbedder;
    use safetensors::tensor::{Dtype, TensorView};

    /// A tokenizer of two words that has `part` in it.
    fn embedded(part: &str) -> crate::Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let (rows, tokenizer) = (folder.path().join("rows.safetensors"), folder.path().join("tokenizer.json"));
        let numbers = [1.0_f32; 4].map(f32::to_le_bytes).concat();
        let tensor = TensorView::new(Dtype::F32, vec![2, 2], &numbers).unwrap();
        std::fs::write(&rows, safetensors::serialize([("embeddings", tensor)], None).unwrap()).unwrap();
        let model = r#""model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "scope": 1}, "unk_token": "[UNK]"}"#;
        std::fs::write(&tokenizer, format!(r#"{{"version": "1.0", {part} {model}}}"#)).unwrap();
        StaticEmbedder::open(&rows, &tokenizer)?.embed_into("scope", &mut [0.0; 2])
    }

    #[test]
    fn a_damaged_tokenizer_is_an_error() {
        embedded("").unwrap();
        let cut = embedded(r#""decoder": {"typeon": "1.0", "added_tokens": [","cleanup": true},"#).unwrap_err();
        assert!(matches!(&cut, Error::Config(words) if words.contains("is no tokenizer")), "{cut}");
        let no_map = r#""normalizer": {"type": "Precompiled", "precompiled_charsmap": 1},"#;
        assert!(matches!(embedded(no_map).unwrap_err(), Error::Config(_)));
        // It is read, and breaks over the first text: its table ends before its first row.
        let short = r#""normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAD/AAA="},"#;
        let said = embedded(short).unwrap_err();
        assert!(matches!(&said, Error::Embedding(words) if words.contains("cannot read a text")), "{said}");
    }
}
