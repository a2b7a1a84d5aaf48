//! The figures for Prometheus, in its text format.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use super::routes::protocol_of;
use crate::cost::{Dimension, Filter};
use crate::provider::BreakerState;
use crate::queue::Priority;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::fmt::{Display, Write};

/// Answers a scrape.
pub(super) async fn answer(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    match gateway.scrape(&caller).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(refusal) => refusal.into_response(protocol_of("/metrics")),
    }
}

/// The text of a scrape, a family after the other.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

impl Gateway {
    async fn scrape(&self, caller: &Caller) -> Result<String, Refusal> {
        caller.check_admin()?;
        let (client, mut page) = (self.client(), Page::default());
        let by = [Dimension::Tenant, Dimension::Provider, Dimension::Model];
        let rows = client.costs().summary(&by, &Filter::default(), None).await?;
        let families: [(&str, &str, fn(&crate::cost::Aggregate) -> String); 6] = [
            ("headrace_calls_total", "Calls in the ledger.", |sum| sum.calls.to_string()),
            ("headrace_cache_hits_total", "Calls that the cache answered.", |sum| sum.cache_hits.to_string()),
            ("headrace_cost_usd_total", "What was paid, in US dollars.", |sum| sum.cost.to_string()),
            ("headrace_saved_usd_total", "What the cache saved, in US dollars.", |sum| sum.saved.to_string()),
            ("headrace_input_tokens_total", "Input tokens paid for.", |sum| sum.input_tokens.to_string()),
            ("headrace_output_tokens_total", "Output tokens paid for.", |sum| sum.output_tokens.to_string()),
        ];
        for (name, help, of) in families {
            page.family(name, "counter", help);
            for row in &rows {
                let labels = [("tenant", &*row.keys[0]), ("provider", &*row.keys[1]), ("model", &*row.keys[2])];
                page.sample(name, &labels, of(&row.sum));
            }
        }
        let queue = client.queue().clone();
        let stats = tokio::task::spawn_blocking(move || queue.stats()).await;
        let stats = stats.unwrap_or_else(|_| Err(crate::Error::Store("the queue gave no answer: ask again".into())))?;
        page.family("headrace_queue_open", "gauge", "Requests that wait or run, by priority.");
        for priority in Priority::ALL {
            page.sample("headrace_queue_open", &[("priority", priority.name())], stats.by_priority[priority.index()]);
        }
        page.family("headrace_queue_wait_seconds", "summary", "How long requests waited for their turn.");
        for (quantile, seconds) in [("0.5", stats.wait.p50), ("0.95", stats.wait.p95), ("0.99", stats.wait.p99)] {
            page.sample("headrace_queue_wait_seconds", &[("quantile", quantile)], seconds);
        }
        page.sample("headrace_queue_wait_seconds_sum", &[], stats.wait.mean * stats.wait.count as f64);
        page.sample("headrace_queue_wait_seconds_count", &[], stats.wait.count);
        if let Some(cache) = client.cache() {
            page.family("headrace_cache_entries", "gauge", "Entries of the cache.");
            page.sample("headrace_cache_entries", &[], cache.len());
        }
        page.family("headrace_provider_up", "gauge", "Whether calls go through to a provider.");
        for (provider, state) in client.health() {
            let up = u8::from(state != BreakerState::Open);
            page.sample("headrace_provider_up", &[("provider", provider)], up);
        }
        Ok(page.0)
    }
}
