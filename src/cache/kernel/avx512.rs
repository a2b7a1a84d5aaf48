//! The paths that need their own instructions on processors with AVX-512 VBMI and VNNI (Ice Lake, Zen 4, and later).

use super::matrix::{PANEL, STEP, STEP_LINES};
use super::{ByteLine, CHUNK_LINES, Product, ROWS};
use std::arch::x86_64::*;

/// Two tables' entries fit a byte: each is at most 127.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
#[inline]
fn widen(all: &mut __m512i, odd: &mut __m512i, pair: __m512i) {
    // `all` takes even + 256 * odd; the odd sum, known apart, is taken off at the end, modulo 2^16.
    *all = _mm512_add_epi16(*all, pair);
    *odd = _mm512_add_epi16(*odd, _mm512_srli_epi16::<8>(pair));
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(line: &ByteLine) -> __m512i {
    // SAFETY: 64 bytes are read from an array of 64, which is aligned to 64.
    unsafe { _mm512_load_si512((&raw const line.0).cast()) }
}

/// [`super::portable::scan`] for `Q` queries; what the codes say is read and taken apart once.
///
/// Each index of six bits picks one of 64 bytes: one `vpermb`, which looks at no other bits, looks up 64 rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn scan<const Q: usize>(
    codes: &[ByteLine],
    ahead: &[ByteLine],
    tables: [&[ByteLine]; Q],
    sums: [&mut [u16; ROWS]; Q],
) {
    let chunks = codes.as_chunks::<CHUNK_LINES>().0;
    let ahead = if ahead.len() == codes.len() { ahead } else { codes }.as_chunks::<CHUNK_LINES>().0;
    let tables = tables.map(|tables| &tables.as_chunks::<4>().0[..chunks.len()]);
    let high = _mm512_set1_epi8(0x30);
    let middle = _mm512_set1_epi8(0x3C);
    let mut all = [_mm512_setzero_si512(); Q];
    let mut odd = [_mm512_setzero_si512(); Q];
    for (i, (chunk, next)) in chunks.iter().zip(ahead).enumerate() {
        for line in next {
            _mm_prefetch::<_MM_HINT_T1>((&raw const line.0).cast());
        }
        let [a, b, c] = [load(&chunk[0]), load(&chunk[1]), load(&chunk[2])];
        // The fourth index is in the two high bits of the three bytes; 0xCA is `first ? second : third`, bit by bit.
        let upper = _mm512_ternarylogic_epi32::<0xCA>(high, _mm512_srli_epi16::<2>(a), _mm512_srli_epi16::<4>(b));
        let d = _mm512_ternarylogic_epi32::<0xCA>(middle, upper, _mm512_srli_epi16::<6>(c));
        for q in 0..Q {
            let [t0, t1, t2, t3] = &tables[q][i];
            let one = _mm512_add_epi8(_mm512_permutexvar_epi8(a, load(t0)), _mm512_permutexvar_epi8(b, load(t1)));
            let two = _mm512_add_epi8(_mm512_permutexvar_epi8(c, load(t2)), _mm512_permutexvar_epi8(d, load(t3)));
            widen(&mut all[q], &mut odd[q], one);
            widen(&mut all[q], &mut odd[q], two);
        }
    }
    for (q, sums) in sums.into_iter().enumerate() {
        let even = _mm512_sub_epi16(all[q], _mm512_slli_epi16::<8>(odd[q]));
        // SAFETY: `sums` has 64 places of two bytes: two registers.
        unsafe {
            _mm512_storeu_si512(sums.as_mut_ptr().cast(), even);
            _mm512_storeu_si512(sums.as_mut_ptr().add(32).cast(), odd[q]);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn column(values: &[i16; ROWS], at: usize) -> __m512 {
    let lanes: &[i16; 16] = values[at..].first_chunk().unwrap_or(&[0; 16]);
    // SAFETY: sixteen values of two bytes are read from an array of sixteen.
    let wide = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
    _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(wide))
}

/// [`super::portable::survivors`]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn survivors(linear: &[(f32, &[i16; ROWS])], products: &[Product<'_>], least: f32) -> u64 {
    let mut mask = 0_u64;
    for at in (0..ROWS).step_by(16) {
        let mut bound = _mm512_setzero_ps();
        for (factor, values) in linear {
            bound = _mm512_add_ps(bound, _mm512_mul_ps(_mm512_set1_ps(*factor), column(values, at)));
        }
        for product in products {
            let lanes: &[u16; 16] = product.sums[at..].first_chunk().unwrap_or(&[0; 16]);
            // SAFETY: sixteen values of two bytes are read from an array of sixteen.
            let sums = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }));
            let scaled = _mm512_mul_ps(sums, _mm512_set1_ps(product.slope));
            let shifted = _mm512_add_ps(scaled, _mm512_set1_ps(product.offset));
            bound = _mm512_add_ps(bound, _mm512_mul_ps(shifted, column(product.column, at)));
        }
        let reach = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(bound, _mm512_set1_ps(least));
        mask |= u64::from(reach) << at;
    }
    mask
}

/// [`super::portable::dot_bytes`] for rows padded to 64; `biased` is `b + 128`, `sum` the sum of `a`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn dot_bytes(a: &[i8], biased: &[u8], sum: i32) -> i32 {
    assert!(a.len() == biased.len() && a.len().is_multiple_of(64));
    let mut totals = [_mm512_setzero_si512(); 2];
    for at in (0..a.len()).step_by(64) {
        // SAFETY: 64 bytes from `at` are within both, by the assertion above.
        let (x, y) = unsafe {
            (_mm512_loadu_si512(a.as_ptr().add(at).cast()), _mm512_loadu_si512(biased.as_ptr().add(at).cast()))
        };
        let total = &mut totals[at / 64 % 2];
        *total = _mm512_dpbusd_epi32(*total, y, x);
    }
    _mm512_reduce_add_epi32(_mm512_add_epi32(totals[0], totals[1])).wrapping_sub(sum.wrapping_mul(128))
}

/// [`super::portable::sums`]: `vpdpbusd` multiplies four unsigned bytes of a row with four signed ones of a column.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
pub(super) fn sums<const R: usize>(
    rows: [&[[u8; STEP]]; R],
    lines: &[[ByteLine; STEP_LINES]],
    offsets: &[i32; PANEL],
    sums: &mut [[i32; PANEL]; R],
) {
    let rows = rows.map(|row| &row[..lines.len()]);
    let offsets = offsets.as_chunks::<16>().0;
    // SAFETY: sixteen values of four bytes are read from an array of sixteen.
    let start = std::array::from_fn(|n| unsafe { _mm512_loadu_si512(offsets[n].as_ptr().cast()) });
    let mut totals: [[__m512i; STEP_LINES]; R] = [start; R];
    for (i, lines) in lines.iter().enumerate() {
        let lines = lines.each_ref().map(|line| load(line));
        for (row, totals) in rows.iter().zip(&mut totals) {
            let row = _mm512_set1_epi32(i32::from_ne_bytes(row[i]));
            for (total, line) in totals.iter_mut().zip(lines) {
                *total = _mm512_dpbusd_epi32(*total, row, line);
            }
        }
    }
    for (totals, sums) in totals.iter().zip(sums) {
        for (total, sums) in totals.iter().zip(sums.as_chunks_mut::<16>().0) {
            // SAFETY: sixteen values of four bytes are written to an array of sixteen.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *total) };
        }
    }
}
