//! The figures for Prometheus: the client's own, and the ledger's by tenant.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use super::routes::protocol_of;
use crate::cost::budget::BudgetStatus;
use crate::cost::money::Money;
use crate::cost::{Aggregate, Dimension, Filter};
use crate::metrics::Exposition;
use crate::store::StoreReach;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// So many tenants are told apart, those that spent most; the others are one, `other`.
const MOST_TENANTS: usize = 100;
/// So many budgets are told.
const MOST_BUDGETS: usize = 200;

/// Answers a scrape.
pub(super) async fn answer(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    match gateway.scrape(&caller).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(refusal) => refusal.into_response(protocol_of("/metrics")),
    }
}

/// A counter of the ledger: its name, what it is, and its value.
type Counter = (&'static str, &'static str, fn(&Aggregate) -> String);

const COUNTERS: [Counter; 6] = [
    ("headrace_ledger_calls_total", "Calls in the ledger.", |sum| sum.calls.to_string()),
    ("headrace_ledger_cache_hits_total", "Calls that the cache answered.", |sum| sum.cache_hits.to_string()),
    ("headrace_ledger_cost_usd_total", "What was paid, in US dollars.", |sum| sum.cost.to_string()),
    ("headrace_ledger_saved_usd_total", "What the cache saved, in US dollars.", |sum| sum.saved.to_string()),
    ("headrace_ledger_input_tokens_total", "Input tokens paid for.", |sum| sum.input_tokens.to_string()),
    ("headrace_ledger_output_tokens_total", "Output tokens paid for.", |sum| sum.output_tokens.to_string()),
];

/// A gauge of a budget.
type Gauge = (&'static str, &'static str, fn(&BudgetStatus) -> Money);

const GAUGES: [Gauge; 3] = [
    ("headrace_budget_limit_usd", "The limit of a budget, in US dollars.", |status| status.budget.limit),
    ("headrace_budget_spent_usd", "What its period's calls cost.", |status| status.taken.spent),
    ("headrace_budget_reserved_usd", "What is set aside for running calls.", |status| status.taken.reserved),
];

impl Gateway {
    async fn scrape(&self, caller: &Caller) -> Result<String, Refusal> {
        caller.check_admin()?;
        let (client, mut text) = (self.client(), Exposition::default());
        let stores = client.reach().await;
        write_stores(&stores, &mut text);
        // What a silent store knows could only be waited for in vain.
        let is_silent = |name| stores.iter().any(|(store, reach)| *store == name && reach.silent_for.is_some());
        if !is_silent("queue") {
            self.metrics().await?.write(&mut text);
        }
        if is_silent("costs") {
            return Ok(text.finish());
        }
        let rows = client.costs().summary(&[Dimension::Tenant], &Filter::default(), None).await?;
        let tenants = bounded(rows.into_iter().map(|row| (row.keys.into_iter().next().unwrap_or_default(), row.sum)));
        for (name, help, of) in COUNTERS {
            text.family(name, "counter", help);
            for (tenant, sum) in &tenants {
                text.sample(name, &[("tenant", tenant)], of(sum));
            }
        }
        let budgets = client.costs().budgets().await?;
        for (name, help, of) in GAUGES {
            text.family(name, "gauge", help);
            for status in budgets.iter().take(MOST_BUDGETS) {
                let (scope, period) = (&status.budget.scope, status.budget.period.to_string());
                let tenant = status.tenant.as_deref().or(scope.tenant.as_deref()).unwrap_or_default();
                let labels = [
                    ("tenant", tenant),
                    ("provider", scope.provider.as_deref().unwrap_or_default()),
                    ("model", scope.model.as_deref().unwrap_or_default()),
                    ("tag", scope.tag.as_deref().unwrap_or_default()),
                    ("period", &*period),
                ];
                text.sample(name, &labels, of(status));
            }
        }
        Ok(text.finish())
    }
}

/// The stores on servers; nothing where there are none.
fn write_stores(stores: &[(&'static str, StoreReach)], text: &mut Exposition) {
    if stores.is_empty() {
        return;
    }
    text.family("headrace_store_up", "gauge", "Whether the server of a store answers.");
    for (store, reach) in stores {
        text.sample("headrace_store_up", &[("store", store)], u8::from(reach.silent_for.is_none()));
    }
    text.family("headrace_store_silent_seconds", "gauge", "How long the server of a store has not answered.");
    for (store, reach) in stores {
        let silent = reach.silent_for.unwrap_or_default().as_secs_f64();
        text.sample("headrace_store_silent_seconds", &[("store", store)], silent);
    }
}

/// The tenants that spent most, and all others as one.
fn bounded(rows: impl Iterator<Item = (String, Aggregate)>) -> Vec<(String, Aggregate)> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.cost));
    if rows.len() > MOST_TENANTS {
        let mut others = Aggregate::default();
        for (_, sum) in rows.drain(MOST_TENANTS..) {
            others += &sum;
        }
        rows.push(("other".into(), others));
    }
    rows
}
