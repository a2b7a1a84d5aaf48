//! A fixed orthonormal mixing of the dimensions, which spreads what a vector is over all of them alike.

use crate::cache::kernel::{self, Path};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// After three rounds every dimension depends on every other.
const ROUNDS: usize = 3;

/// Three rounds of random signs and a Hadamard transform of two overlapping windows, whose width is the greatest
/// power of two that fits. Signs depend on the dimension only, so that all indexes of one dimension mix alike.
#[derive(Debug)]
pub(super) struct Rotation {
    signs: [Vec<f32>; ROUNDS],
    window: usize,
}

impl Rotation {
    pub fn new(dimension: usize) -> Self {
        let mut random = StdRng::seed_from_u64(dimension as u64);
        let signs = std::array::from_fn(|_| (0..dimension).map(|_| if random.random() { 1.0 } else { -1.0 }).collect());
        Self { signs, window: 1 << dimension.ilog2() }
    }

    /// Turns `vector` in place. Its length changes by rounding only: by less than 1e-5 of it (docs/cache.md).
    pub fn turn(&self, path: Path, vector: &mut [f32], scratch: &mut Vec<f32>) {
        scratch.resize(self.window, 0.0);
        for signs in &self.signs {
            kernel::flip(path, vector, signs);
            kernel::mix(path, &mut vector[..self.window], scratch);
            if self.window < vector.len() {
                let start = vector.len() - self.window;
                kernel::mix(path, &mut vector[start..], scratch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn inner_products_stay(dimension in 1_usize..700, seed: u64) {
            let mut random = StdRng::seed_from_u64(seed);
            let rotation = Rotation::new(dimension);
            let mut draw = || -> Vec<f32> { (0..dimension).map(|_| random.random_range(-1.0..1.0)).collect() };
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
            let (mut a, mut b) = (draw(), draw());
            let (before, scale) = (dot(&a, &b), (dot(&a, &a) * dot(&b, &b)).sqrt());
            let mut scratch = Vec::new();
            rotation.turn(Path::detect(), &mut a, &mut scratch);
            rotation.turn(Path::detect(), &mut b, &mut scratch);
            prop_assert!((dot(&a, &b) - before).abs() <= 1e-5 * scale);
        }
    }

    #[test]
    fn one_dimension_is_spread_over_all() {
        for dimension in [384, 768, 1000, 1024, 1536, 3072] {
            let mut vector = vec![0.0; dimension];
            vector[dimension / 3] = 1.0;
            Rotation::new(dimension).turn(Path::detect(), &mut vector, &mut Vec::new());
            let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            assert!(largest < 8.0 / (dimension as f32).sqrt(), "{dimension}: {largest}");
        }
    }
}
