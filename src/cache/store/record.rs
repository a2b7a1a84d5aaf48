//! An entry as a store keeps it.

use crate::Payload;
use std::sync::Arc;
use std::time::Duration;

/// An entry as a store keeps it. Cloning shares its texts.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// What tells it from every other entry.
    pub id: u64,
    /// Whose it is.
    pub tenant: Arc<str>,
    /// Canonical JSON of what must be equal.
    pub scope: Option<Arc<str>>,
    /// The question.
    pub prompt: Arc<str>,
    /// The answer.
    pub response: Payload,
    /// The question's vector, of unit length.
    pub vector: Option<Arc<[f32]>>,
    /// Names by which it can be dropped.
    pub tags: Arc<[String]>,
    /// When it was stored, since 1970, in whole milliseconds.
    pub created: Duration,
    /// When it ends, since 1970, in whole milliseconds; None is never.
    pub expires: Option<Duration>,
    /// What the answer cost, in attodollars.
    pub cost: Option<i128>,
    /// Whether it was reported to answer wrongly.
    pub is_rejected: bool,
}
