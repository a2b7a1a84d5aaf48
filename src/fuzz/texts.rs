//! Texts that people and programs write: prices, configuration, traces, amounts, addresses, records, questions.

use crate::cache::guard::Guards;
use crate::cost::budget::{Fraction, Period};
use crate::cost::money::Money;
use crate::cost::price::PriceTable;
use crate::cost::{Attribution, Call, CostRecord, CostTracker};
use crate::gateway::KeyTerms;
use crate::gateway::config::FileConfig;
use crate::load::arrival::Trace;
use crate::queue::RequestId;
use crate::store::Location;
use crate::usage::{Usage, UsageReport};
use std::sync::{Arc, OnceLock};

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

/// Usage in a reply, and what it costs.
pub(super) fn usage(bytes: &[u8]) {
    static COSTS: OnceLock<CostTracker> = OnceLock::new();
    let costs = COSTS.get_or_init(|| CostTracker::open("memory://", PriceTable::builtin()).unwrap());
    let _ = Usage::from_text(text(bytes));
    if let Ok(report) = UsageReport::from_text(text(bytes)) {
        let _ = costs.quote(Call::reported("openai/gpt-4o", &report), &Attribution::default().into());
    }
}

/// Prices, and what a call costs by them.
pub(super) fn prices(bytes: &[u8]) {
    let Ok(prices) = PriceTable::from_toml(text(bytes)) else { return };
    let names = prices.names();
    let costs = CostTracker::open("memory://", prices).unwrap();
    let who = Arc::new(Attribution::default());
    for name in names.iter().take(4) {
        for usage in [Usage::new(1, 1), Usage::new(u64::MAX / 2, u64::MAX / 2)] {
            let _ = costs.quote(Call::new(name, &usage), &who);
        }
    }
}

/// A configuration is the same written and read again.
pub(super) fn config(bytes: &[u8]) {
    let Ok(config) = FileConfig::read(text(bytes), "headrace.toml") else { return };
    let again: FileConfig = serde_json::from_value(config.to_json()).unwrap();
    assert_eq!(again, config);
}

/// A trace has at least one request, and takes no negative time.
pub(super) fn trace(bytes: &[u8]) {
    if let Ok(trace) = Trace::parse(text(bytes)) {
        assert!(!trace.is_empty());
        let _ = trace.length();
    }
}

/// A record is the same written and read again.
pub(super) fn cost_record(bytes: &[u8]) {
    let Ok(record) = CostRecord::from_json(text(bytes)) else { return };
    let _ = (record.cost(), record.saved(), record.impact(), record.avoided(), record.lines());
    let written = record.to_json().unwrap();
    let again = CostRecord::from_json(&written).unwrap();
    assert_eq!(again.to_json().unwrap(), written);
}

/// The terms of an access key.
pub(super) fn access_key(bytes: &[u8]) {
    let _ = KeyTerms::from_json(text(bytes));
}

/// The address of a store.
pub(super) fn location(bytes: &[u8]) {
    let _ = Location::parse(text(bytes));
}

/// Amounts, spans of time, shares and ids are the same written and read again.
pub(super) fn amounts(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(money) = text.parse::<Money>() {
        assert_eq!(money.to_string().parse::<Money>().ok(), Some(money));
    }
    let _ = Money::nearest(text);
    if let Ok(period) = Period::parse(text) {
        assert_eq!(Period::parse(&period.to_string()).ok(), Some(period));
    }
    if let Ok(fraction) = text.parse::<Fraction>() {
        assert_eq!(fraction.to_string().parse::<Fraction>().ok(), Some(fraction));
    }
    if let Ok(id) = text.parse::<RequestId>() {
        assert_eq!(id.to_string().parse::<RequestId>().ok(), Some(id));
    }
}

/// How long a provider asks to wait.
pub(super) fn retry_after(bytes: &[u8]) {
    let _ = crate::provider::waits_of(text(bytes));
}

/// Two questions, one a line: they are taken apart and compared both ways.
pub(super) fn questions(bytes: &[u8]) {
    static GUARDS: OnceLock<Guards> = OnceLock::new();
    let guards = GUARDS.get_or_init(Guards::standard);
    let (asked, stored) = text(bytes).split_once('\n').unwrap_or((text(bytes), ""));
    let (asked, stored) = (guards.signature(asked), guards.signature(stored));
    let _ = (guards.compare(&asked, &stored), guards.compare(&stored, &asked), asked.describe());
}
