//! All that the page at `/` shows, in one answer.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use super::state::{of_cache, of_queue, told};
use crate::Error;
use crate::cost::budget::Scope;
use crate::cost::{Aggregate, Filter};
use crate::metrics::ClientMetrics;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

/// Spend, budgets and carbon: of all for an administrator, who sees queue, cache and calls too, else of the caller's tenant.
pub(super) async fn answer(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    told(gateway.overview(&caller).await)
}

impl Gateway {
    async fn overview(&self, caller: &Caller) -> Result<Value, Refusal> {
        let (costs, carbon) = (self.spend(caller).await?, self.carbon(caller).await?);
        if !caller.sees_all() {
            return Ok(json!({"costs": costs, "carbon": carbon, "queue": null, "cache": null, "metrics": null}));
        }
        let metrics = self.metrics().await?;
        Ok(json!({
            "costs": costs,
            "carbon": carbon,
            "queue": of_queue(&metrics.queue),
            "cache": metrics.cache.as_ref().map(of_cache),
            "metrics": metrics.to_json(),
        }))
    }

    /// The figures of the client. A shared file may have to be read, which blocks.
    pub(super) async fn metrics(&self) -> Result<ClientMetrics, Error> {
        let client = self.client();
        let read = tokio::task::spawn_blocking(move || client.metrics()).await;
        read.unwrap_or_else(|_| Err(Error::Store("the queue gave no answer: ask again".into())))
    }

    async fn carbon(&self, caller: &Caller) -> Result<Value, Refusal> {
        let filter = Filter { scope: Scope { tenant: caller.only_tenant(), ..Scope::default() }, ..Filter::default() };
        let rows = self.client().costs().summary(&[], &filter, None).await?;
        let sum = rows.into_iter().fold(Aggregate::default(), |mut sum, row| {
            sum += &row.sum;
            sum
        });
        Ok(json!({
            "energy_wh": sum.energy_wh.mean(),
            "co2e_g": sum.co2e_g.mean(),
            "avoided_co2e_g": sum.avoided_co2e_g.mean(),
        }))
    }
}
