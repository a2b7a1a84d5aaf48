//! The figures as JSON: for the binding, and for the page of the endpoint.

use super::durations::{DurationHistogram, DurationSummary};
use super::feed::CallTrace;
use super::names::provider_name;
use super::series::CallSeries;
use super::snapshot::ClientMetrics;
use crate::provider::BreakerState;
use serde_json::{Map, Value, json};
use std::time::UNIX_EPOCH;

impl ClientMetrics {
    /// The figures of the calls and of the providers; queue and cache tell their own.
    ///
    /// Amounts are texts in US dollars, durations seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let states = self.providers.iter().map(|(name, state)| (name.clone(), Value::from(state.name())));
        let mut failures = Map::new();
        for failed in &self.failures {
            let of_provider = failures.entry(failed.provider.clone()).or_insert_with(|| json!({}));
            of_provider[failed.kind] = failed.count.into();
        }
        json!({
            "calls": self.calls.iter().map(CallSeries::to_json).collect::<Vec<_>>(),
            "in_flight": self.in_flight,
            "failures": failures,
            "providers": states.collect::<Map<_, _>>(),
        })
    }
}

impl CallSeries {
    fn to_json(&self) -> Value {
        json!({
            "operation": self.operation.name(),
            "provider": self.provider,
            "model": self.model,
            "cache": self.cache.as_str(),
            "error": self.error,
            "calls": self.calls(),
            "attempts": self.attempts,
            "retries": self.retries,
            "waited": self.waited.as_secs_f64(),
            "duration": durations(&self.duration),
            "first_chunk": durations(&self.first_chunk),
            "input_tokens": self.input_tokens.total,
            "output_tokens": self.output_tokens.total,
            "cost": self.cost.to_string(),
            "saved": self.saved.to_string(),
        })
    }
}

fn durations(histogram: &DurationHistogram) -> Value {
    histogram.summary().to_json()
}

impl DurationSummary {
    /// In seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "count": self.count, "mean": self.mean, "p50": self.p50, "p90": self.p90, "p95": self.p95,
            "p99": self.p99, "max": self.max,
        })
    }
}

impl BreakerState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

impl CallTrace {
    /// With the name of the provider as OpenTelemetry's conventions have it; times are in nanoseconds since 1970.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let since = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = |length: std::time::Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        json!({
            "operation": self.operation.name(),
            "provider": provider_name(&self.provider),
            "model": self.model,
            "response_model": self.response_model,
            "response_id": self.response_id,
            "finish_reasons": self.finish_reasons,
            "tenant": &*self.tenant,
            "parent": self.parent.as_deref(),
            "cache": self.cache.as_str(),
            "error": self.error,
            "start_ns": nanos(since),
            "end_ns": nanos(since.saturating_add(self.duration)),
            "duration": self.duration.as_secs_f64(),
            "first_chunk": self.first_chunk.map(|length| length.as_secs_f64()),
            "waited": self.waited.as_secs_f64(),
            "attempts": self.attempts,
            "input_tokens": self.usage.map(|usage| usage.input_tokens),
            "output_tokens": self.usage.map(|usage| usage.output_tokens),
            "cost": self.cost.to_string(),
            "saved": self.saved.to_string(),
        })
    }
}
