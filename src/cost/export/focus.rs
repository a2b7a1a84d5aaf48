//! The ledger in the `FinOps` Open Cost and Usage Specification (FOCUS 1.2), a row for each kind of usage of a call.
//!
//! Columns and their rules: <https://focus.finops.org/focus-specification/v1-2/>. Ours begin with `x_`, as the specification
//! asks: energy and carbon of a call stand on its first row only, so that sums are right. What a company buys from a provider
//! is Scope 3, category 1 (purchased goods and services) of the GHG Protocol's Corporate Value Chain Standard.

use super::{line, time, whole_file};
use crate::cost::budget::Period;
use crate::cost::carbon::Range;
use crate::cost::price::CostLine;
use crate::cost::{CostRecord, CostTracker, Filter};
use crate::{Error, Result};
use jiff::tz::TimeZone;
use std::path::Path;

const COLUMNS: [&str; 41] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_EnergyWhMin",
    "x_EnergyWhMax",
    "x_Co2eGramsMin",
    "x_Co2eGramsMax",
    "x_GhgProtocol",
];
const GHG: &str = "Scope 3 Category 1: Purchased goods and services";

impl CostTracker {
    /// Writes the paid calls that pass in the FOCUS format; how many rows there were.
    ///
    /// # Errors
    /// `Store` where the file cannot be written or the ledger not be read.
    pub fn export_focus(&self, path: &Path, filter: &Filter) -> Result<usize> {
        let mut count = 0;
        whole_file(path, |file| {
            line(file, &COLUMNS.map(str::to_owned))?;
            self.each_record(filter, false, |record| {
                if record.cache.is_hit() {
                    return Ok(true);
                }
                for (place, part) in record.lines().iter().enumerate() {
                    count += 1;
                    line(file, &row(&record, part, place == 0)?)?;
                }
                Ok(true)
            })
        })?;
        Ok(count)
    }
}

fn row(record: &CostRecord, part: &CostLine, first: bool) -> Result<Vec<String>> {
    let (entry, kind) = (&record.entry, part.kind.as_str());
    let start = Period::Month.bucket(record.time, &TimeZone::UTC);
    let end = Period::Month.end(record.time, &TimeZone::UTC).unwrap_or(record.time);
    let until = record.time + record.latency_s.map_or(0, |seconds| (seconds * 1e6) as i64).max(1_000_000);
    let (amount, price) = (part.amount.to_string(), part.unit_price.to_string());
    let (sku, unit) = (format!("{}/{}", entry.provider, entry.model), unit(kind).to_owned());
    let impact = record.impact().filter(|_| first);
    let figure = |pick: fn(crate::cost::carbon::Impact) -> Range, high: bool| {
        let range = impact.map(pick);
        range.map_or_else(String::new, |range| if high { range.max } else { range.min }.to_string())
    };
    let tenant = record.attribution.tenant().to_owned();
    let sku_price = format!("{sku}#{kind}@{}", entry.version);
    Ok(vec![
        amount.clone(),
        entry.provider.clone(),
        entry.provider.clone(),
        "USD".into(),
        time(end),
        time(start),
        "Usage".into(),
        String::new(),
        format!("{kind} of {sku}{}", if entry.estimated { " (price estimated)" } else { "" }),
        "Usage-Based".into(),
        time(until),
        time(record.time),
        part.quantity.to_string(),
        unit.clone(),
        amount.clone(),
        price.clone(),
        amount.clone(),
        entry.provider.clone(),
        amount,
        price,
        "Standard".into(),
        "USD".into(),
        part.quantity.to_string(),
        unit,
        entry.provider.clone(),
        entry.provider.clone(),
        sku.clone(),
        entry.model.clone(),
        "AI and Machine Learning".into(),
        entry.provider.clone(),
        "Generative AI".into(),
        format!("{sku}#{kind}"),
        sku_price,
        tenant.clone(),
        tenant,
        tags(record)?,
        figure(|impact| impact.energy_wh, false),
        figure(|impact| impact.energy_wh, true),
        figure(|impact| impact.co2e_g, false),
        figure(|impact| impact.co2e_g, true),
        GHG.into(),
    ])
}

fn unit(kind: &str) -> &'static str {
    match kind {
        "image" => "Images",
        "search" => "Searches",
        "request" => "Requests",
        _ => "Tokens",
    }
}

/// A JSON object: `key=value` tags as they are, others with the value `true`.
fn tags(record: &CostRecord) -> Result<String> {
    let pair = |tag: &String| match tag.split_once('=') {
        Some((key, value)) => (key.to_owned(), serde_json::Value::from(value)),
        None => (tag.clone(), serde_json::Value::Bool(true)),
    };
    let object: serde_json::Map<_, _> = record.attribution.tags().iter().map(pair).collect();
    serde_json::to_string(&object).map_err(|error| Error::Store(format!("tags cannot be written: {error}")))
}
