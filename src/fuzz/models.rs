//! Models that come in files: the local verifier's, word vectors and their tokenizer.

use crate::cache::verify::{QuestionPair, read_model};
use crate::embed::StaticEmbedder;
use safetensors::tensor::{Dtype, TensorView};
use std::path::PathBuf;

const ASKED: &str = "What were the scope 1 emissions of Siemens in 2023?";
const STORED: &str = "Scope 1 emissions, 2024";

/// The head of a verifier's file, in JSON; behind it stand the weights of a small model.
pub(super) fn verifier(head: &[u8]) {
    if let Ok(model) = read_model(head) {
        let _ = model(&[QuestionPair { asked: ASKED, stored: STORED }]);
    }
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("headrace-fuzz-{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path
}

fn embed(vectors: &[u8], tokenizer: &[u8]) {
    let files = (file("vectors", vectors), file("tokenizer", tokenizer));
    if let Ok(embedder) = StaticEmbedder::open(&files.0, &files.1) {
        let mut out = vec![0.0; embedder.dimension()];
        let _ = embedder.embed_into(ASKED, &mut out);
    }
    let _ = (std::fs::remove_file(files.0), std::fs::remove_file(files.1));
}

/// A file of word vectors.
pub(super) fn word_vectors(bytes: &[u8]) {
    let words = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "scope": 1, "emissions": 2}, "unk_token": "[UNK]"}}"#;
    embed(bytes, words.as_bytes());
}

/// The tokenizer of word vectors.
pub(super) fn tokenizer(bytes: &[u8]) {
    let rows: Vec<u8> = (0..16_u8).flat_map(|row| f32::from(row).to_le_bytes()).collect();
    let tensor = TensorView::new(Dtype::F32, vec![8, 2], &rows).unwrap();
    embed(&safetensors::serialize([("embeddings", tensor)], None).unwrap(), bytes);
}
