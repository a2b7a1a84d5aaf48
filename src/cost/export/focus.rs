//! The ledger in the `FinOps` Open Cost and Usage Specification (FOCUS 1.2), a row for each kind of usage of a call.
//!
//! Columns and their rules: <https://focus.finops.org/focus-specification/v1-2/>. Ours begin with `x_`, as the specification
//! asks: energy, carbon and water of a call stand on its first row only, so that sums are right. What a company buys from a
//! provider is Scope 3, category 1 (purchased goods and services) of the GHG Protocol's Corporate Value Chain Standard.

use super::{line, whole_file};
use crate::Result;
use crate::cost::budget::Period;
use crate::cost::carbon::{Impact, Range};
use crate::cost::money::Money;
use crate::cost::price::{CostLine, UsageKind};
use crate::cost::{CostRecord, CostTracker, Estimated, Filter};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

const SECOND: i64 = 1_000_000;
const GHG: &str = "Scope 3 Category 1: Purchased goods and services";

/// What one row tells: a kind of usage of a call.
struct Charge {
    record: Arc<CostRecord>,
    part: CostLine,
    /// On a call's first row.
    impact: Option<Impact>,
    /// The same.
    told_cost: Option<Money>,
}

type Cell = fn(&Charge) -> String;

/// Every column and what stands in it, in the order of the specification, then ours.
const COLUMNS: &[(&str, Cell)] = &[
    ("BilledCost", |charge| charge.part.amount.to_string()),
    ("BillingAccountId", Charge::provider),
    ("BillingAccountName", Charge::provider),
    ("BillingCurrency", |_| "USD".into()),
    ("BillingPeriodEnd", |charge| time(Period::Month.end(charge.record.time, &TimeZone::UTC).unwrap_or_default())),
    ("BillingPeriodStart", |charge| time(Period::Month.bucket(charge.record.time, &TimeZone::UTC))),
    ("ChargeCategory", |_| "Usage".into()),
    ("ChargeClass", |_| String::new()),
    ("ChargeDescription", Charge::description),
    ("ChargeFrequency", |_| "Usage-Based".into()),
    ("ChargePeriodEnd", |charge| time(charge.end())),
    ("ChargePeriodStart", |charge| time(charge.start())),
    ("ConsumedQuantity", |charge| charge.part.quantity.to_string()),
    ("ConsumedUnit", Charge::unit),
    ("ContractedCost", |charge| charge.part.amount.to_string()),
    ("ContractedUnitPrice", |charge| charge.part.unit_price.to_string()),
    ("EffectiveCost", |charge| charge.part.amount.to_string()),
    ("InvoiceId", |_| String::new()),
    ("InvoiceIssuerName", Charge::provider),
    ("ListCost", |charge| charge.part.amount.to_string()),
    ("ListUnitPrice", |charge| charge.part.unit_price.to_string()),
    ("PricingCategory", |_| "Standard".into()),
    ("PricingCurrency", |_| "USD".into()),
    ("PricingCurrencyContractedUnitPrice", |charge| charge.part.unit_price.to_string()),
    ("PricingCurrencyEffectiveCost", |charge| charge.part.amount.to_string()),
    ("PricingCurrencyListUnitPrice", |charge| charge.part.unit_price.to_string()),
    ("PricingQuantity", |charge| charge.part.quantity.to_string()),
    ("PricingUnit", Charge::unit),
    ("ProviderName", Charge::provider),
    ("PublisherName", Charge::provider),
    ("ResourceId", Charge::sku),
    ("ResourceName", |charge| charge.record.card.model.clone()),
    ("ResourceType", |_| "Model".into()),
    ("ServiceCategory", |_| "AI and Machine Learning".into()),
    ("ServiceName", Charge::provider),
    ("ServiceSubcategory", |_| "Generative AI".into()),
    ("SkuId", |charge| format!("{}#{}", charge.sku(), charge.part.kind.as_str())),
    ("SkuMeter", |charge| charge.part.kind.as_str().replace('_', " ")),
    ("SkuPriceDetails", Charge::details),
    ("SkuPriceId", Charge::price_id),
    ("SubAccountId", |charge| charge.record.attribution.tenant().into()),
    ("SubAccountName", |charge| charge.record.attribution.tenant().into()),
    ("Tags", |charge| Value::Object(tags(&charge.record)).to_string()),
    ("x_CallId", |charge| charge.record.id.to_string()),
    ("x_PriceVersion", |charge| charge.record.card.version.clone()),
    ("x_PriceEstimated", |charge| charge.record.card.estimated.price.to_string()),
    ("x_UsageEstimated", |charge| charge.record.card.estimated.usage.to_string()),
    ("x_ToldCost", Charge::told_cost),
    ("x_EnergyWhMin", |charge| charge.figure(|impact| impact.energy_wh, |range| range.min)),
    ("x_EnergyWhMax", |charge| charge.figure(|impact| impact.energy_wh, |range| range.max)),
    ("x_Co2eGramsMin", |charge| charge.figure(|impact| impact.co2e_g, |range| range.min)),
    ("x_Co2eGramsMax", |charge| charge.figure(|impact| impact.co2e_g, |range| range.max)),
    ("x_WaterLitresMin", |charge| charge.figure(|impact| impact.water_l, |range| range.min)),
    ("x_WaterLitresMax", |charge| charge.figure(|impact| impact.water_l, |range| range.max)),
    ("x_ElectricityZone", |charge| charge.record.card.zone.clone()),
    ("x_GhgProtocol", |_| GHG.into()),
];

