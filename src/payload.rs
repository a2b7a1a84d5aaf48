//! A value on its way through: JSON or bytes, given back as it came in.

use bytes::Bytes;

/// A JSON document or raw bytes. Cloning shares the memory, which may be somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON text in UTF-8.
    Json(Bytes),
    /// Bytes that headrace does not look into.
    Bytes(Bytes),
}

impl Payload {
    /// Raw bytes, copied.
    ///
    /// ```
    /// assert_eq!(headrace::Payload::bytes("scope 1").len(), 7);
    /// ```
    #[must_use]
    pub fn bytes(content: impl AsRef<[u8]>) -> Self {
        Self::Bytes(Bytes::copy_from_slice(content.as_ref()))
    }

    /// The size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there is not a single byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoded form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(bytes) | Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<&serde_json::Value> for Payload {
    fn from(value: &serde_json::Value) -> Self {
        Self::Json(value.to_string().into())
    }
}
