//! The arithmetic of the index in plain Rust: what every path must compute, to the bit.
//!
//! Floating-point operations stand in one order and none is fused, so that wider registers change nothing but the time.
//! The functions are inlined into each path's own copy, which the compiler vectorises for that path.

use super::matrix::{PANEL, STEP, STEP_LINES};
use super::{ByteLine, CHUNK_DIMENSIONS, CHUNK_LINES, ENTRIES, GROUP, LANES, Product, ROWS};

/// Added to an f32 of a size below 2^22 this leaves the nearest integer, ties to even, in the low bits.
pub(super) const ROUND: f32 = 12_582_912.0;

/// The inner product, as 64 interleaved sums folded by halves.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_wide, a_rest) = a.as_chunks::<LANES>();
    let (b_wide, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (x, y) in a_wide.iter().zip(b_wide) {
        for i in 0..LANES {
            sums[i] += x[i] * y[i];
        }
    }
    for (i, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[i] += x * y;
    }
    fold(sums)
}

#[inline(always)]
pub(super) fn fold(mut sums: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

/// `vector -= factor * direction`.
#[inline(always)]
pub(super) fn subtract(vector: &mut [f32], direction: &[f32], factor: f32) {
    for (x, &y) in vector.iter_mut().zip(direction) {
        *x -= factor * y;
    }
}

/// The sum of the absolute values.
#[inline(always)]
pub(super) fn absolute_sum(vector: &[f32]) -> f32 {
    let (wide, rest) = vector.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for x in wide {
        for i in 0..LANES {
            sums[i] += x[i].abs();
        }
    }
    for (i, x) in rest.iter().enumerate() {
        sums[i] += x.abs();
    }
    fold(sums)
}

/// Signs, then a Hadamard transform of the window; wide windows leave out the stages within 16 neighbours and
/// transpose instead, so that all work is on whole registers and the next round mixes what this one did not.
#[inline(always)]
pub(super) fn mix(window: &mut [f32], scratch: &mut [f32]) {
    let width = window.len();
    let first = if width >= 256 { 16 } else { 1 };
    let mut half = first;
    while half < width {
        for pair in window.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
    let scale = ((width / first) as f32).sqrt().recip();
    if first == 1 {
        for x in window {
            *x *= scale;
        }
        return;
    }
    let rows = width / 16;
    for (row, lanes) in window.as_chunks::<16>().0.iter().enumerate() {
        for (lane, &x) in lanes.iter().enumerate() {
            scratch[lane * rows + row] = x * scale;
        }
    }
    window.copy_from_slice(&scratch[..width]);
}

/// `vector *= signs`, place by place.
#[inline(always)]
pub(super) fn flip(vector: &mut [f32], signs: &[f32]) {
    for (x, &sign) in vector.iter_mut().zip(signs) {
        *x *= sign;
    }
}

/// The largest absolute value.
#[inline(always)]
pub(super) fn largest(vector: &[f32]) -> f32 {
    let (wide, rest) = vector.as_chunks::<LANES>();
    let mut most = [0.0_f32; LANES];
    for x in wide {
        for i in 0..LANES {
            most[i] = if x[i].abs() > most[i] { x[i].abs() } else { most[i] };
        }
    }
    most.iter().chain(rest).fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most })
}

/// Nearest multiples of `1 / inverse`, of which none is beyond 127.
#[inline(always)]
pub(super) fn quantize(vector: &[f32], inverse: f32, codes: &mut [i8]) {
    for (code, &x) in codes.iter_mut().zip(vector) {
        *code = (x * inverse + ROUND).to_bits() as i8;
    }
}

/// The squared distance between `vector` and `step * codes`, and the squared length of the latter.
#[inline(always)]
pub(super) fn quantization_error(vector: &[f32], step: f32, codes: &[i8]) -> (f32, f32) {
    let (wide, rest) = vector.as_chunks::<LANES>();
    let (codes_wide, codes_rest) = codes[..vector.len()].as_chunks::<LANES>();
    let mut errors = [0.0_f32; LANES];
    let mut lengths = [0.0_f32; LANES];
    let mut add = |i: usize, x: f32, code: i8| {
        let near = step * f32::from(code);
        errors[i] += (x - near) * (x - near);
        lengths[i] += near * near;
    };
    for (x, code) in wide.iter().zip(codes_wide) {
        for i in 0..LANES {
            add(i, x[i], code[i]);
        }
    }
    for (i, (&x, &code)) in rest.iter().zip(codes_rest).enumerate() {
        add(i, x, code);
    }
    (fold(errors), fold(lengths))
}

