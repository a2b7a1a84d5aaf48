//! Stand-in until the module moves here.
pub use crate::cost::usage::*;
use serde::{Deserialize, Serialize};

/// What a provider told of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Told {
    /// What was used.
    pub usage: Usage,
    /// Whether it was estimated, since nobody told it.
    pub estimated: bool,
    /// What the provider says it cost, in dollars, as an exact decimal.
    pub cost: Option<String>,
}
