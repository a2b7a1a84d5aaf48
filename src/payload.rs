//! A value on its way through: JSON or bytes, given back as it came in.

use std::sync::Arc;

/// A JSON document or raw bytes. Cloning shares the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON text in UTF-8.
    Json(Arc<[u8]>),
    /// Bytes that headrace does not look into.
    Bytes(Arc<[u8]>),
}

impl Payload {
    /// Raw bytes, copied.
    ///
    /// ```
    /// assert_eq!(headrace::Payload::bytes("scope 1").len(), 7);
    /// ```
    #[must_use]
    pub fn bytes(content: impl AsRef<[u8]>) -> Self {
        Self::Bytes(content.as_ref().into())
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
        Self::Json(value.to_string().into_bytes().into())
    }
}
