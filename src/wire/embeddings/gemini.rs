//! Gemini's `batchEmbedContents`.

use super::{Vectors, unread};
use crate::usage::UsageReport;
use crate::wire::{Protocol, ToldError, segment};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn path(model: &str) -> String {
    format!("/models/{}:batchEmbedContents", segment(bare(model)))
}

fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

pub(super) fn write_request(model: &str, texts: &[String]) -> Value {
    let name = format!("models/{}", bare(model));
    let one = |text: &String| json!({"model": name, "content": {"parts": [{"text": text}]}});
    json!({"requests": texts.iter().map(one).collect::<Vec<_>>()})
}

#[derive(Deserialize)]
struct Body {
    embeddings: Vec<Embedding>,
    #[serde(default, rename = "usageMetadata")]
    usage: Value,
}

#[derive(Deserialize)]
struct Embedding {
    values: Vec<f32>,
}

pub(super) fn read_reply(body: &[u8], count: usize, protocol: &dyn Protocol) -> Result<Vectors, ToldError> {
    let Ok(read) = serde_json::from_slice::<Body>(body) else { return Err(unread(body, protocol)) };
    let vectors: Vec<Vec<f32>> = read.embeddings.into_iter().map(|embedding| embedding.values).collect();
    let dimension = vectors.first().map_or(0, Vec::len);
    let is_even = |vector: &Vec<f32>| vector.len() == dimension && vector.iter().all(|number| number.is_finite());
    if vectors.len() != count || dimension == 0 || !vectors.iter().all(is_even) {
        let found = format!("{} embeddings for {count} texts, the first with {dimension} dimensions", vectors.len());
        return Err(ToldError::malformed(&found));
    }
    let usage = Some(read.usage).filter(|usage| !usage.is_null());
    let usage = usage.and_then(|usage| UsageReport::from_response(&json!({"usageMetadata": usage})).ok());
    Ok((vectors, usage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::gemini::PROTOCOL;

    #[test]
    fn a_vector_for_each_text_or_an_error() {
        let read = |body: Value| read_reply(body.to_string().as_bytes(), 2, &PROTOCOL);
        let two = json!({"embeddings": [{"values": [0.5, 1.0]}, {"values": [2.0, 3.0]}]});
        assert_eq!(read(two).unwrap().0, [[0.5, 1.0], [2.0, 3.0]]);
        for wrong in [
            json!({"embeddings": [{"values": [0.5]}]}),
            json!({"embeddings": [{"values": [0.5]}, {"values": []}]}),
            json!({"embeddings": [{"values": []}, {"values": []}]}),
            json!({"embedding": {"values": [0.5]}}),
        ] {
            assert!(read(wrong).unwrap_err().is_malformed);
        }
        let told =
            read(json!({"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}})).unwrap_err();
        assert_eq!((told.message.as_str(), told.status), ("no such model", Some(404)));
    }

    #[test]
    fn the_model_stands_in_the_path_and_in_each_request() {
        assert_eq!(path("models/e 1"), "/models/e%201:batchEmbedContents");
        let body = write_request("e1", &["a".into()]);
        assert_eq!(body, json!({"requests": [{"model": "models/e1", "content": {"parts": [{"text": "a"}]}}]}));
    }
}
