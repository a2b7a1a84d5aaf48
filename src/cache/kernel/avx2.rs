//! The path that needs its own instructions on processors with AVX2.

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
