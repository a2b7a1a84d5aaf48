//! From the tokens of a pair to one number.

use super::file::ModelFile;
use crate::Result;
use crate::cache::kernel::{self, HIDDEN};

/// What is taken of a pair: its first token, and the mean of all.
const POOLED: usize = 2 * HIDDEN;
/// Numbers between the two products.
const INNER: usize = 128;

/// The weights of two products.
pub(super) struct PairHead {
    first: Box<[[f32; POOLED]]>,
    first_bias: Box<[f32; INNER]>,
    second: Box<[f32]>,
    second_bias: f32,
}

impl PairHead {
    pub(super) fn read(file: &ModelFile<'_>) -> Result<Self> {
        Ok(Self {
            first: file.floats("head.1.weight", &[INNER, POOLED])?.as_chunks().0.into(),
            first_bias: file.array("head.1.bias")?,
            second: file.floats("head.2.weight", &[1, INNER])?.into(),
            second_bias: file.array::<1>("head.2.bias")?[0],
        })
    }

    /// The bytes of memory that the weights take.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.first) + size_of_val(&*self.first_bias) + size_of_val(&*self.second)
    }

    /// The logit of a pair whose tokens' numbers are `rows`.
    pub(super) fn logit(&self, path: kernel::Path, rows: &[f32]) -> f32 {
        let rows = rows.as_chunks::<HIDDEN>().0;
        let mut pooled = [0.0_f32; POOLED];
        let (start, mean) = pooled.split_at_mut(HIDDEN);
        start.copy_from_slice(rows.first().unwrap_or(&[0.0; HIDDEN]));
        for row in rows {
            for (sum, x) in mean.iter_mut().zip(row) {
                *sum += x;
            }
        }
        for sum in mean {
            *sum /= rows.len() as f32;
        }
        let mut inner = [0.0; INNER];
        for ((x, weights), bias) in inner.iter_mut().zip(&self.first).zip(self.first_bias.iter()) {
            *x = kernel::dot(path, weights, &pooled) + bias;
        }
        kernel::gelu(path, &mut inner);
        kernel::dot(path, &self.second, &inner) + self.second_bias
    }
}