impl CostTracker {
    /// Writes the paid calls that pass in the FOCUS format; how many rows there were.
    ///
    /// # Errors
    /// `Store` where the file cannot be written or the ledger not be read.
    pub fn export_focus(&self, path: &Path, filter: &Filter) -> Result<usize> {
        let mut count = 0;
        whole_file(path, |file| {
            line(file, COLUMNS.iter().map(|(name, _)| (*name).to_owned()))?;
            self.each_record(filter, |record| {
                if record.cache.is_hit() {
                    return Ok(true);
                }
                let (mut impact, mut told_cost, record) = (record.impact(), record.told_cost, Arc::new(record));
                for part in parts(&record) {
                    let charge = Charge {
                        record: Arc::clone(&record),
                        part,
                        impact: impact.take(),
                        told_cost: told_cost.take(),
                    };
                    count += 1;
                    line(file, COLUMNS.iter().map(|(_, cell)| cell(&charge)))?;
                }
                Ok(true)
            })
        })?;
        Ok(count)
    }
}

/// The kinds of usage that were charged for; of a call that cost nothing the request, so that no call is left out.
fn parts(record: &CostRecord) -> Vec<CostLine> {
    let lines = record.lines();
    if !lines.is_empty() {
        return lines.to_vec();
    }
    let quantity = record.usage.requests;
    vec![CostLine { kind: UsageKind::Request, quantity, unit_price: Money::ZERO, amount: Money::ZERO }]
}

impl Charge {
    fn provider(&self) -> String {
        self.record.card.provider.clone()
    }

    fn sku(&self) -> String {
        format!("{}/{}", self.record.card.provider, self.record.card.model)
    }

    fn description(&self) -> String {
        let guess = match self.record.card.estimated {
            Estimated { price: true, usage: true } => " (price and usage estimated)",
            Estimated { price: true, .. } => " (price estimated)",
            Estimated { usage: true, .. } => " (usage estimated)",
            Estimated { .. } => "",
        };
        format!("{} of {}{guess}", self.part.kind.as_str(), self.sku())
    }

    fn told_cost(&self) -> String {
        self.told_cost.map_or_else(String::new, |amount| amount.to_string())
    }

    fn tier(&self) -> &'static str {
        self.record.usage.service_tier.map_or("standard", crate::usage::ServiceTier::as_str)
    }

    /// Another price is another id.
    fn price_id(&self) -> String {
        format!("{}#{}@{}={}", self.sku(), self.part.kind.as_str(), self.tier(), self.part.unit_price)
    }

    fn details(&self) -> String {
        json!({"ServiceTier": self.tier(), "UsageKind": self.part.kind.as_str()}).to_string()
    }

    fn unit(&self) -> String {
        match self.part.kind {
            UsageKind::Image => "Images",
            UsageKind::Search => "Searches",
            UsageKind::Request => "Requests",
            _ => "Tokens",
        }
        .into()
    }

    /// The specification writes times to the second: a call takes all seconds that it touches.
    fn start(&self) -> i64 {
        self.record.time.div_euclid(SECOND) * SECOND
    }

    fn end(&self) -> i64 {
        let took = self.record.latency_s.map_or(0, |seconds| (seconds * 1e6) as i64);
        let end = self.record.time.saturating_add(took);
        end.div_euclid(SECOND).saturating_mul(SECOND).saturating_add(SECOND)
    }

    fn figure(&self, pick: fn(Impact) -> Range, end: fn(Range) -> f64) -> String {
        self.impact.map_or_else(String::new, |impact| end(pick(impact)).to_string())
    }
}

/// To the second.
fn time(micros: i64) -> String {
    Timestamp::from_second(micros.div_euclid(SECOND)).unwrap_or_default().to_string()
}

/// `key=value` tags as they are, others with the value `true`.
fn tags(record: &CostRecord) -> Map<String, Value> {
    let pair = |tag: &String| match tag.split_once('=') {
        Some((key, value)) => (key.to_owned(), Value::from(value)),
        None => (tag.clone(), Value::Bool(true)),
    };
    record.attribution.tags().iter().map(pair).collect()
}
