//! What a call is in a table: one list of columns for Arrow and CSV.

use crate::cost::CostRecord;
use crate::cost::carbon::Impact;
use crate::cost::money::Money;
use crate::cost::price::{CostLine, UsageKind};
use crate::usage::ServiceTier;
use std::sync::Arc;

/// A record with what its columns are worked out from.
pub(super) struct ExportRow {
    pub(super) record: CostRecord,
    lines: Arc<[CostLine]>,
    impact: Option<Impact>,
    avoided_co2e_g: Option<f64>,
}

impl ExportRow {
    pub(super) fn new(record: CostRecord) -> Self {
        let (lines, impact) = (record.lines(), record.impact());
        let avoided_co2e_g = record.avoided().map(|avoided| avoided.co2e_g.mean());
        Self { record, lines, impact, avoided_co2e_g }
    }

    /// What one kind of usage cost; nothing where the call had none, or the cache answered.
    pub(super) fn cost_of(&self, kind: UsageKind) -> Option<Money> {
        let line = self.lines.iter().find(|line| line.kind == kind)?;
        (!self.record.cache.is_hit()).then_some(line.amount)
    }
}

/// How to read one column.
pub(super) enum Column {
    Time(fn(&ExportRow) -> i64),
    Count(fn(&ExportRow) -> u64),
    Text(fn(&ExportRow) -> Option<String>),
    Flag(fn(&ExportRow) -> bool),
    Money(fn(&ExportRow) -> Option<Money>),
    Figure(fn(&ExportRow) -> Option<f64>),
    /// The cost of one kind of usage.
    Part(UsageKind),
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
        ("provider", Text(|row| Some(row.record.card.provider.clone()))),
        ("model", Text(|row| Some(row.record.card.model.clone()))),
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
        ("cost", Money(|row| Some(row.record.cost()))),
        ("told_cost", Money(|row| row.record.told_cost)),
        ("cost_input", Part(UsageKind::Input)),
        ("cost_cached_input", Part(UsageKind::CachedInput)),
        ("cost_cache_write", Part(UsageKind::CacheWrite)),
        ("cost_cache_write_1h", Part(UsageKind::CacheWrite1h)),
        ("cost_input_audio", Part(UsageKind::InputAudio)),
        ("cost_input_image", Part(UsageKind::InputImage)),
        ("cost_output", Part(UsageKind::Output)),
        ("cost_reasoning", Part(UsageKind::Reasoning)),
        ("cost_output_audio", Part(UsageKind::OutputAudio)),
        ("cost_output_image", Part(UsageKind::OutputImage)),
        ("cost_image", Part(UsageKind::Image)),
        ("cost_search", Part(UsageKind::Search)),
        ("cost_request", Part(UsageKind::Request)),
        ("saved", Money(|row| Some(row.record.saved()))),
        ("estimated", Flag(|row| row.record.is_estimated())),
        ("price_version", Text(|row| Some(row.record.card.version.clone()))),
        ("cache", Text(|row| row.record.cache.as_str().map(str::to_owned))),
        ("latency_s", Figure(|row| row.record.latency_s)),
        ("attempts", Count(|row| u64::from(row.record.attempts))),
        ("zone", Text(|row| Some(row.record.card.zone.clone()))),
        ("energy_wh_min", Figure(|row| Some(row.impact?.energy_wh.min))),
        ("energy_wh_max", Figure(|row| Some(row.impact?.energy_wh.max))),
        ("co2e_g_min", Figure(|row| Some(row.impact?.co2e_g.min))),
        ("co2e_g_max", Figure(|row| Some(row.impact?.co2e_g.max))),
        ("water_l_min", Figure(|row| Some(row.impact?.water_l.min))),
        ("water_l_max", Figure(|row| Some(row.impact?.water_l.max))),
        ("avoided_co2e_g", Figure(|row| row.avoided_co2e_g)),
    ]
}
