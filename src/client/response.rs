//! What comes back from a client, and how it lies in the cache.

use crate::Payload;
use crate::chat::Reply;
use crate::cost::money::Money;
use crate::cost::{CacheUse, Call, CostRecord};
use crate::usage::{Usage, UsageReport};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A reply, with where it came from and what it cost.
#[derive(Debug, Clone)]
pub struct Response {
    /// The reply.
    pub reply: Arc<Reply>,
    /// What it used; of a cached answer, what it used when it was made.
    pub usage: Usage,
    /// What it cost now: nothing from the cache.
    pub cost: Money,
    /// What the cache saved, or the choice of a route.
    pub saved: Money,
    /// Whether usage or price were estimated.
    pub estimated: bool,
    /// Where it came from.
    pub cache: CacheUse,
    /// How near the cached question is, for an answer by similarity.
    pub similarity: Option<f32>,
    /// The provider that made it.
    pub provider: String,
    /// The model that made it, as `provider/model`.
    pub model: String,
    /// How often a provider was asked.
    pub attempts: u32,
    /// How long it waited for its turn.
    pub waited: Duration,
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
    /// The model that made them, as `provider/model`.
    pub model: String,
    /// How often a provider was asked.
    pub attempts: u32,
}

/// A reply as it lies in the cache.
#[derive(Serialize, Deserialize)]
struct Kept<R> {
    reply: R,
    usage: Usage,
    estimated: bool,
    provider: String,
    model: String,
}

impl Response {
    /// The words of the first choice.
    #[must_use]
    pub fn text(&self) -> String {
        self.reply.text()
    }

    /// What a provider replied, before it is booked.
    pub(super) fn first(reply: Reply, told: &UsageReport, provider: &str, model: &str) -> Self {
        Self {
            usage: told.usage,
            cost: Money::ZERO,
            saved: Money::ZERO,
            estimated: told.is_estimated,
            cache: CacheUse::Miss,
            similarity: None,
            provider: provider.to_owned(),
            model: model.to_owned(),
            attempts: 1,
            waited: Duration::ZERO,
            reply: Arc::new(reply),
        }
    }

    /// With the figures of a ledger record.
    pub(super) fn booked(mut self, record: &CostRecord) -> Self {
        self.cost = record.cost();
        self.saved = record.saved();
        self.estimated |= record.is_estimated();
        self
    }

    /// As the cache serves it.
    pub(super) fn served(self, cache: CacheUse, similarity: Option<f32>) -> Self {
        Self { cache, similarity, attempts: 0, waited: Duration::ZERO, cost: Money::ZERO, ..self }
    }

    /// The ledger's view of an answer that cost nothing.
    pub(super) fn cached_call(&self) -> Call<'_> {
        Call {
            cache: self.cache,
            attempts: 0,
            is_usage_estimated: self.estimated,
            ..Call::new(&self.model, &self.usage)
        }
    }

    /// As it is kept for the next caller; None where it cannot be written.
    pub(super) fn to_payload(&self) -> Option<Payload> {
        let kept = Kept {
            reply: &*self.reply,
            usage: self.usage,
            estimated: self.estimated,
            provider: self.provider.clone(),
            model: self.model.clone(),
        };
        serde_json::to_vec(&kept).ok().map(|text| Payload::Json(text.into()))
    }

    /// What was kept; None where it is no reply of a client's.
    pub(super) fn from_payload(payload: &Payload) -> Option<Self> {
        let kept: Kept<Reply> = serde_json::from_slice(payload.as_bytes()).ok()?;
        Some(Self {
            reply: Arc::new(kept.reply),
            usage: kept.usage,
            cost: Money::ZERO,
            saved: Money::ZERO,
            estimated: kept.estimated,
            cache: CacheUse::Miss,
            similarity: None,
            provider: kept.provider,
            model: kept.model,
            attempts: 0,
            waited: Duration::ZERO,
        })
    }
}
