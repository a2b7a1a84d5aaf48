//! What comes back from a client, and how it lies in the cache.

use crate::Payload;
use crate::cost::money::Money;
use crate::cost::{CacheUse, CostRecord};
use crate::usage::Usage;
use serde_json::{Value, json};
use std::time::Duration;

/// An answer, with where it came from and what it cost.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The text of the first choice.
    pub text: String,
    /// What it used; of a cached answer, what it used when it was made.
    pub usage: Usage,
    /// What it cost now: nothing from the cache.
    pub cost: Money,
    /// What the cache saved.
    pub saved: Money,
    /// Whether the price was estimated.
    pub estimated: bool,
    /// Where it came from.
    pub cache: CacheUse,
    /// How near the cached question is, for an answer by similarity.
    pub similarity: Option<f32>,
    /// Who made it.
    pub provider: String,
    /// The model that made it, as `provider/model`.
    pub model: String,
    /// How often a provider was asked.
    pub attempts: u32,
    /// How long it waited for its turn.
    pub waited: Duration,
    /// The provider's whole reply.
    pub raw: Value,
}

/// Vectors for texts, with what they cost.
#[derive(Debug, Clone)]
pub struct Embeddings {
    /// A vector a text, in their order.
    pub vectors: Vec<Vec<f32>>,
    /// What they used.
    pub usage: Usage,
    /// What they cost.
    pub cost: Money,
}

impl Reply {
    /// The figures of a ledger record.
    pub(super) fn booked(mut self, record: &CostRecord) -> Self {
        self.cost = record.cost();
        self.saved = record.saved();
        self.estimated = record.is_estimated();
        self
    }

    /// As it is kept for the next who asks.
    pub(super) fn to_payload(&self) -> Payload {
        Payload::from(&json!({
            "text": self.text,
            "usage": self.usage,
            "provider": self.provider,
            "model": self.model,
            "raw": self.raw,
        }))
    }

    /// What was kept; None where somebody else put something else there.
    pub(super) fn from_payload(payload: &Payload) -> Option<Self> {
        let mut kept: Value = serde_json::from_slice(payload.as_bytes()).ok()?;
        let text = |name: &str| kept.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            text: text("text")?,
            provider: text("provider")?,
            model: text("model")?,
            usage: serde_json::from_value(kept.get("usage")?.clone()).ok()?,
            cost: Money::ZERO,
            saved: Money::ZERO,
            estimated: false,
            cache: CacheUse::Miss,
            similarity: None,
            attempts: 0,
            waited: Duration::ZERO,
            raw: kept.get_mut("raw").map(Value::take).unwrap_or_default(),
        })
    }
}
