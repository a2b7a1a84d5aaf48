//! What a call is in a table: one list of columns for Arrow and CSV.

use crate::cost::CostRecord;
use crate::cost::carbon::Impact;
use crate::cost::money::Money;
use crate::cost::price::{CostLine, Kind};
use crate::usage::ServiceTier;
use std::sync::Arc;

/// A record with what its columns are worked out from.
pub(super) struct Row {
    pub(super) record: CostRecord,
    lines: Arc<[CostLine]>,
    impact: Option<Impact>,
    avoided_co2e_g: Option<f64>,
}

impl Row {
    pub(super) fn new(record: CostRecord) -> Self {
        let (lines, impact) = (record.lines(), record.impact());
        let avoided_co2e_g = record.avoided().map(|avoided| avoided.co2e_g.mean());
        Self { record, lines, impact, avoided_co2e_g }
    }

    /// What one kind of usage cost; nothing where the call had none, or the cache answered.
    pub(super) fn cost_of(&self, kind: Kind) -> Option<Money> {
        let line = self.lines.iter().find(|line| line.kind == kind)?;
        (!self.record.cache.is_hit()).then_some(line.amount)
    }
}

/// How to read one column.
pub(super) enum Column {
    Time(fn(&Row) -> i64),
    Count(fn(&Row) -> u64),
    Text(fn(&Row) -> Option<String>),
    Flag(fn(&Row) -> bool),
    Money(fn(&Row) -> Money),
    Figure(fn(&Row) -> Option<f64>),
    /// The cost of one kind of usage.
    Part(Kind),
}

macro_rules! count {
    ($field:ident) => {
        (stringify!($field), Column::Count(|row| row.record.usage.$field))
    };
}

/// The columns of every call, in order.
pub(super) fn columns() -> Vec<(&'static str, Column)> {
    use Column::{Count, Figure, Flag, Money, Part, Text, Time};
    vec![
        ("id", Count(|row| row.record.id)),
        ("time", Time(|row| row.record.time)),
        ("provider", Text(|row| Some(row.record.entry.provider.clone()))),
        ("model", Text(|row| Some(row.record.entry.model.clone()))),
        ("tenant", Text(|row| Some(row.record.attribution.tenant().to_owned()))),
        ("tags", Text(|row| Some(row.record.attribution.tags().join(";")))),
        ("service_tier", Text(|row| row.record.usage.service_tier.map(ServiceTier::as_str).map(str::to_owned))),
        count!(input_tokens),
        count!(cached_input_tokens),
        count!(cache_write_tokens),
        count!(cache_write_1h_tokens),
        count!(input_audio_tokens),
        count!(input_image_tokens),
        count!(output_tokens),
        count!(reasoning_tokens),
        count!(output_audio_tokens),
        count!(output_image_tokens),
        count!(images),
        count!(searches),
        count!(requests),
        ("cost", Money(|row| row.record.cost())),
        ("cost_input", Part(Kind::Input)),
        ("cost_cached_input", Part(Kind::CachedInput)),
        ("cost_cache_write", Part(Kind::CacheWrite)),
        ("cost_cache_write_1h", Part(Kind::CacheWrite1h)),
        ("cost_input_audio", Part(Kind::InputAudio)),
        ("cost_input_image", Part(Kind::InputImage)),
        ("cost_output", Part(Kind::Output)),
        ("cost_reasoning", Part(Kind::Reasoning)),
        ("cost_output_audio", Part(Kind::OutputAudio)),
        ("cost_output_image", Part(Kind::OutputImage)),
        ("cost_image", Part(Kind::Image)),
        ("cost_search", Part(Kind::Search)),
        ("cost_request", Part(Kind::Request)),
        ("saved", Money(|row| row.record.saved())),
        ("estimated", Flag(|row| row.record.entry.estimated)),
        ("price_version", Text(|row| Some(row.record.entry.version.clone()))),
        ("cache", Text(|row| row.record.cache.as_str().map(str::to_owned))),
        ("latency_s", Figure(|row| row.record.latency_s)),
        ("attempts", Count(|row| u64::from(row.record.attempts))),
        ("zone", Text(|row| Some(row.record.entry.zone.clone()))),
        ("energy_wh_min", Figure(|row| Some(row.impact?.energy_wh.min))),
        ("energy_wh_max", Figure(|row| Some(row.impact?.energy_wh.max))),
        ("co2e_g_min", Figure(|row| Some(row.impact?.co2e_g.min))),
        ("co2e_g_max", Figure(|row| Some(row.impact?.co2e_g.max))),
        ("water_l_min", Figure(|row| Some(row.impact?.water_l.min))),
        ("water_l_max", Figure(|row| Some(row.impact?.water_l.max))),
        ("avoided_co2e_g", Figure(|row| row.avoided_co2e_g)),
    ]
}
