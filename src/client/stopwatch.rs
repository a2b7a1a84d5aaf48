//! The measure of one call, from its start to its end: counted once, whatever became of it.

use super::{ChatCall, Client, Embeddings, Response};
use crate::cost::CacheUse;
use crate::cost::money::Money;
use crate::metrics::{FinishedCall, Operation};
use crate::{Error, Result};
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a call is counted as whose caller left.
const CANCELLED: &str = "cancelled";

/// Runs from the start of a call. Dropped before its end, the call was cancelled.
pub(super) struct Stopwatch {
    client: Client,
    operation: Operation,
    /// What was asked for, as `provider/model`.
    model: String,
    tenant: Arc<str>,
    parent: Option<Arc<str>>,
    started: Instant,
    first_chunk: Option<Duration>,
    is_over: Cell<bool>,
}

impl Client {
    pub(super) fn stopwatch(&self, operation: Operation, call: &ChatCall) -> Stopwatch {
        self.inner.tally.begin();
        Stopwatch {
            client: self.clone(),
            operation,
            model: call.request.model.clone(),
            tenant: Arc::clone(&call.tenant),
            parent: call.parent.clone(),
            started: Instant::now(),
            first_chunk: None,
            is_over: Cell::new(false),
        }
    }
}

impl Stopwatch {
    /// The first word of a stream is there.
    pub(super) fn first_chunk(&mut self) {
        self.first_chunk = Some(self.started.elapsed());
    }

    /// A chat is over.
    pub(super) fn end(self, result: &Result<Response>) {
        let response = match result {
            Ok(response) => response,
            Err(error) => return self.fail(error),
        };
        self.finish(&FinishedCall {
            provider: &response.provider,
            model: Some(bare(&response.model)),
            cache: response.cache,
            reply: Some(&response.reply),
            waited: response.waited,
            attempts: response.attempts,
            usage: (!response.cache.is_hit()).then_some(&response.usage),
            cost: response.cost,
            saved: response.saved,
            ..self.blank(None)
        });
    }

    /// Vectors were asked for, and the call is over.
    pub(super) fn end_embedding(self, result: &Result<Embeddings>) {
        let made = match result {
            Ok(made) => made,
            Err(error) => return self.fail(error),
        };
        let (provider, model) = made.model.split_once('/').unwrap_or(("headrace", &made.model));
        self.finish(&FinishedCall {
            provider,
            model: Some(model),
            attempts: made.attempts,
            usage: Some(&made.usage),
            cost: made.cost,
            ..self.blank(None)
        });
    }

    /// The call failed.
    pub(super) fn fail(self, error: &Error) {
        self.give_up(error.kind());
    }

    /// Counts a call without an answer, under the model that was asked for, where that is known.
    fn give_up(&self, kind: &'static str) {
        let (provider, model) = match self.client.route(&self.model) {
            Ok((guarded, bare)) => (guarded.provider().name(), Some(bare)),
            Err(_) => ("headrace", None),
        };
        self.finish(&FinishedCall { provider, model, ..self.blank(Some(kind)) });
    }

    fn blank(&self, error: Option<&'static str>) -> FinishedCall<'_> {
        FinishedCall {
            operation: self.operation,
            provider: "headrace",
            model: None,
            cache: CacheUse::Miss,
            error,
            duration: self.started.elapsed(),
            first_chunk: self.first_chunk,
            waited: Duration::ZERO,
            attempts: 0,
            reply: None,
            tenant: &self.tenant,
            parent: self.parent.as_ref(),
            usage: None,
            cost: Money::ZERO,
            saved: Money::ZERO,
        }
    }

    fn finish(&self, call: &FinishedCall<'_>) {
        self.is_over.set(true);
        self.client.inner.tally.finish(call);
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        if !self.is_over.get() {
            self.give_up(CANCELLED);
        }
    }
}

fn bare(model: &str) -> &str {
    model.split_once('/').map_or(model, |(_, bare)| bare)
}
