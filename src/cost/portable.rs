//! A record as JSON, so that it can be sent to another process.

use super::attribution::Attribution;
use super::carbon::Footprint;
use super::money::Money;
use super::price::{CostLine, Rates};
use super::record::{CacheUse, CostRecord, Estimated, RateCard};
use crate::usage::Usage;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Portable<'a> {
    id: u64,
    time: i64,
    provider: Cow<'a, str>,
    model: Cow<'a, str>,
    estimated: u8,
    version: Cow<'a, str>,
    zone: Cow<'a, str>,
    footprint: Option<Footprint>,
    tenant: Cow<'a, str>,
    tags: Cow<'a, [String]>,
    usage: Usage,
    amount: Money,
    told_cost: Option<Money>,
    #[serde(default)]
    saved_by_route: Option<Money>,
    lines: Vec<CostLine>,
    cache: u8,
    latency_s: Option<f64>,
    attempts: u32,
}

impl CostRecord {
    /// The record as JSON, with all that it says.
    ///
    /// # Errors
    /// `Store` where a figure cannot be written.
    pub fn to_json(&self) -> Result<String> {
        let card = &*self.card;
        let portable = Portable {
            id: self.id,
            time: self.time,
            provider: Cow::Borrowed(&card.provider),
            model: Cow::Borrowed(&card.model),
            estimated: card.estimated.number(),
            version: Cow::Borrowed(&card.version),
            zone: Cow::Borrowed(&card.zone),
            footprint: card.footprint.clone(),
            tenant: Cow::Borrowed(self.attribution.tenant()),
            tags: Cow::Borrowed(self.attribution.tags()),
            usage: self.usage,
            amount: self.amount,
            told_cost: self.told_cost,
            saved_by_route: self.saved_by_route,
            lines: self.lines().to_vec(),
            cache: self.cache.number(),
            latency_s: self.latency_s,
            attempts: self.attempts,
        };
        serde_json::to_string(&portable).map_err(|error| Error::Store(format!("a record cannot be written: {error}")))
    }

    /// Reads what [`CostRecord::to_json`] wrote.
    ///
    /// # Errors
    /// `InvalidArgument` where the text is something else.
    pub fn from_json(text: &str) -> Result<Self> {
        let read: Portable<'_> = serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("the text is no record of a cost: {error}")))?;
        Ok(Self {
            id: read.id,
            time: read.time,
            card: Arc::new(RateCard {
                number: 0,
                provider: read.provider.into_owned(),
                model: read.model.into_owned(),
                estimated: Estimated::from_number(read.estimated),
                version: read.version.into_owned(),
                zone: read.zone.into_owned(),
                footprint: read.footprint,
                rates: Rates::default(),
            }),
            attribution: Arc::new(Attribution::new(read.tenant, read.tags.into_owned())?),
            usage: read.usage,
            amount: read.amount,
            told_cost: read.told_cost,
            saved_by_route: read.saved_by_route,
            written_lines: Some(read.lines.into()),
            cache: CacheUse::from_number(read.cache),
            latency_s: read.latency_s,
            attempts: read.attempts,
        })
    }
}
