//! The cache on the line: what it has, and what it is given.

use super::question::Question;
use super::{ChatCall, Client, Response};
use crate::cache::{CacheHit, HitKind, InsertRequest, LookupRequest};
use crate::cost::{Attribution, CacheUse};
use crate::{Error, Result};
use std::sync::Arc;

impl Client {
    /// The cached answer to a question, booked as what it saved.
    pub(super) async fn cached(
        &self,
        call: &ChatCall,
        question: &Question,
        who: &Arc<Attribution>,
    ) -> Result<Option<Response>> {
        let Some(hit) = self.look_up(call, question).await? else { return Ok(None) };
        let (cache, similarity) = match hit.kind() {
            HitKind::Exact => (CacheUse::Exact, None),
            HitKind::Semantic => (CacheUse::Semantic, Some(hit.similarity())),
        };
        // Something that no client put there, or an older version: a miss, and the new answer takes its place.
        let Some(kept) = Response::from_payload(hit.response()) else { return Ok(None) };
        self.serve(kept.served(cache, similarity), who).await.map(Some)
    }

    /// Books an answer that cost nothing.
    pub(super) async fn serve(&self, response: Response, who: &Arc<Attribution>) -> Result<Response> {
        let record = self.inner.costs.record(response.cached_call(), who).await;
        Ok(match record {
            Ok(record) => response.booked(&record),
            Err(error) => {
                tracing::warn!(%error, "what the cache saved was not recorded");
                response
            }
        })
    }

    /// What the cache has. The embedder may be slow, or Python: it runs where blocking is allowed.
    async fn look_up(&self, call: &ChatCall, question: &Question) -> Result<Option<CacheHit>> {
        let Some(cache) = self.inner.cache.clone() else { return Ok(None) };
        let exact = LookupRequest {
            scope: Some(&question.scope),
            tenant: &call.tenant,
            ..LookupRequest::new(&question.prompt)
        };
        if let Some(hit) = cache.lookup_exact(&exact) {
            return Ok(Some(hit));
        }
        if cache.config().embedder.is_none() {
            return Ok(None);
        }
        let (question, tenant) = (question.clone(), Arc::clone(&call.tenant));
        let found = blocking(move || {
            cache.lookup(&LookupRequest {
                scope: Some(&question.scope),
                tenant: &tenant,
                ..LookupRequest::new(&question.prompt)
            })
        });
        found.await
    }

    /// Keeps an answer for the next caller, where it can answer again. An answer that cannot be kept is still an answer.
    pub(super) async fn keep(&self, call: &ChatCall, question: &Question, response: &Response) {
        let (Some(cache), true) = (self.inner.cache.clone(), response.reply.is_cacheable()) else { return };
        let Some(payload) = response.to_payload() else { return };
        let (question, tenant, tags) = (question.clone(), Arc::clone(&call.tenant), call.tags.clone());
        let cost = response.cost.attodollars();
        let may_block = cache.config().embedder.is_some() || !cache.config().url.starts_with("memory:");
        let insert = move || {
            cache.insert(InsertRequest {
                scope: Some(&question.scope),
                tenant: &tenant,
                tags: &tags,
                cost: Some(cost),
                ..InsertRequest::new(&question.prompt, payload)
            })
        };
        let kept = if may_block { blocking(insert).await } else { insert() };
        if let Err(error) = kept {
            tracing::warn!(%error, "an answer was not cached");
        }
    }
}

/// Runs what may block where it holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Error::Embedding("the embedder ended without an answer: see its log".into())))
}
