//! The ledger as comma-separated values, a row a call; money with every digit.

use super::{line, time, whole_file};
use crate::Result;
use crate::cost::carbon::Range;
use crate::cost::{CostRecord, CostTracker, Filter};
use std::path::Path;

const COLUMNS: [&str; 23] = [
    "id",
    "time",
    "provider",
    "model",
    "tenant",
    "tags",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "saved_usd",
    "estimated",
    "price_version",
    "cache",
    "latency_s",
    "attempts",
    "energy_wh_min",
    "energy_wh_max",
    "co2e_g_min",
    "co2e_g_max",
    "water_l_min",
    "water_l_max",
];

impl CostTracker {
    /// Writes the records that pass to a file; how many there were.
    ///
    /// # Errors
    /// `Store` where the file cannot be written or the ledger not be read.
    pub fn to_csv(&self, path: &Path, filter: &Filter) -> Result<usize> {
        let mut count = 0;
        whole_file(path, |file| {
            line(file, &COLUMNS.map(str::to_owned))?;
            self.each_record(filter, false, |record| {
                count += 1;
                line(file, &row(&record))?;
                Ok(true)
            })
        })?;
        Ok(count)
    }
}

fn row(record: &CostRecord) -> Vec<String> {
    let (entry, usage, impact) = (&record.entry, &record.usage, record.impact());
    let end = |pick: fn(Range) -> f64, of: fn(crate::cost::carbon::Impact) -> Range| {
        impact.map_or_else(String::new, |impact| pick(of(impact)).to_string())
    };
    let (min, max): (fn(Range) -> f64, fn(Range) -> f64) = (|range| range.min, |range| range.max);
    vec![
        record.id.to_string(),
        time(record.time),
        entry.provider.clone(),
        entry.model.clone(),
        record.attribution.tenant().to_owned(),
        record.attribution.tags().join(";"),
        usage.input_tokens.to_string(),
        usage.cached_input_tokens.to_string(),
        usage.output_tokens.to_string(),
        usage.reasoning_tokens.to_string(),
        record.cost().to_string(),
        record.saved().to_string(),
        entry.estimated.to_string(),
        entry.version.clone(),
        record.cache.as_str().unwrap_or_default().to_owned(),
        record.latency_s.map_or_else(String::new, |seconds| seconds.to_string()),
        record.attempts.to_string(),
        end(min, |impact| impact.energy_wh),
        end(max, |impact| impact.energy_wh),
        end(min, |impact| impact.co2e_g),
        end(max, |impact| impact.co2e_g),
        end(min, |impact| impact.water_l),
        end(max, |impact| impact.water_l),
    ]
}
