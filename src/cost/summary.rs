//! Sums by any dimensions and spans of time.

use super::CostTracker;
use super::attribution::Attribution;
use super::budget::Period;
use super::deferred::Deferred;
use super::ledger::aggregate::Aggregate;
use super::ledger::filter::Filter;
use super::record::RateCard;
use crate::{Error, Result};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// What to sum by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// The provider.
    Provider,
    /// The model.
    Model,
    /// The tenant.
    Tenant,
    /// All tags of a call together, so that each call is in one group.
    Tags,
    /// The value of the tag `key=value`; calls without it are a group of their own.
    Tag(String),
    /// Whether the price or the usage is an estimate.
    Estimated,
    /// The price list.
    PriceVersion,
    /// The zone of the electricity.
    Zone,
}

impl Dimension {
    /// Reads `provider`, `model`, `tenant`, `tags`, `tag:KEY`, `estimated`, `price_version` or `zone`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "provider" => Self::Provider,
            "model" => Self::Model,
            "tenant" => Self::Tenant,
            "tags" => Self::Tags,
            "estimated" => Self::Estimated,
            "price_version" => Self::PriceVersion,
            "zone" => Self::Zone,
            _ => match text.strip_prefix("tag:") {
                Some(key) if !key.is_empty() => Self::Tag(key.into()),
                _ => {
                    return Err(Error::invalid(format!(
                        "dimension {text:?} is unknown: give provider, model, tenant, tags, tag:KEY, estimated, \
                         price_version or zone"
                    )));
                }
            },
        })
    }

    fn of(&self, card: &RateCard, who: &Attribution) -> String {
        match self {
            Self::Provider => card.provider.clone(),
            Self::Model => card.model.clone(),
            Self::Tenant => who.tenant().to_owned(),
            Self::Tags => who.tags().join(","),
            Self::Tag(key) => who.tag_value(key).unwrap_or_default().to_owned(),
            Self::Estimated => card.estimated.any().to_string(),
            Self::PriceVersion => card.version.clone(),
            Self::Zone => card.zone.clone(),
        }
    }
}

/// One row of a summary.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryRow {
    /// The start of the span of time, in microseconds since 1970, where spans were asked for.
    pub start: Option<i64>,
    /// A value for each dimension asked for.
    pub keys: Vec<String>,
    /// The sums.
    pub sum: Aggregate,
}

impl CostTracker {
    /// Sums of the records that pass, by dimensions and spans of time, in the order of both.
    ///
    /// Every record is in exactly one group: the groups of any summary add up to the total.
    ///
    /// The answer fails with `Store` where the file cannot be read.
    pub fn summary(
        &self,
        by: &[Dimension],
        filter: &Filter,
        span: Option<(Period, TimeZone)>,
    ) -> Deferred<Vec<SummaryRow>> {
        let (spans, by) = (span.is_some(), by.to_vec());
        self.accounts.store.sums(&self.meant(filter), span).then(move |sums| {
            let sums = sums?;
            let mut groups: BTreeMap<(i64, Vec<String>), Aggregate> = BTreeMap::new();
            for (cell, sum) in &sums.cells {
                let (Some(card), Some(who)) = (sums.cards.get(&cell.card), sums.attributions.get(&cell.attribution))
                else {
                    return Err(Error::Store("the ledger changed while it was read: try again".into()));
                };
                let keys = by.iter().map(|dimension| dimension.of(card, who)).collect();
                let start = if spans { cell.start } else { 0 };
                *groups.entry((start, keys)).or_default() += sum;
            }
            let row = |((start, keys), sum)| SummaryRow { start: spans.then_some(start), keys, sum };
            Ok(groups.into_iter().map(row).collect())
        })
    }
}
