//! The arithmetic of the model that reads two questions, beside its products: in plain Rust, compiled for each path.
//!
//! As in `portable`, additions stand in one order and none is fused with a product, so that every path gives equal bits.

use super::LANES;
use super::portable::{ROUND, fold, largest};

/// Numbers of a token.
pub(crate) const HIDDEN: usize = 384;
/// Heads of attention.
pub(crate) const HEADS: usize = 12;
/// The most tokens that are read together.
pub(crate) const MOST_TOKENS: usize = 512;
/// Numbers that attention needs room for beside its own.
pub(crate) const ATTENTION_ROOM: usize = (HEAD + QUERIES) * MOST_TOKENS;
/// Numbers of a token for one head.
const HEAD: usize = HIDDEN / HEADS;
/// Numbers of a token before attention: its query, its key and its value.
const MIXED: usize = 3 * HIDDEN;
/// Keys that are looked at together: as many as make the compiler take whole registers.
const KEYS: usize = 32;
/// Tokens whose attention is computed together.
const QUERIES: usize = 4;
/// Keeps the root away from zero: BERT's own.
const EPSILON: f32 = 1e-12;

/// Beyond it the error function is 1 to the last bit of a float.
const ERF_END: f32 = 5.55;
/// `erf(x / sqrt(2)) / x` is a quotient of two polynomials in `x * x`, to 2e-8: fitted to the function on 4,000 places
/// from 0 to 5.6, the largest error made as small as the others.
const ERF_ABOVE: [f32; 6] =
    [0.797_884_46, 0.068_746_69, 0.009_414_156, 0.000_347_642_77, 0.000_012_712_418, 4.429_329e-8];
const ERF_BELOW: [f32; 6] = [1.0, 0.252_826_93, 0.028_938_476, 0.001_912_811_8, 0.000_075_091_9, 0.000_001_180_227_4];

/// `ln 2`, in two parts of which the first has few bits: its multiples are exact.
const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];
/// Below it the exponential is taken for what it is there.
const EXP_START: f32 = -87.0;
/// The coefficients of the exponential's series.
const EXP: [f32; 7] = [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0];

#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let mut sum = coefficients[N - 1];
    for n in (0..N - 1).rev() {
        sum = sum * x + coefficients[n];
    }
    sum
}

/// Between two bounds; what is no number becomes the lower one.
#[inline(always)]
fn between(x: f32, low: f32, high: f32) -> f32 {
    let x = if x > low { x } else { low };
    if x < high { x } else { high }
}

/// The exponential of a number that is at most zero, to a part in ten million.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = if x > EXP_START { x } else { EXP_START };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let rest = x - n * LN_2[0] - n * LN_2[1];
    // The low bits of `shifted` are those of the whole number `n`: in the place of the exponent they are 2^n.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    polynomial(EXP, rest) * power
}

/// The Gaussian error linear unit, `x` times the share of a normal distribution below `x`.
#[inline(always)]
pub(super) fn gelu(values: &mut [f32]) {
    for x in values {
        let inner = between(*x, -ERF_END, ERF_END);
        let square = inner * inner;
        let erf = inner * polynomial(ERF_ABOVE, square) / polynomial(ERF_BELOW, square);
        *x = 0.5 * *x * (1.0 + between(erf, -1.0, 1.0));
    }
}

/// Each row as bytes around 128, nearest to its multiples of `largest / 127`, and that step.
#[inline(always)]
pub(super) fn quantize_rows(values: &[f32], depth: usize, codes: &mut [u8], scales: &mut [f32]) {
    for ((row, codes), scale) in values.chunks_exact(depth).zip(codes.chunks_exact_mut(depth)).zip(scales) {
        let step = largest(row) / 127.0;
        // A row of zeros, or of numbers too small to divide by, is zeros.
        let (step, inverse) = if step >= f32::MIN_POSITIVE { (step, 1.0 / step) } else { (0.0, 0.0) };
        *scale = step;
        for (code, &x) in codes.iter_mut().zip(row) {
            *code = (between(x * inverse, -127.0, 127.0) + (ROUND + 128.0)).to_bits() as u8;
        }
    }
}

/// `rows += added`; then each row has the mean 0 and the variance 1, times `weight`, plus `bias`.
#[inline(always)]
pub(super) fn add_and_normalize(rows: &mut [f32], added: &[f32], weight: &[f32; HIDDEN], bias: &[f32; HIDDEN]) {
    let added = added.as_chunks::<HIDDEN>().0;
    for (row, added) in rows.as_chunks_mut::<HIDDEN>().0.iter_mut().zip(added) {
        for (x, y) in row.iter_mut().zip(added) {
            *x += y;
        }
        let mut sums = [0.0; LANES];
        for x in row.as_chunks::<LANES>().0 {
            for i in 0..LANES {
                sums[i] += x[i];
            }
        }
        let mean = fold(sums) / HIDDEN as f32;
        let mut squares = [0.0; LANES];
        for x in row.as_chunks::<LANES>().0 {
            for i in 0..LANES {
                squares[i] += (x[i] - mean) * (x[i] - mean);
            }
        }
        let deviation = (fold(squares) / HIDDEN as f32 + EPSILON).sqrt();
        let inverse = 1.0 / deviation;
        for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *x = (*x - mean) * inverse * weight + bias;
        }
    }
}

