//! The figures of a client in the text format of Prometheus.

use super::names::provider_name;
use super::series::{CallSeries, TokenHistogram};
use super::snapshot::ClientMetrics;
use super::text::Exposition;
use crate::cost::money::Money;
use crate::provider::BreakerState;
use crate::queue::Priority;

/// The bounds of OpenTelemetry's conventions for durations of calls, in seconds.
pub(crate) const DURATION_BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// The bounds of OpenTelemetry's conventions for the time to the first chunk, in seconds.
pub(crate) const FIRST_CHUNK_BOUNDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// A counter of every series: its name, what it is, and its value.
type Counter = (&'static str, &'static str, fn(&CallSeries) -> String);

const COUNTERS: [Counter; 5] = [
    ("headrace_attempts_total", "Requests to providers, retries included.", |series| series.attempts.to_string()),
    ("headrace_retries_total", "Attempts beyond the first of a call.", |series| series.retries.to_string()),
    ("headrace_waited_seconds_total", "Seconds in the queue.", |series| series.waited.as_secs_f64().to_string()),
    ("headrace_cost_usd_total", "What calls cost, in US dollars.", |series| series.cost.to_string()),
    ("headrace_saved_usd_total", "What the cache saved, in US dollars.", |series| series.saved.to_string()),
];

fn labels(series: &CallSeries) -> Vec<(&'static str, &str)> {
    vec![
        ("gen_ai_operation_name", series.operation.name()),
        ("gen_ai_provider_name", provider_name(&series.provider)),
        ("gen_ai_request_model", &series.model),
        ("headrace_cache", series.cache.as_str().unwrap_or("miss")),
        ("error_type", series.error.unwrap_or_default()),
    ]
}

impl ClientMetrics {
    /// The text of a scrape.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = Exposition::default();
        self.write(&mut text);
        text.finish()
    }

    pub(crate) fn write(&self, text: &mut Exposition) {
        self.write_calls(text);
        text.family("headrace_calls_in_flight", "gauge", "Calls that run now.");
        text.sample("headrace_calls_in_flight", &[], self.in_flight);
        text.family("headrace_provider_errors_total", "counter", "Attempts that failed at a provider.");
        for failed in &self.failures {
            let labels = [("gen_ai_provider_name", provider_name(&failed.provider)), ("error_type", failed.kind)];
            text.sample("headrace_provider_errors_total", &labels, failed.count);
        }
        text.family(
            "headrace_provider_up",
            "gauge",
            "Whether calls go through to a provider: 0 while its breaker is open.",
        );
        for (provider, state) in &self.providers {
            let up = u8::from(*state != BreakerState::Open);
            text.sample("headrace_provider_up", &[("gen_ai_provider_name", provider_name(provider))], up);
        }
        self.write_queue(text);
        self.write_cache(text);
    }

    fn write_calls(&self, text: &mut Exposition) {
        let name = "gen_ai_client_operation_duration_seconds";
        text.family(name, "histogram", "GenAI operation duration.");
        for series in &self.calls {
            let up_to = bounded(&DURATION_BOUNDS, series.duration.up_to(&DURATION_BOUNDS));
            text.histogram(name, &labels(series), up_to, series.calls(), series.duration.total().as_secs_f64());
        }
        let name = "gen_ai_client_operation_time_to_first_chunk_seconds";
        text.family(name, "histogram", "Time to receive the first chunk of a stream.");
        for series in self.calls.iter().filter(|series| series.first_chunk.count() > 0) {
            let (first, up_to) = (&series.first_chunk, series.first_chunk.up_to(&FIRST_CHUNK_BOUNDS));
            let up_to = bounded(&FIRST_CHUNK_BOUNDS, up_to);
            text.histogram(name, &labels(series), up_to, first.count(), first.total().as_secs_f64());
        }
        let name = "gen_ai_client_token_usage";
        text.family(name, "histogram", "Number of input and output tokens used.");
        for series in &self.calls {
            for (kind, tokens) in [("input", &series.input_tokens), ("output", &series.output_tokens)] {
                let count = tokens.counts.iter().sum();
                if count == 0 {
                    continue;
                }
                let mut labels = labels(series);
                labels.push(("gen_ai_token_type", kind));
                text.histogram(name, &labels, running_sum(tokens), count, tokens.total);
            }
        }
        for (name, help, value) in COUNTERS {
            text.family(name, "counter", help);
            for series in &self.calls {
                text.sample(name, &labels(series), value(series));
            }
        }
    }

    fn write_queue(&self, text: &mut Exposition) {
        text.family("headrace_queue_depth", "gauge", "Requests that wait or run, by priority.");
        for priority in Priority::ALL {
            let depth = self.queue.by_priority[priority.index()];
            text.sample("headrace_queue_depth", &[("priority", priority.name())], depth);
        }
        text.family("headrace_queue_requests", "gauge", "Requests of the queue, by state.");
        for (status, count) in self.queue.by_status {
            text.sample("headrace_queue_requests", &[("status", status.name())], count);
        }
        let (name, wait) = ("headrace_queue_wait_seconds", &self.queue.wait);
        text.family(name, "summary", "How long requests were ready before their turn.");
        for (quantile, seconds) in [("0.5", wait.p50), ("0.95", wait.p95), ("0.99", wait.p99)] {
            text.sample(name, &[("quantile", quantile)], seconds);
        }
        text.sample("headrace_queue_wait_seconds_sum", &[], wait.mean * wait.count as f64);
        text.sample("headrace_queue_wait_seconds_count", &[], wait.count);
    }

    fn write_cache(&self, text: &mut Exposition) {
        let Some(cache) = &self.cache else { return };
        text.family("headrace_cache_lookups_total", "counter", "Questions to the cache, by what it had.");
        let kinds = [("exact", cache.exact_hits), ("semantic", cache.semantic_hits), ("miss", cache.misses)];
        for (kind, count) in kinds {
            text.sample("headrace_cache_lookups_total", &[("kind", kind)], count);
        }
        text.family("headrace_cache_blocked_total", "counter", "Near answers that a guard kept from serving.");
        text.sample("headrace_cache_blocked_total", &[], cache.blocked);
        text.family("headrace_cache_entries", "gauge", "Entries of the cache.");
        text.sample("headrace_cache_entries", &[], cache.entries);
        text.family("headrace_cache_bytes", "gauge", "Memory of the cache, estimated.");
        text.sample("headrace_cache_bytes", &[], cache.bytes);
        let saved = Money::from_attodollars(i128::from(cache.saved_nanodollars) * 1_000_000_000);
        text.family("headrace_cache_saved_usd_total", "counter", "What the cache's hits saved, in US dollars.");
        text.sample("headrace_cache_saved_usd_total", &[], saved);
    }
}

fn bounded(bounds: &[f64], up_to: Vec<u64>) -> impl Iterator<Item = (String, u64)> {
    bounds.iter().map(ToString::to_string).zip(up_to)
}

/// How many calls had up to each bound.
fn running_sum(tokens: &TokenHistogram) -> impl Iterator<Item = (String, u64)> {
    let counts = tokens.counts.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    TokenHistogram::BOUNDS.iter().map(ToString::to_string).zip(counts)
}
