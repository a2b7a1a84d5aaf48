//! A fixed script and the digest that a server knows it by.

/// A script: what its room's scripts share, and its own part.
pub(crate) struct RedisScript {
    text: String,
    digest: String,
}

impl RedisScript {
    /// Puts a script together from its parts. Keep it in a static: the digest is worked out here.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let text = parts.join("\n");
        let digest = redis::Script::new(&text).get_hash().to_owned();
        Self { text, digest }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }
}
