//! A ledger with records, budgets and a reservation.

use crate::{Facts, START, url};
use headrace::clock::ManualClock;
use headrace::cost::budget::{Budget, Period, Scope};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostTracker, Filter};
use headrace::usage::Usage;
use headrace::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Nothing is: a ledger that is damaged is not opened.
pub const LOST: &str = "lost";
const MODELS: [&str; 2] = ["openai/gpt-4", "deepseek/deepseek-v3"];

fn open(file: &Path, at: Duration) -> Result<CostTracker> {
    CostTracker::with_clock(&url(file), PriceTable::builtin(), Arc::new(ManualClock::new(at)))
}

pub fn make(file: &Path) {
    let costs = open(file, START).unwrap();
    for (tenant, period) in [(None, "ever"), (Some("*"), "day"), (Some("tenant 1"), "rolling 6h")] {
        let limit = Money::from_attodollars(1_000_000_000_000_000_000_000);
        let scope = Scope { tenant: tenant.map(str::to_owned), ..Scope::default() };
        let budget = Budget { scope, period: Period::parse(period).unwrap(), ..Budget::new(limit).unwrap() };
        costs.set_budget(budget, vec![], None).wait().unwrap();
    }
    for number in 0..24_u64 {
        let who = Arc::new(Attribution::new(format!("tenant {}", number % 3), ["tag"]).unwrap());
        let usage = Usage { input_tokens: 1000 + number, output_tokens: 100, ..Usage::default() };
        let time = START.saturating_sub(Duration::from_mins(30 * number)).as_micros() as i64;
        let told_cost = number.is_multiple_of(5).then(|| Money::from_attodollars(i128::from(number) << 50));
        let call = Call { time: Some(time), told_cost, ..Call::new(MODELS[number as usize % 2], &usage) };
        costs.record(call, &who).wait().unwrap();
    }
    let who = Arc::new(Attribution::new("tenant 1", ["tag"]).unwrap());
    // As a process that dies: it is still held when the file is opened.
    std::mem::forget(costs.reserve(MODELS[0], &Usage::new(1000, 1000), &who, Duration::from_hours(1)).wait().unwrap());
    drop(costs);
    assert!(headrace::store::sqlite::close_all(Duration::from_mins(1)));
}

pub fn look(file: &Path) -> Result<Facts> {
    let costs = open(file, START + Duration::from_mins(10))?;
    let mut facts = Facts::new();
    facts.insert("total".into(), costs.total(&Filter::default()).wait()?.to_string());
    for (number, budget) in costs.budgets().wait()?.into_iter().enumerate() {
        facts.insert(format!("budget {number}"), format!("{budget:?}"));
    }
    for record in costs.records(&Filter::default(), None, false).wait()? {
        facts.insert(format!("record {}", record.id), format!("{record:?}"));
    }
    let who = Arc::new(Attribution::new("tenant 2", ["tag"]).unwrap());
    if costs.record(Call::new(MODELS[0], &Usage::new(1000, 0)), &who).wait()?.id == 0 {
        return Err(Error::Store("kept for later".into()));
    }
    facts.insert("total after one more".into(), costs.total(&Filter::default()).wait()?.to_string());
    Ok(facts)
}
