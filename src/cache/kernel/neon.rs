//! The paths that need their own instructions on 64-bit ARM.

use super::matrix::{PANEL, STEP, STEP_LINES};
use super::{ByteLine, CHUNK_LINES, Product, ROWS};
use std::arch::aarch64::*;
use std::arch::asm;

/// Registers that hold a line.
const PARTS: usize = ROWS / 16;

#[target_feature(enable = "neon")]
#[inline]
fn load(line: &ByteLine) -> uint8x16x4_t {
    // SAFETY: 64 bytes are read from an array of 64.
    unsafe { vld1q_u8_x4(line.0.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn parts(line: &ByteLine) -> [uint8x16_t; PARTS] {
    let uint8x16x4_t(first, second, third, fourth) = load(line);
    [first, second, third, fourth]
}

/// [`super::portable::scan`]
///
/// Each index of six bits picks one of 64 bytes: one `tbl` over four registers looks up 16 rows. Where an index is
/// beyond the table it gives zero, so that the two other bits are cleared first.
#[target_feature(enable = "neon")]
pub(super) fn scan(codes: &[ByteLine], ahead: &[ByteLine], tables: &[ByteLine], sums: &mut [u16; ROWS]) {
    let chunks = codes.as_chunks::<CHUNK_LINES>().0;
    let ahead = if ahead.len() == codes.len() { ahead } else { codes }.as_chunks::<CHUNK_LINES>().0;
    let tables = &tables.as_chunks::<4>().0[..chunks.len()];
    let low = vdupq_n_u8(63);
    let mut totals = [[vdupq_n_u16(0); 2]; PARTS];
    for ((chunk, next), [t0, t1, t2, t3]) in chunks.iter().zip(ahead).zip(tables) {
        super::prefetch(next);
        let [a, b, c] = [parts(&chunk[0]), parts(&chunk[1]), parts(&chunk[2])];
        let [t0, t1, t2, t3] = [load(t0), load(t1), load(t2), load(t3)];
        for (part, [first, second]) in totals.iter_mut().enumerate() {
            let [a, b, c] = [a[part], b[part], c[part]];
            // The fourth index is in the two high bits of the three bytes; `sri` puts one byte's behind the other's.
            let d = vshrq_n_u8::<2>(vsriq_n_u8::<4>(vsriq_n_u8::<2>(a, b), c));
            let [a, b, c] = [vandq_u8(a, low), vandq_u8(b, low), vandq_u8(c, low)];
            // Two tables' entries fit a byte: each is at most 127.
            for pair in [vaddq_u8(vqtbl4q_u8(t0, a), vqtbl4q_u8(t1, b)), vaddq_u8(vqtbl4q_u8(t2, c), vqtbl4q_u8(t3, d))]
            {
                *first = vaddw_u8(*first, vget_low_u8(pair));
                *second = vaddw_high_u8(*second, pair);
            }
        }
    }
    let (lower, upper) = sums.split_at_mut(ROWS / 2);
    for ((total, lower), upper) in totals.iter().zip(lower.as_chunks_mut::<8>().0).zip(upper.as_chunks_mut::<8>().0) {
        // SAFETY: eight values of two bytes are written to each of two arrays of eight.
        unsafe {
            vst1q_u16(lower.as_mut_ptr(), vuzp1q_u16(total[0], total[1]));
            vst1q_u16(upper.as_mut_ptr(), vuzp2q_u16(total[0], total[1]));
        }
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn column(values: &[i16; ROWS], at: usize) -> float32x4_t {
    let lanes: &[i16; 4] = values[at..].first_chunk().unwrap_or(&[0; 4]);
    // SAFETY: four values of two bytes are read from an array of four.
    vcvtq_f32_s32(vmovl_s16(unsafe { vld1_s16(lanes.as_ptr()) }))
}

/// [`super::portable::survivors`]
#[target_feature(enable = "neon")]
pub(super) fn survivors(linear: &[(f32, &[i16; ROWS])], products: &[Product<'_>], least: f32) -> u64 {
    // SAFETY: four values of four bytes are read from an array of four.
    let bits = unsafe { vld1q_u32([1, 2, 4, 8].as_ptr()) };
    let mut mask = 0_u64;
    for at in (0..ROWS).step_by(4) {
        let mut bound = vdupq_n_f32(0.0);
        // A product is rounded before it is added, as on the other paths: never `vfmaq_f32`.
        for (factor, values) in linear {
            bound = vaddq_f32(bound, vmulq_f32(vdupq_n_f32(*factor), column(values, at)));
        }
        for product in products {
            let lanes: &[u16; 4] = product.sums[at..].first_chunk().unwrap_or(&[0; 4]);
            // SAFETY: four values of two bytes are read from an array of four.
            let sums = vcvtq_f32_u32(vmovl_u16(unsafe { vld1_u16(lanes.as_ptr()) }));
            let scaled = vmulq_f32(sums, vdupq_n_f32(product.slope));
            let shifted = vaddq_f32(scaled, vdupq_n_f32(product.offset));
            bound = vaddq_f32(bound, vmulq_f32(shifted, column(product.column, at)));
        }
        let reach = vcgeq_f32(bound, vdupq_n_f32(least));
        mask |= u64::from(vaddvq_u32(vandq_u32(reach, bits))) << at;
    }
    mask
}

/// [`super::portable::dot_bytes`] for rows padded to 64 with codes from -127 to 127.
#[target_feature(enable = "neon")]
pub(super) fn dot_bytes(a: &[i8], b: &[i8]) -> i32 {
    assert!(a.len() == b.len() && a.len().is_multiple_of(32));
    let mut totals = [vdupq_n_s32(0); 2];
    for at in (0..a.len()).step_by(32) {
        for (half, total) in totals.iter_mut().enumerate() {
            // SAFETY: 32 bytes from `at` are within both, by the assertion above, and each half takes 16 of them.
            let (x, y) =
                unsafe { (vld1q_s8(a.as_ptr().add(at + 16 * half)), vld1q_s8(b.as_ptr().add(at + 16 * half))) };
            // Two products are at most 2 * 127 * 127, which fits 16 bits.
            let pairs = vmlal_high_s8(vmull_s8(vget_low_s8(x), vget_low_s8(y)), x, y);
            *total = vpadalq_s16(*total, pairs);
        }
    }
    vaddvq_s32(vaddq_s32(totals[0], totals[1]))
}

/// The same for processors that have `sdot`, which the compiler makes of it: its intrinsic is not stable.
#[target_feature(enable = "neon,dotprod")]
pub(super) fn dot_bytes_by_sdot(a: &[i8], b: &[i8]) -> i32 {
    super::portable::dot_bytes(a, b)
}

/// Asks the processor to read the line of memory at an address ahead of its use.
pub(super) fn prefetch(address: *const u8) {
    // SAFETY: a hint, which faults at no address and changes nothing that the program sees.
    unsafe { asm!("prfm pldl1keep, [{}]", in(reg) address, options(readonly, nostack, preserves_flags)) };
}

/// [`super::portable::sums`], line by line, with what adds the products of 16 bytes to four sums.
#[target_feature(enable = "neon")]
#[inline]
fn sums_with<const R: usize>(
    rows: [&[[u8; STEP]]; R],
    lines: &[[ByteLine; STEP_LINES]],
    sums: &mut [[i32; PANEL]; R],
    add: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
) {
    let rows = rows.map(|row| &row[..lines.len()]);
    for n in 0..STEP_LINES {
        let mut totals = [[vdupq_n_s32(0); PARTS]; R];
        for (i, lines) in lines.iter().enumerate() {
            let columns = parts(&lines[n]).map(|part| vreinterpretq_s8_u8(part));
            for (row, totals) in rows.iter().zip(&mut totals) {
                // Without their bias the bytes are signed, and there is nothing to make good.
                let row = vdupq_n_u32(u32::from_ne_bytes(row[i]) ^ 0x8080_8080);
                for (total, columns) in totals.iter_mut().zip(columns) {
                    *total = add(*total, columns, vreinterpretq_s8_u32(row));
                }
            }
        }
        for (totals, sums) in totals.iter().zip(sums.iter_mut()) {
            let sums = &mut sums.as_chunks_mut::<16>().0[n];
            for (total, sums) in totals.iter().zip(sums.as_chunks_mut::<4>().0) {
                // SAFETY: four values of four bytes are written to an array of four.
                unsafe { vst1q_s32(sums.as_mut_ptr(), *total) };
            }
        }
    }
}

/// The tile without `sdot`: `offsets` are for the paths whose rows stay unsigned.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn sums<const R: usize>(
    rows: [&[[u8; STEP]]; R],
    lines: &[[ByteLine; STEP_LINES]],
    _offsets: &[i32; PANEL],
    sums: &mut [[i32; PANEL]; R],
) {
    sums_with(rows, lines, sums, |total, x, y| {
        // Two products are at most 2 * 127 * 127, which fits 16 bits.
        let low = vmull_s8(vget_low_s8(x), vget_low_s8(y));
        vpadalq_s16(total, vpaddq_s16(low, vmull_high_s8(x, y)))
    });
}

/// The tile with `sdot`, whose intrinsic is not stable.
#[target_feature(enable = "neon,dotprod")]
#[inline]
pub(super) fn sums_by_sdot<const R: usize>(
    rows: [&[[u8; STEP]]; R],
    lines: &[[ByteLine; STEP_LINES]],
    _offsets: &[i32; PANEL],
    sums: &mut [[i32; PANEL]; R],
) {
    sums_with(rows, lines, sums, |mut total, x, y| {
        // SAFETY: one instruction on three registers, which the processor has where this function is called.
        unsafe {
            asm!(
                "sdot {total:v}.4s, {x:v}.16b, {y:v}.16b",
                total = inout(vreg) total,
                x = in(vreg) x,
                y = in(vreg) y,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        total
    });
}
