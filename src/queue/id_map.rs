//! A map by request id.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Ids are counted up, so that they are their own hash once their bits are spread.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // The multiplier of Fibonacci hashing, 2^64 over the golden ratio (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

pub(super) type IdMap<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;
