//! Keys of tenants: random, shown once, kept as a digest, compared in constant time.

mod file;
mod held;
mod ring;
mod terms;

pub use ring::KeyRing;
pub use terms::KeyTerms;

pub(super) use held::{HeldKey, Pass};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use subtle::ConstantTimeEq;

/// How every key begins, so that scanners for secrets find one that leaked.
const PREFIX: &str = "hr_";

/// A key as it is kept: nobody can make the key from it.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessKey {
    /// What it is called by in lists, and in the ledger.
    pub id: String,
    /// What it may do.
    pub terms: KeyTerms,
    /// When it was made, in microseconds since 1970.
    pub created: i64,
    /// When it was revoked, in microseconds since 1970.
    pub revoked: Option<i64>,
    digest: [u8; 32],
}

impl AccessKey {
    /// Makes a key of 256 random bits: what is kept, and the key itself, which is shown once.
    ///
    /// ```
    /// use headrace::gateway::{AccessKey, KeyTerms};
    /// let (kept, key) = AccessKey::generate(KeyTerms::of("reporting"), 0);
    /// assert!(key.starts_with("hr_") && kept.is(&key) && !kept.is("hr_other"));
    /// assert!(!format!("{kept:?}").contains(&key));
    /// ```
    #[must_use]
    pub fn generate(terms: KeyTerms, created: i64) -> (Self, String) {
        let mut random = rand::rng();
        let id = format!("{:08x}", random.random::<u32>());
        let key = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(random.random::<[u8; 32]>()));
        let digest = digest_of(&key);
        (Self { id, terms, created, revoked: None, digest }, key)
    }

    /// Whether this is the key, in a time that does not depend on how nearly it is.
    #[must_use]
    pub fn is(&self, key: &str) -> bool {
        self.digest.ct_eq(&digest_of(key)).into()
    }
}

/// The digest of a key. Its 256 random bits cannot be guessed, so that a fast digest keeps them as well as a slow one.
fn digest_of(key: &str) -> [u8; 32] {
    blake3::derive_key("headrace 2026 access key", key.as_bytes())
}

/// The id inside a key, which says which digest to compare; it is no secret.
fn id_in(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)?.split_once('_').map(|(id, _)| id)
}