/// The inner product of signed bytes.
#[inline(always)]
pub(super) fn dot_bytes(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}

/// The tables of a query: for each group of six dimensions the 64 sums of its components with either sign,
/// shifted to begin at zero and rounded to `most` steps. Gives the step.
#[inline(always)]
pub(super) fn tables(query: &[f32], most: f32, out: &mut [ByteLine]) -> f32 {
    let mut widest = 0.0_f32;
    for group in query.as_chunks::<GROUP>().0 {
        widest = widest.max(group.iter().map(|x| x.abs()).sum());
    }
    if widest == 0.0 {
        out.fill(ByteLine::default());
        return 0.0;
    }
    let step = 2.0 * widest / most;
    let twice = 2.0 * step.recip();
    for (group, table) in query.as_chunks::<GROUP>().0.iter().zip(out) {
        // Entry n is what all signs negative give, shifted to the sum of sizes, plus twice each component whose bit is set.
        let all_clear: f32 = group.iter().map(|&x| if x < 0.0 { -x } else { 0.0 }).sum();
        let mut sums = [all_clear * twice; ENTRIES];
        for (bit, &x) in group.iter().enumerate() {
            let x = x * twice;
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum += if n >> bit & 1 == 1 { x } else { 0.0 };
            }
        }
        for (entry, sum) in table.0.iter_mut().zip(sums) {
            *entry = (sum + ROUND).to_bits() as u8;
        }
    }
    step
}

/// The sums of the table entries that 64 rows' codes name.
pub(super) fn scan(codes: &[ByteLine], tables: &[ByteLine], sums: &mut [u16; ROWS]) {
    sums.fill(0);
    for (chunk, tables) in codes.as_chunks::<CHUNK_LINES>().0.iter().zip(tables.as_chunks::<4>().0) {
        for (row, sum) in sums.iter_mut().enumerate() {
            let place = super::place_of(row);
            let [a, b, c] = chunk.each_ref().map(|line| line.0[place]);
            let groups = [a & 63, b & 63, c & 63, a >> 6 << 4 | b >> 6 << 2 | c >> 6];
            for (table, n) in tables.iter().zip(groups) {
                *sum += u16::from(table.0[usize::from(n)]);
            }
        }
    }
}

/// The three bytes of a row in a chunk: bit `i` of `bits` is dimension `i`.
#[inline(always)]
pub(super) fn pack(bits: u32) -> [u8; 3] {
    const { assert!(CHUNK_DIMENSIONS == 24) };
    let group = |n: u32| (bits >> (6 * n) & 63) as u8;
    let fourth = group(3);
    [group(0) | fourth >> 4 << 6, group(1) | (fourth >> 2 & 3) << 6, group(2) | (fourth & 3) << 6]
}

/// Which rows reach `least`: a bit for each.
#[inline(always)]
pub(super) fn survivors(linear: &[(f32, &[i16; ROWS])], products: &[Product<'_>], least: f32) -> u64 {
    let mut bounds = [0.0_f32; ROWS];
    for (factor, column) in linear {
        for (bound, &x) in bounds.iter_mut().zip(*column) {
            *bound += factor * f32::from(x);
        }
    }
    for product in products {
        for ((bound, &sum), &x) in bounds.iter_mut().zip(product.sums).zip(product.column) {
            *bound += (f32::from(sum) * product.slope + product.offset) * f32::from(x);
        }
    }
    bounds.iter().enumerate().fold(0, |mask, (row, &bound)| mask | u64::from(bound >= least) << row)
}

/// Unsigned rows times 64 columns of signed bytes, added to `offsets`: what every path's tile must give.
#[inline(always)]
pub(super) fn sums<const R: usize>(
    rows: [&[[u8; STEP]]; R],
    lines: &[[ByteLine; STEP_LINES]],
    offsets: &[i32; PANEL],
    sums: &mut [[i32; PANEL]; R],
) {
    *sums = [*offsets; R];
    for (i, lines) in lines.iter().enumerate() {
        for (row, sums) in rows.iter().zip(sums.iter_mut()) {
            let row = row[i].map(i32::from);
            let columns = lines.iter().flat_map(|line| line.0.as_chunks::<STEP>().0);
            for (sum, column) in sums.iter_mut().zip(columns) {
                for (x, code) in row.iter().zip(column) {
                    *sum += x * i32::from(code.cast_signed());
                }
            }
        }
    }
}
