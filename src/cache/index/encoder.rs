//! How a vector is prepared: turned, its share of the common mean taken apart, the rest kept for the codes.

use super::rotation::Rotation;
use crate::cache::kernel::{self, Path};
use std::sync::Arc;

/// A mean shorter than this leaves too little to take apart.
const LEAST_MEAN: f32 = 0.1;
/// The most rows that a mean is taken of.
pub(super) const SAMPLE: usize = 1024;

/// What rows and queries of one generation are prepared by.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    pub path: Path,
    pub layout: Layout,
    rotation: Arc<Rotation>,
    /// The direction of the rows' mean, turned, of unit length; empty where there is none to speak of.
    mean: Arc<[f32]>,
}

/// How many chunks of 24 dimensions there are, and how many of them the first look takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub dimension: usize,
    pub chunks: usize,
    pub first_chunks: usize,
    /// Bytes of a row in whole numbers, padded.
    pub stride: usize,
}

/// A vector as the codes see it: `along * mean + rest`, in turned space.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub along: f32,
    /// Padded with zeros to whole chunks.
    pub rest: Vec<f32>,
    scratch: Vec<f32>,
}

impl Layout {
    pub fn new(dimension: usize) -> Self {
        let chunks = dimension.div_ceil(kernel::CHUNK_DIMENSIONS);
        // Two thirds: where the nearest rows are far below the threshold, they show it by then.
        let first_chunks = (chunks * 2).div_ceil(3);
        Self { dimension, chunks, first_chunks, stride: dimension.next_multiple_of(64) }
    }

    /// Lines of a plane of 64 rows, in the first look and after it.
    pub fn lines(&self) -> [usize; 2] {
        [self.first_chunks, self.chunks - self.first_chunks].map(|chunks| chunks * kernel::CHUNK_LINES)
    }

    /// Dimensions in the first look.
    pub fn first(&self) -> usize {
        (self.first_chunks * kernel::CHUNK_DIMENSIONS).min(self.dimension)
    }

    /// Dimensions after it.
    pub fn second(&self) -> usize {
        self.dimension - self.first()
    }
}

impl Encoder {
    pub fn new(path: Path, dimension: usize) -> Self {
        Self { path, layout: Layout::new(dimension), rotation: Arc::new(Rotation::new(dimension)), mean: Arc::new([]) }
    }

    /// The same, with the mean of `count` rows, of which `row` gives one.
    pub fn with_mean_of<'a>(&self, count: usize, row: impl Fn(usize) -> &'a [f32]) -> Self {
        let mut mean = self.mean_of(count, row);
        let length = kernel::dot(self.path, &mean, &mean).sqrt();
        if length < LEAST_MEAN {
            return Self { mean: Arc::new([]), ..self.clone() };
        }
        for x in &mut mean {
            *x /= length;
        }
        Self { mean: mean.into(), ..self.clone() }
    }

    /// The share of the rows' squared length that their mean has and this encoder's mean does not take apart.
    pub fn missed<'a>(&self, count: usize, row: impl Fn(usize) -> &'a [f32]) -> f32 {
        let mean = self.mean_of(count, row);
        let taken = if self.mean.is_empty() { 0.0 } else { kernel::dot(self.path, &mean, &self.mean) };
        kernel::dot(self.path, &mean, &mean) - taken * taken
    }

    fn mean_of<'a>(&self, count: usize, row: impl Fn(usize) -> &'a [f32]) -> Vec<f32> {
        let step = count.div_ceil(SAMPLE).max(1);
        let mut mean = vec![0.0; self.layout.dimension];
        for place in (0..count).step_by(step) {
            mean.iter_mut().zip(row(place)).for_each(|(sum, x)| *sum += x);
        }
        let drawn = count.div_ceil(step).max(1) as f32;
        for sum in &mut mean {
            *sum /= drawn;
        }
        self.rotation.turn(self.path, &mut mean, &mut Vec::new());
        mean
    }

    /// Prepares a vector of unit length.
    pub fn prepare(&self, unit: &[f32], out: &mut Prepared) {
        out.rest.clear();
        out.rest.extend_from_slice(unit);
        self.rotation.turn(self.path, &mut out.rest, &mut out.scratch);
        out.along = 0.0;
        if !self.mean.is_empty() {
            out.along = kernel::dot(self.path, &out.rest, &self.mean);
            kernel::subtract(self.path, &mut out.rest, &self.mean, out.along);
        }
        out.rest.resize(self.layout.chunks * kernel::CHUNK_DIMENSIONS, 0.0);
    }
}
