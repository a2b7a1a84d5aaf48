//! OpenAI's embeddings.

use super::{Vectors, unread};
use crate::usage::UsageReport;
use crate::wire::{Protocol, ToldError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The body that asks for vectors.
pub(super) fn write_request(model: &str, texts: &[String]) -> Value {
    serde_json::json!({"model": model, "input": texts, "encoding_format": "float"})
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Vec<Datum<'a>>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct Datum<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

/// Reads the body of a reply to `count` texts: a vector for each of them, by its index.
///
/// # Errors
/// What the provider says went wrong, or why the body is no vectors for these texts.
pub(super) fn read_reply(body: &[u8], count: usize, protocol: &dyn Protocol) -> Result<Vectors, ToldError> {
    let text = String::from_utf8_lossy(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let Ok(body) = serde_json::from_str::<Body<'_>>(&text) else {
        return Err(unread(body, protocol));
    };
    let wrong = |why: String| ToldError::malformed(&why);
    if body.data.len() != count {
        return Err(wrong(format!("{} embeddings for {count} texts", body.data.len())));
    }
    let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); count];
    let has_indexes = body.data.iter().any(|datum| datum.index.is_some());
    let mut dimension = None;
    for (place, datum) in body.data.iter().enumerate() {
        let index = if has_indexes { datum.index } else { Some(place) };
        let slot = index.and_then(|index| vectors.get_mut(index)).filter(|slot| slot.is_empty());
        let Some(slot) = slot else {
            let indexes: Vec<_> = body.data.iter().map(|datum| datum.index).take(20).collect();
            let indexes = serde_json::to_string(&indexes).unwrap_or_default();
            return Err(wrong(format!(
                "the indexes of {count} embeddings are {indexes}, not each of 0 to {} once",
                count - 1
            )));
        };
        let vector = vector(datum.embedding.get())
            .ok_or_else(|| wrong(format!("embedding {place} is no list of finite numbers")))?;
        let expected = *dimension.get_or_insert(vector.len());
        if vector.is_empty() || vector.len() != expected {
            return Err(wrong(format!("embedding {place} has {} dimensions, the first has {expected}", vector.len())));
        }
        *slot = vector;
    }
    let usage = match body.usage {
        Value::Null => None,
        usage => UsageReport::from_response(&serde_json::json!({ "usage": usage })).ok(),
    };
    Ok((vectors, usage))
}

/// Numbers, or the base64 of their bytes, four a number, the lowest first.
fn vector(text: &str) -> Option<Vec<f32>> {
    let vector: Vec<f32> = if text.starts_with('"') {
        let bytes = STANDARD.decode(serde_json::from_str::<String>(text).ok()?).ok()?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())?
    } else {
        serde_json::from_str(text).ok()?
    };
    vector.iter().all(|number| number.is_finite()).then_some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &Value, count: usize) -> Result<Vec<Vec<f32>>, String> {
        read_reply(body.to_string().as_bytes(), count, &crate::wire::openai_chat::PROTOCOL)
            .map(|(vectors, _)| vectors)
            .map_err(|told| told.message)
    }

    fn row(index: Value, embedding: Value) -> Value {
        json!({"object": "embedding", "index": index, "embedding": embedding})
    }

    #[test]
    fn vectors_are_put_in_the_order_of_their_texts() {
        let encoded = STANDARD.encode([1.5_f32, -2.0].map(f32::to_le_bytes).concat());
        let body = json!({"data": [row(json!(1), json!([0.25, 1e-3])), row(json!(0), json!(encoded))]});
        assert_eq!(read(&body, 2).unwrap(), [[1.5, -2.0], [0.25, 0.001]]);
        let body =
            json!({"data": [{"embedding": [1]}, {"embedding": [2]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}});
        assert_eq!(read(&body, 2).unwrap(), [[1.0], [2.0]]);
    }

    #[test]
    fn what_is_not_a_vector_for_each_text_is_refused() {
        let one = json!([1.0, 2.0]);
        let wrong = [
            json!([row(json!(0), one.clone()), row(json!(0), one.clone()), row(json!(1), one.clone())]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone())]),
            json!([row(json!(1), one.clone()), row(json!(2), one.clone()), row(json!(3), one.clone())]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), row(json!(-1), one.clone())]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), {"embedding": [1.0, 2.0]}]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), row(json!(2), json!([1.0]))]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), row(json!(2), json!([]))]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), row(json!(2), json!([1.0, null]))]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), row(json!(2), json!([1.0, 1e300]))]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), row(json!(2), json!("AAA"))]),
            json!([row(json!(0), one.clone()), row(json!(1), one.clone()), row(json!(2), json!("AADAfw=="))]),
            json!([row(json!(0), json!([])), row(json!(1), json!([])), row(json!(2), json!([]))]),
        ];
        for data in wrong {
            assert!(read(&json!({ "data": data }), 3).is_err(), "{data}");
        }
    }
}