/// Attention of one text: `mixed` has each token's query, key and value, `out` receives what each token heard.
/// `room` is of [`ATTENTION_ROOM`].
#[inline(always)]
pub(super) fn attend(mixed: &[f32], room: &mut [f32], out: &mut [f32]) {
    let mixed = mixed.as_chunks::<MIXED>().0;
    let mixed = &mixed[..mixed.len().min(MOST_TOKENS)];
    let padded = mixed.len().next_multiple_of(KEYS);
    // The keys of one head, place by place, and the scores of some tokens.
    let (keys, scores) = room.split_at_mut(HEAD * padded);
    keys.fill(0.0);
    let out = out.as_chunks_mut::<HIDDEN>().0;
    for head in 0..HEADS {
        for (n, token) in mixed.iter().enumerate() {
            let block = n / KEYS * HEAD;
            for (i, &x) in token[HIDDEN + head * HEAD..HIDDEN + (head + 1) * HEAD].iter().enumerate() {
                keys[(block + i) * KEYS + n % KEYS] = x;
            }
        }
        let Some(last) = mixed.len().checked_sub(QUERIES) else {
            (0..mixed.len()).for_each(|first| attend_from::<1>(mixed, (head, first), keys, scores, out));
            continue;
        };
        for first in (0..mixed.len()).step_by(QUERIES) {
            // The last few are computed with some before them once more, which changes nothing.
            attend_from::<QUERIES>(mixed, (head, first.min(last)), keys, scores, out);
        }
    }
}

/// The attention of `Q` tokens from `first` on, by one head.
///
/// The loops over tokens are the innermost, which the compiler unrolls, and makes registers of the loops around them.
#[inline(always)]
fn attend_from<const Q: usize>(
    mixed: &[[f32; MIXED]],
    (head, first): (usize, usize),
    keys: &[f32],
    scores: &mut [f32],
    out: &mut [[f32; HIDDEN]],
) {
    let padded = keys.len() / HEAD;
    let queries: [[f32; HEAD]; Q] = std::array::from_fn(|q| part(&mixed[first + q], head * HEAD));
    let mut rest = scores;
    let weights: [&mut [f32]; Q] = std::array::from_fn(|_| {
        let (row, others) = std::mem::take(&mut rest).split_at_mut(padded);
        rest = others;
        row
    });
    for (block, keys) in keys.as_chunks::<KEYS>().0.as_chunks::<HEAD>().0.iter().enumerate() {
        let mut sums = [[0.0_f32; KEYS]; Q];
        for (i, keys) in keys.iter().enumerate() {
            let query: [f32; Q] = std::array::from_fn(|q| queries[q][i]);
            for k in 0..KEYS {
                for q in 0..Q {
                    sums[q][k] += query[q] * keys[k];
                }
            }
        }
        for q in 0..Q {
            weights[q][block * KEYS..(block + 1) * KEYS].copy_from_slice(&sums[q]);
        }
    }
    let mut inverse = [0.0; Q];
    for q in 0..Q {
        inverse[q] = 1.0 / soften(weights[q], mixed.len());
    }
    let mut sums = [[0.0_f32; HEAD]; Q];
    for (n, token) in mixed.iter().enumerate() {
        let values = part(token, 2 * HIDDEN + head * HEAD);
        let weight: [f32; Q] = std::array::from_fn(|q| weights[q][n]);
        for i in 0..HEAD {
            for q in 0..Q {
                sums[q][i] += weight[q] * values[i];
            }
        }
    }
    for q in 0..Q {
        for (x, sum) in out[first + q][head * HEAD..(head + 1) * HEAD].iter_mut().zip(sums[q]) {
            *x = sum * inverse[q];
        }
    }
}

/// A head's numbers of a token, from a place on.
#[inline(always)]
fn part(token: &[f32; MIXED], start: usize) -> [f32; HEAD] {
    token[start..].first_chunk().copied().unwrap_or([0.0; HEAD])
}

