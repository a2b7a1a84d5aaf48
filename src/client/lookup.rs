//! The cache on the line: what it has, and what it is given.

use super::question::Question;
use super::{ChatCall, Client, Response};
use crate::cache::{CacheHit, HitKind, InsertRequest, LookupRequest, Nearest, SemanticCache};
use crate::cost::{Attribution, CacheUse};
use crate::{Error, Result};
use std::sync::Arc;

impl Client {
    /// Whether the cache holds the answer to the very question of a call. Nothing is asked or counted, and no similar question
    /// is looked for.
    #[must_use]
    pub fn is_cached(&self, call: &ChatCall) -> bool {
        let (Some(cache), true) = (&self.inner.cache, call.cache) else { return false };
        Question::of(&call.request, &call.tenant).is_some_and(|question| {
            cache.holds(&LookupRequest {
                scope: Some(&question.scope),
                tenant: &call.tenant,
                ..LookupRequest::new(&question.prompt)
            })
        })
    }

    /// The entries of the cache nearest to a call's question, and what each judge says of them: as the call itself would
    /// find them, though nothing is asked of a provider or counted.
    ///
    /// # Errors
    /// `Config` where there is no cache, `InvalidArgument` where no user says a word; as [`SemanticCache::explain`].
    pub fn explain(&self, call: &ChatCall, limit: usize) -> Result<Nearest> {
        let Some(cache) = &self.inner.cache else {
            return Err(Error::Config("the client has no cache: nothing is looked up".into()));
        };
        let Some(question) = Question::of(&call.request, &call.tenant) else {
            return Err(Error::invalid("messages hold no text of a user: there is nothing to look up"));
        };
        let request = LookupRequest {
            scope: Some(&question.scope),
            tenant: &call.tenant,
            ..LookupRequest::new(&question.prompt)
        };
        cache.explain(&request, limit)
    }

    /// The cached answer to a question, booked as what it saved.
    pub(super) async fn cached(
        &self,
        call: &ChatCall,
        question: &Question,
        who: &Arc<Attribution>,
    ) -> Result<Option<Response>> {
        // The cache saves money; what it cannot do stops no call.
        let found = self.look_up(call, question).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache could not be asked: the call goes on");
            None
        });
        let Some(hit) = found else { return Ok(None) };
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
        // Without an embedder nothing blocks. Each question counts once, as a hit or as a miss.
        if cache.config().embedder.is_none() {
            return cache.lookup(&exact);
        }
        if let Some(hit) = cache.lookup_exact(&exact) {
            return Ok(Some(hit));
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

    /// Whether to keep an answer may take an embedder's time, or a disk's.
    pub(super) fn keeping_may_block(&self) -> bool {
        let config = self.inner.cache.as_ref().map(SemanticCache::config);
        config.is_some_and(|config| config.embedder.is_some() || !config.url.starts_with("memory:"))
    }

    /// Keeps an answer for the next caller, where it can answer again. An answer that cannot be kept is still an answer.
    pub(super) async fn keep(&self, call: &ChatCall, question: &Question, response: &Response) {
        let (Some(cache), true) = (self.inner.cache.clone(), is_kept(call, response)) else { return };
        let Some(payload) = response.to_payload() else { return };
        let (question, tenant, tags) = (question.clone(), Arc::clone(&call.tenant), call.tags.clone());
        let cost = response.cost.attodollars();
        let insert = move || {
            cache.insert(InsertRequest {
                scope: Some(&question.scope),
                tenant: &tenant,
                tags: &tags,
                cost: Some(cost),
                ..InsertRequest::new(&question.prompt, payload)
            })
        };
        let kept = if self.keeping_may_block() { blocking(insert).await } else { insert() };
        if let Err(error) = kept {
            tracing::warn!(%error, "an answer was not cached");
        }
    }
}

/// Whether an answer can answer again: it is whole, and of the form that was asked for.
fn is_kept(call: &ChatCall, response: &Response) -> bool {
    let is_of_form =
        call.request.output.is_text() || serde_json::from_str::<serde::de::IgnoredAny>(&response.text()).is_ok();
    is_of_form && response.reply.is_cacheable()
}

/// Runs what may block where it holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Error::Embedding("the embedder ended without an answer: see its log".into())))
}
