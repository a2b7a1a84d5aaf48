//! Embeddings as they come in: checked, and brought to unit length.

use crate::{Error, Result};

/// The most dimensions: keeps the integer sums of the index within 32 bits.
pub(crate) const MAX_DIMENSION: usize = 32_768;

/// What brings `embedding` to unit length.
///
/// # Errors
/// `Embedding` where it is empty, longer than [`MAX_DIMENSION`], zero or as good as zero, or not finite.
pub(crate) fn scale_of(embedding: &[f32]) -> Result<f64> {
    let dimension = embedding.len();
    if dimension == 0 || dimension > MAX_DIMENSION {
        return Err(Error::Embedding(format!("the embedding has {dimension} dimensions: give 1 to {MAX_DIMENSION}")));
    }
    let squared = squared_norm(embedding);
    if !squared.is_finite() {
        let place = embedding.iter().position(|x| !x.is_finite()).unwrap_or_default();
        return Err(Error::Embedding(format!(
            "the embedding is {} at position {place}: every component must be finite",
            embedding[place]
        )));
    }
    if squared < f64::from(f32::MIN_POSITIVE) {
        return Err(Error::Embedding(
            "the embedding is zero, so it has no direction: give a vector that is not".into(),
        ));
    }
    Ok(squared.sqrt().recip())
}

/// Writes `embedding`, times `scale`, to `out`.
pub(crate) fn scale_into(embedding: &[f32], scale: f64, out: &mut [f32]) {
    for (to, &from) in out.iter_mut().zip(embedding) {
        *to = (f64::from(from) * scale) as f32;
    }
}

/// The vector of unit length in the direction of `embedding`.
pub(crate) fn unit(embedding: &[f32]) -> Result<Vec<f32>> {
    let scale = scale_of(embedding)?;
    let mut out = vec![0.0; embedding.len()];
    scale_into(embedding, scale, &mut out);
    Ok(out)
}

/// In double precision, with eight sums so that the additions do not wait for each other.
fn squared_norm(vector: &[f32]) -> f64 {
    let (chunks, rest) = vector.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>()
}

/// Refuses another dimension than the cache has.
pub(crate) fn expect_dimension(given: usize, expected: usize) -> Result<()> {
    if given == expected {
        return Ok(());
    }
    Err(Error::Embedding(format!(
        "the embedding has {given} dimensions, and this cache holds {expected}: use one embedder, or clear the cache"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_no_direction_is_refused() {
        let tiny = vec![1e-42_f32; 8];
        for bad in [&[][..], &[0.0, 0.0], &[1.0, f32::NAN], &[f32::INFINITY, 1.0], &tiny] {
            assert!(matches!(unit(bad), Err(Error::Embedding(_))), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_length_is_one(v in proptest::collection::vec(-1e30_f32..1e30, 1..100)) {
            prop_assume!(v.iter().any(|x| x.abs() > 1e-10));
            let length: f64 = unit(&v).unwrap().iter().map(|&x| f64::from(x).powi(2)).sum();
            prop_assert!((length - 1.0).abs() < 1e-6);
        }
    }
}
