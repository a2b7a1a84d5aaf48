//! The path that needs its own instructions on processors with AVX2.

use super::ByteLine;
use super::matrix::{PANEL, STEP, STEP_LINES};
use std::arch::x86_64::*;

/// [`super::portable::dot_bytes`] for rows padded to 64 with codes from -127 to 127.
#[target_feature(enable = "avx2")]
pub(super) fn dot_bytes(a: &[i8], b: &[i8]) -> i32 {
    assert!(a.len() == b.len() && a.len().is_multiple_of(32));
    let ones = _mm256_set1_epi16(1);
    let mut total = _mm256_setzero_si256();
    for at in (0..a.len()).step_by(32) {
        // SAFETY: 32 bytes from `at` are within both, by the assertion above.
        let (x, y) =
            unsafe { (_mm256_loadu_si256(a.as_ptr().add(at).cast()), _mm256_loadu_si256(b.as_ptr().add(at).cast())) };
        // |y| times x with y's sign: two products are at most 2 * 127 * 127, which fits 16 bits.
        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(y), _mm256_sign_epi8(x, y));
        total = _mm256_add_epi32(total, _mm256_madd_epi16(pairs, ones));
    }
    let half = _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256::<1>(total));
    let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
    _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32::<0b00_00_00_01>(quarter)))
}

/// [`super::portable::sums`], line by line: there are registers for sixteen columns of four rows.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn sums<const R: usize>(
    rows: [&[[u8; STEP]]; R],
    lines: &[[ByteLine; STEP_LINES]],
    offsets: &[i32; PANEL],
    sums: &mut [[i32; PANEL]; R],
) {
    let rows = rows.map(|row| &row[..lines.len()]);
    let ones = _mm256_set1_epi16(1);
    let bias = _mm256_set1_epi8(i8::MIN);
    for n in 0..STEP_LINES {
        let mut totals = [[_mm256_setzero_si256(); 2]; R];
        for (i, lines) in lines.iter().enumerate() {
            let (halves, _) = lines[n].0.as_chunks::<32>();
            // SAFETY: 32 bytes are read from each of two arrays of 32.
            let halves = [0, 1].map(|half| unsafe { _mm256_loadu_si256(halves[half].as_ptr().cast()) });
            for (row, totals) in rows.iter().zip(&mut totals) {
                let row = _mm256_xor_si256(_mm256_set1_epi32(i32::from_ne_bytes(row[i])), bias);
                let size = _mm256_abs_epi8(row);
                for (total, half) in totals.iter_mut().zip(halves) {
                    // As in `dot_bytes`: two products fit 16 bits.
                    let pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(half, row));
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(pairs, ones));
                }
            }
        }
        for (totals, sums) in totals.iter().zip(sums.iter_mut()) {
            for (half, total) in totals.iter().enumerate() {
                let sums = &mut sums.as_chunks_mut::<8>().0[2 * n + half];
                // SAFETY: eight values of four bytes are written to an array of eight.
                unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), *total) };
            }
        }
    }
    // These bytes were signed here: there is nothing to make good.
    let _ = offsets;
}
