//! Why a model stopped.

use serde::{Deserialize, Serialize};

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// By itself: the answer is whole.
    End,
    /// It had said as much as it may.
    Length,
    /// It waits for tools.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// It declined.
    Refusal,
    /// The caller left.
    Cancelled,
    /// It failed.
    Error,
    /// A word that is not known.
    Unknown(String),
}

impl Stop {
    /// Whether the answer is whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::End
    }
}
