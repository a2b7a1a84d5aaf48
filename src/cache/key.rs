//! Keys: what must be equal, byte for byte, for an entry to be seen at all.
//!
//! A key is the BLAKE3 digest of its fields, each with its length in front, so that no two different
//! lists of fields have the same bytes: `("ab", "c")` is not `("a", "bc")`, and no scope is not an empty scope.

use crate::{Error, Result};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Names an entry: the digest of tenant, scope and prompt.
///
/// ```
/// use headrace::cache::EntryKey;
/// let key = EntryKey::of("default", None, "What is scope 2?");
/// assert_eq!(EntryKey::parse(&key.to_string()).unwrap(), key);
/// assert_ne!(key, EntryKey::of("other", None, "What is scope 2?"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntryKey([u8; 32]);

/// Names a partition: the digest of tenant and scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartitionKey([u8; 32]);

/// Both keys hash as their first eight bytes: a digest needs no second digest.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

/// For maps whose keys are digests or counters.
pub(crate) type DigestState = BuildHasherDefault<DigestHasher>;

impl EntryKey {
    /// The key of a prompt; `scope` is canonical JSON.
    #[must_use]
    pub fn of(tenant: &str, scope: Option<&str>, prompt: &str) -> Self {
        Self(digest(b'e', tenant, scope, Some(prompt)))
    }

    /// Reads the 64 hexadecimal digits that `Display` writes.
    ///
    /// # Errors
    /// `InvalidArgument` where the text is anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| {
            Error::invalid(format!("{text:?} is no entry key: give the 64 hexadecimal digits that put returned"))
        })?;
        Ok(Self(*hash.as_bytes()))
    }

    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartitionKey {
    pub(crate) fn of(tenant: &str, scope: Option<&str>) -> Self {
        Self(digest(b'p', tenant, scope, None))
    }
}

fn digest(kind: u8, tenant: &str, scope: Option<&str>, prompt: Option<&str>) -> [u8; 32] {
    // Enough for a usual prompt: one pass over contiguous bytes is faster than updates of a few bytes each.
    const INLINE: usize = 512;
    let length = 1 + 3 * 9 + tenant.len() + scope.map_or(0, str::len) + prompt.map_or(0, str::len);
    if length <= INLINE {
        let mut buffer = [0_u8; INLINE];
        let mut end = 0;
        encode(kind, tenant, scope, prompt, |bytes| {
            buffer[end..end + bytes.len()].copy_from_slice(bytes);
            end += bytes.len();
        });
        return *blake3::hash(&buffer[..end]).as_bytes();
    }
    let mut hasher = blake3::Hasher::new();
    encode(kind, tenant, scope, prompt, |bytes| {
        hasher.update(bytes);
    });
    *hasher.finalize().as_bytes()
}

fn encode(kind: u8, tenant: &str, scope: Option<&str>, prompt: Option<&str>, mut sink: impl FnMut(&[u8])) {
    sink(&[kind]);
    for field in [Some(tenant), scope, prompt] {
        match field {
            None => sink(&[0]),
            Some(text) => {
                let mut head = [1_u8; 9];
                head[1..].copy_from_slice(&(text.len() as u64).to_le_bytes());
                sink(&head);
                sink(text.as_bytes());
            }
        }
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryKey({self})")
    }
}

impl Hash for EntryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl Hash for PartitionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut word = [0; 8];
        let taken = bytes.len().min(8);
        word[..taken].copy_from_slice(&bytes[..taken]);
        self.0 = u64::from_le_bytes(word);
    }

    fn write_u64(&mut self, number: u64) {
        // Counters differ in their low bits only; the maps look at the high ones too (Knuth's multiplier).
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let same = [("ab", Some("c"), "d"), ("a", Some("bc"), "d"), ("a", Some("b"), "cd"), ("ab", None, "cd")];
        for (i, a) in same.iter().enumerate() {
            for b in &same[i + 1..] {
                assert_ne!(EntryKey::of(a.0, a.1, a.2), EntryKey::of(b.0, b.1, b.2));
            }
        }
        assert_ne!(EntryKey::of("t", None, "p"), EntryKey::of("t", Some(""), "p"));
    }

    proptest! {
        #[test]
        fn the_two_ways_to_hash_agree(tenant in ".{0,40}", scope in proptest::option::of(".{0,400}"), prompt in ".{0,400}") {
            let mut hasher = blake3::Hasher::new();
            encode(b'e', &tenant, scope.as_deref(), Some(&prompt), |bytes| { hasher.update(bytes); });
            let key = EntryKey::of(&tenant, scope.as_deref(), &prompt);
            let streamed = hasher.finalize();
            prop_assert_eq!(key.as_bytes(), streamed.as_bytes());
        }

        #[test]
        fn different_fields_have_different_keys(a in ("[ab]{0,3}", proptest::option::of("[ab]{0,3}"), "[ab]{0,3}"),
                                                b in ("[ab]{0,3}", proptest::option::of("[ab]{0,3}"), "[ab]{0,3}")) {
            let (x, y) = (EntryKey::of(&a.0, a.1.as_deref(), &a.2), EntryKey::of(&b.0, b.1.as_deref(), &b.2));
            prop_assert_eq!(x == y, a == b);
        }
    }
}