/// Makes the first `count` scores weights, not yet divided by their sum, which it gives; the others become zero.
#[inline(always)]
fn soften(scores: &mut [f32], count: usize) -> f32 {
    let slope = (HEAD as f32).sqrt().recip();
    scores[count..].fill(f32::NEG_INFINITY);
    let mut most = [f32::NEG_INFINITY; KEYS];
    for x in scores.as_chunks::<KEYS>().0 {
        for i in 0..KEYS {
            most[i] = if x[i] > most[i] { x[i] } else { most[i] };
        }
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, |most, x| if x > most { x } else { most });
    for x in scores.iter_mut() {
        *x = exp((*x - most) * slope);
    }
    scores[count..].fill(0.0);
    let mut sums = [0.0_f32; KEYS];
    for x in scores.as_chunks::<KEYS>().0 {
        for i in 0..KEYS {
            sums[i] += x[i];
        }
    }
    let mut width = KEYS / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::super::{self as kernel, Path};
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn bits(floats: &[f32]) -> Vec<u32> {
        // What is no number has bits that mean nothing.
        floats.iter().map(|x| if x.is_nan() { 0 } else { x.to_bits() }).collect()
    }

    /// Numbers as a model has them, of all sizes, and of no size at all.
    fn draws(length: usize, random: &mut StdRng) -> [Vec<f32>; 3] {
        let strange = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-42, 0.5];
        [
            (0..length).map(|_| random.random_range(-6.0..6.0)).collect(),
            (0..length)
                .map(|_| random.random_range(-1.0_f32..1.0) * 2.0_f32.powi(random.random_range(-40..40)))
                .collect(),
            (0..length).map(|_| strange[random.random_range(0..strange.len())]).collect(),
        ]
    }

    #[test]
    fn every_path_gives_equal_bits() {
        let random = &mut StdRng::seed_from_u64(8);
        let [weight, bias] = [(); 2].map(|()| std::array::from_fn(|_| random.random_range(-2.0..2.0)));
        for tokens in [1, 2, 3, 4, 5, 16, 17, 40, 128] {
            for values in draws(tokens * MIXED, random) {
                let apply = |path: Path| {
                    let mut bent = values.clone();
                    kernel::gelu(path, &mut bent);
                    let (mut codes, mut scales) = (vec![0; values.len()], vec![0.0; 3 * tokens]);
                    kernel::quantize_rows(path, &values, HIDDEN, &mut codes, &mut scales);
                    let mut rows = bent.clone();
                    kernel::add_and_normalize(path, &mut rows, &values, &weight, &bias);
                    let (mut room, mut heard) = (vec![f32::NAN; ATTENTION_ROOM], vec![f32::NAN; tokens * HIDDEN]);
                    kernel::attend(path, &values, &mut room, &mut heard);
                    (bits(&bent), codes, bits(&scales), bits(&rows), bits(&heard))
                };
                let expected = apply(Path::available()[Path::available().len() - 1]);
                for path in Path::available() {
                    assert!(apply(path) == expected, "{path:?} {tokens}");
                }
            }
        }
    }

    /// On a processor of another kind this must come out as on the one where the number was noted.
    #[test]
    fn every_machine_gives_equal_bits() {
        let random = &mut StdRng::seed_from_u64(9);
        let weight: [f32; HIDDEN] = std::array::from_fn(|_| random.random_range(-2.0..2.0));
        let mut rows: Vec<f32> = (0..21 * MIXED).map(|_| random.random_range(-6.0..6.0)).collect();
        let path = Path::detect();
        let (mut room, mut heard) = (vec![0.0; ATTENTION_ROOM], vec![0.0; 21 * HIDDEN]);
        kernel::attend(path, &rows, &mut room, &mut heard);
        kernel::gelu(path, &mut rows);
        kernel::add_and_normalize(path, &mut heard, &rows, &weight, &weight);
        let (mut codes, mut scales) = (vec![0; heard.len()], vec![0.0; 21]);
        kernel::quantize_rows(path, &heard, HIDDEN, &mut codes, &mut scales);
        let bytes = heard.iter().chain(&scales).flat_map(|x| x.to_bits().to_le_bytes()).chain(codes);
        let digest =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(digest, 0x7c9b_84f0_3cc6_0a32, "{digest:#x}");
    }

    #[test]
    fn the_error_function_is_that_of_the_books() {
        for n in -12_000..=12_000 {
            let x = f64::from(n) * 0.0005;
            let inner = x / 2.0_f64.sqrt();
            let mut term = inner;
            let mut sum = inner;
            for n in 1..80 {
                term *= -inner * inner / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            let expected = 0.5 * x * (1.0 + sum * 2.0 / std::f64::consts::PI.sqrt());
            let mut found = [x as f32];
            gelu(&mut found);
            assert!((f64::from(found[0]) - expected).abs() < 2e-6, "{x} {found:?} {expected}");
        }
    }

    #[test]
    fn the_exponential_is_that_of_the_books() {
        for n in 0..87_000 {
            let x = n as f32 * -0.001;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 4e-7, "{x} {} {expected}", exp(x));
        }
        assert!(exp(-1e30) < 1e-37 && exp(0.0).to_bits() == 1.0_f32.to_bits());
    }

    #[test]
    fn bytes_are_the_nearest_and_ties_go_to_even() {
        let row = [127.0, 0.5, 1.5, -0.5, -1.5, -127.0, 126.4, 0.0];
        let (mut codes, mut scales) = ([0; 16], [0.0; 2]);
        quantize_rows(&[row, [0.0; 8]].concat(), 8, &mut codes, &mut scales);
        assert_eq!(codes, [255, 128, 130, 128, 126, 1, 254, 128, 128, 128, 128, 128, 128, 128, 128, 128]);
        assert_eq!(bits(&scales), bits(&[1.0, 0.0]));
    }
}
