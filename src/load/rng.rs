//! Random numbers whose stream is part of the contract: the same seed gives the same load on every machine and release.
//!
//! xoshiro256++ 1.0 (Blackman and Vigna 2019), its state filled by `SplitMix64`. The `rand` crate reserves the right to
//! change its streams, hence our own.

/// A seeded stream of random numbers.
///
/// ```
/// use headrace::load::rng::Rng;
/// assert_eq!(Rng::new(7).next_u64(), Rng::new(7).next_u64());
/// ```
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut filler = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut filler)) }
    }

    /// A stream of its own for one purpose, so that one more draw here changes nothing there.
    #[must_use]
    pub fn stream(seed: u64, purpose: &str) -> Self {
        let hash = blake3::hash(purpose.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        Self::new(seed ^ u64::from_le_bytes(first))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let state = &mut self.state;
        let result = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// An index below `n`, all equally likely (Lemire's multiplication; its bias, at most n / 2^64, is accepted).
    /// `n` 0 gives 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// True with probability `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        self.uniform() < share
    }

    /// One of `items`, all equally likely; `None` of none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Standard normal (Box and Muller 1958, one of the pair).
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Lognormal: e to the power of a normal with mean `mu` and deviation `sigma`.
    pub fn lognormal(&mut self, mu: f64, sigma: f64) -> f64 {
        sigma.mul_add(self.normal(), mu).exp()
    }

    /// Gamma with `shape` and scale 1, hence mean `shape` (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            // Below one, draw at shape + 1 and scale back by a uniform power.
            let scale = (1.0 - self.uniform()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * scale;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Ranks drawn with probability proportional to 1 / (rank + 1)^exponent.
#[derive(Debug, Clone)]
pub struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    /// The distribution over `n` ranks, from 0; exponent 0 is uniform.
    #[must_use]
    pub fn new(n: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=n.max(1))
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// One rank.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(1.0);
        let at = rng.uniform() * total;
        self.cumulative.partition_point(|&sum| sum <= at).min(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(n: usize, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..n).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n as f64;
        (mean, variance)
    }

    #[test]
    fn matches_the_reference_stream() {
        // rand_xoshiro 0.7's test vector for the state [1, 2, 3, 4], from the authors' C program.
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let expected =
            [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386, 9_228_616_714_210_784_205];
        assert_eq!(std::array::from_fn::<u64, 5, _>(|_| rng.next_u64()), expected);
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut rng = Rng::new(1);
        let close = |(mean, variance): (f64, f64), m: f64, v: f64| {
            assert!(
                (mean - m).abs() < 0.02 * (1.0 + m) && (variance - v).abs() < 0.05 * (1.0 + v),
                "{mean} {variance}"
            );
        };
        close(moments(200_000, || rng.uniform()), 0.5, 1.0 / 12.0);
        close(moments(200_000, || rng.exponential()), 1.0, 1.0);
        close(moments(200_000, || rng.normal()), 0.0, 1.0);
        close(moments(200_000, || rng.gamma(0.4)), 0.4, 0.4);
        close(moments(200_000, || rng.gamma(3.0)), 3.0, 3.0);
        close(moments(200_000, || rng.lognormal(0.0, 0.5)), 0.125_f64.exp(), (0.25_f64.exp() - 1.0) * 0.25_f64.exp());
    }

    #[test]
    fn zipf_follows_its_law() {
        let (mut rng, zipf) = (Rng::new(2), Zipf::new(100, 1.1));
        let mut counts = vec![0_u32; 100];
        for _ in 0..200_000 {
            counts[zipf.draw(&mut rng)] += 1;
        }
        let norm: f64 = (1..=100).map(|rank| f64::from(rank).powf(-1.1)).sum();
        for (rank, &count) in counts.iter().enumerate().take(10) {
            let expected = 200_000.0 * (rank as f64 + 1.0).powf(-1.1) / norm;
            assert!((f64::from(count) - expected).abs() < 5.0 * expected.sqrt(), "{rank}: {count} {expected}");
        }
    }
}
