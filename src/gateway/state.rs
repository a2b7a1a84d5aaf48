//! What the endpoint says of itself: health, spend, queue, cache.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use super::routes::protocol_of;
use crate::cache::CacheStats;
use crate::cost::budget::{BudgetStatus, Scope};
use crate::cost::money::Money;
use crate::cost::{Dimension, Filter};
use crate::metrics::DurationSummary;
use crate::queue::QueueStats;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

/// Whether the process runs.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// What is done while a store's server does not answer, and whether calls are let in all the same.
const MEANWHILE: [(&str, bool, &str); 3] = [
    ("queue", false, "calls get no turn and fail"),
    ("costs", false, "no call that costs money is let in; what was paid waits in memory, to be booked later"),
    ("cache", true, "what is known here is served for 45 s at most; then lookups miss, and answers are not kept"),
];

/// No more than this: no key is asked for, and the fault may name what is nobody else's business.
const STALE: &str = "\nconfiguration: the file has changed and has a fault, which the log tells: it goes on as before";

/// Whether it takes work, and which of its stores' servers do not answer.
pub(super) async fn readyz(State(gateway): State<Gateway>) -> (StatusCode, String) {
    if gateway.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping".into());
    }
    let (mut is_open, mut silent) = (true, String::new());
    if gateway.is_stale() {
        silent.push_str(STALE);
    }
    for (store, reach) in gateway.client().reach().await {
        let Some(silence) = reach.silent_for else { continue };
        let meanwhile = MEANWHILE.iter().find(|(name, ..)| *name == store);
        let (lets_in, what) = meanwhile.map_or((false, "calls fail"), |(_, lets_in, what)| (*lets_in, *what));
        is_open &= lets_in;
        let seconds = silence.as_secs_f64();
        silent.push_str(&format!("\n{store}: {}:// has not answered for {seconds:.1} s: {what}", reach.scheme));
    }
    let (status, word) =
        if is_open { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (status, format!("{word}{silent}"))
}

/// What was spent and saved: all of it for an administrator, else what the caller's tenant spent.
pub(super) async fn costs(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    told(gateway.spend(&caller).await)
}

/// What waits and runs, and how long that takes.
pub(super) async fn queue(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    told(gateway.queue_state(&caller).await)
}

/// What the cache holds and did.
pub(super) async fn cache(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    told(caller.check_admin().map(|()| match gateway.client().cache() {
        Some(cache) => of_cache(&cache.stats()),
        None => json!({"enabled": false}),
    }))
}

pub(super) fn told(found: Result<Value, Refusal>) -> Response {
    found.map_or_else(|refusal| refusal.into_response(protocol_of("")), |body| Json(body).into_response())
}

impl Gateway {
    pub(super) async fn spend(&self, caller: &Caller) -> Result<Value, Refusal> {
        let client = self.client();
        let tenant = caller.only_tenant();
        let filter = Filter { scope: Scope { tenant: tenant.clone(), ..Scope::default() }, ..Filter::default() };
        let by = [Dimension::Tenant, Dimension::Provider, Dimension::Model];
        let rows = client.costs().summary(&by, &filter, None).await?;
        let sum = |of: fn(&crate::cost::Aggregate) -> Money| rows.iter().map(|row| of(&row.sum)).sum::<Money>();
        let (cost, saved) = (sum(|sum| sum.cost), sum(|sum| sum.saved));
        let budgets = client.costs().budgets().await?;
        let mine = |status: &&BudgetStatus| tenant.is_none() || is_of(status, tenant.as_deref());
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let sum = &row.sum;
                json!({
                    "tenant": row.keys[0], "provider": row.keys[1], "model": row.keys[2],
                    "calls": sum.calls, "cache_hits": sum.cache_hits, "estimated": sum.estimated,
                    "input_tokens": sum.input_tokens, "output_tokens": sum.output_tokens,
                    "cost_usd": sum.cost.to_string(), "saved_usd": sum.saved.to_string(),
                })
            })
            .collect();
        let budgets: Vec<_> = budgets.iter().filter(mine).map(of_budget).collect();
        Ok(json!({"cost_usd": cost.to_string(), "saved_usd": saved.to_string(), "by": rows, "budgets": budgets}))
    }

    async fn queue_state(&self, caller: &Caller) -> Result<Value, Refusal> {
        caller.check_admin()?;
        let queue = self.client().queue().clone();
        // A shared file may have to be read.
        let stats = tokio::task::spawn_blocking(move || queue.stats()).await;
        let stats = stats.unwrap_or_else(|_| Err(crate::Error::Store("the queue gave no answer: ask again".into())))?;
        Ok(of_queue(&stats))
    }
}

fn is_of(status: &BudgetStatus, tenant: Option<&str>) -> bool {
    status.tenant.as_deref().or(status.budget.scope.tenant.as_deref()) == tenant
}

fn of_budget(status: &BudgetStatus) -> Value {
    let scope = &status.budget.scope;
    json!({
        "limit_usd": status.budget.limit.to_string(),
        "period": status.budget.period.to_string(),
        "tenant": status.tenant.as_deref().or(scope.tenant.as_deref()),
        "provider": scope.provider, "model": scope.model, "tag": scope.tag,
        "spent_usd": status.taken.spent.to_string(),
        "reserved_usd": status.taken.reserved.to_string(),
        "remaining_usd": status.remaining().to_string(),
    })
}

pub(super) fn of_queue(stats: &QueueStats) -> Value {
    let by_status: Map<_, _> =
        stats.by_status.iter().map(|(status, count)| (status.name().to_owned(), (*count).into())).collect();
    let by_priority: Map<_, _> = crate::queue::Priority::ALL
        .iter()
        .map(|priority| (priority.name().to_owned(), stats.by_priority[priority.index()].into()))
        .collect();
    let by_tenant: Map<_, _> =
        stats.by_tenant.iter().map(|(tenant, count)| (tenant.to_string(), (*count).into())).collect();
    json!({
        "by_status": by_status, "by_priority": by_priority, "by_tenant": by_tenant,
        "put": stats.put, "acked": stats.acked, "retried": stats.retried, "expired": stats.expired,
        "paused": stats.paused, "closed": stats.closed,
        "wait_seconds": of_durations(&stats.wait), "run_seconds": of_durations(&stats.run),
    })
}

fn of_durations(summary: &DurationSummary) -> Value {
    json!({"count": summary.count, "mean": summary.mean, "p50": summary.p50, "p95": summary.p95, "p99": summary.p99,
        "max": summary.max})
}

pub(super) fn of_cache(stats: &CacheStats) -> Value {
    json!({
        "enabled": true, "entries": stats.entries, "bytes": stats.bytes,
        "exact_hits": stats.exact_hits, "semantic_hits": stats.semantic_hits, "misses": stats.misses,
        "blocked": stats.blocked, "inserts": stats.inserts, "evictions": stats.evictions,
        "expirations": stats.expirations,
        "saved_usd": Money::from_attodollars(i128::from(stats.saved_nanodollars) * 1_000_000_000).to_string(),
    })
}
