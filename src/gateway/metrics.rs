//! The figures of the client for Prometheus.

use super::Gateway;
use super::caller::Caller;
use super::refusal::Refusal;
use super::routes::protocol_of;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Answers a scrape.
pub(super) async fn answer(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    match gateway.scrape(&caller).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(refusal) => refusal.into_response(protocol_of("/metrics")),
    }
}

impl Gateway {
    async fn scrape(&self, caller: &Caller) -> Result<String, Refusal> {
        caller.check_admin()?;
        let client = self.client();
        // A shared file may have to be read.
        let figures = tokio::task::spawn_blocking(move || client.metrics()).await;
        let figures = figures.unwrap_or_else(|_| Err(crate::Error::Store("there are no figures: ask again".into())))?;
        Ok(figures.to_prometheus())
    }
}
