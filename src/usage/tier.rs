//! The terms on which a provider serves a call.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Terms that have prices of their own. The standard terms are no tier: `Option<ServiceTier>` is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// Answers within hours, at about half the price.
    Batch,
    /// Slower, cheaper.
    Flex,
    /// Faster, dearer.
    Priority,
    /// Anthropic's fast mode: the same model, faster and dearer.
    Fast,
}

impl ServiceTier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Batch, Self::Flex, Self::Priority, Self::Fast];

    /// Reads `batch`, `flex`, `priority` or `fast`; what means the standard terms is `None`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        Ok(Some(match text {
            "batch" | "batches" => Self::Batch,
            "flex" => Self::Flex,
            "priority" => Self::Priority,
            "fast" => Self::Fast,
            "" | "auto" | "default" | "standard" | "standard_only" | "on_demand" | "scale" => return Ok(None),
            _ => {
                return Err(Error::invalid(format!(
                    "service tier {text:?} is unknown: give batch, flex, priority, fast, or default"
                )));
            }
        }))
    }

    /// The word that `parse` reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Fast => "fast",
        }
    }
}
