//! A call on its way down the line.

use super::answer::{Embeddings, Reply};
use super::call::ChatCall;
use super::turn::{Outcome, Turn};
use super::{Client, estimate};
use crate::cache::{CacheHit, EntryKey, HitKind, InsertRequest, Joined, LookupRequest};
use crate::cost::money::Money;
use crate::cost::tokens;
use crate::cost::{Attribution, CacheUse, Call, DEFAULT_LEASE, Reservation, Settlement as Booking};
use crate::provider::{ChatResponse, Resilient};
use crate::queue::PutOptions;
use crate::usage::{Usage, UsageReport};
use crate::{Error, ProviderErrorKind, Result};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Client {
    /// Answers a call: from the cache, or from a provider within the budgets and in its turn.
    ///
    /// # Errors
    /// `UnknownModel`, `InvalidArgument`, `BudgetExceeded`, `Provider`, `Timeout`, `QueueClosed`, `Store`.
    pub async fn chat(&self, call: ChatCall) -> Result<Reply> {
        within(call.timeout, self.chat_or_wait(call)).await
    }

    async fn chat_or_wait(&self, call: ChatCall) -> Result<Reply> {
        let (_, bare) = self.route(&call.model)?;
        call.request(bare).validate()?;
        let who = Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?);
        if !call.cache || self.inner.cache.is_none() {
            return self.ask(&call, &who).await;
        }
        let (prompt, scope) = call.question()?;
        let key = EntryKey::of(&call.tenant, Some(&scope), &prompt);
        loop {
            if let Some(hit) = self.look_up(&call, &prompt, &scope).await? {
                return self.served(&hit, &who).await;
            }
            match self.inner.flights.join(key) {
                Joined::Leader(flight) => {
                    let result = self.ask(&call, &who).await;
                    if let Ok(reply) = &result {
                        self.keep(&call, reply).await;
                    }
                    flight.land(result.clone());
                    return result;
                }
                Joined::Waiter(mut waiter) => {
                    // None: the leader left without an answer, so somebody else must ask.
                    if let Some(result) = waiter.wait().await {
                        return self.shared(result?, &who).await;
                    }
                }
            }
        }
    }

    /// An answer that the cache has, booked.
    pub(super) async fn cached(&self, call: &ChatCall, who: &Arc<Attribution>) -> Result<Option<Reply>> {
        let (prompt, scope) = call.question()?;
        match self.look_up(call, &prompt, &scope).await? {
            Some(hit) => self.served(&hit, who).await.map(Some),
            None => Ok(None),
        }
    }

    /// What the cache has. The embedder may be slow, or Python: it runs where blocking is allowed.
    async fn look_up(&self, call: &ChatCall, prompt: &str, scope: &str) -> Result<Option<CacheHit>> {
        let Some(cache) = self.inner.cache.clone() else { return Ok(None) };
        let request = |prompt| LookupRequest { scope: Some(scope), tenant: &call.tenant, ..LookupRequest::new(prompt) };
        if let Some(hit) = cache.lookup_exact(&request(prompt)) {
            return Ok(Some(hit));
        }
        if cache.config().embedder.is_none() {
            return Ok(None);
        }
        let (prompt, scope, tenant) = (prompt.to_owned(), scope.to_owned(), Arc::clone(&call.tenant));
        blocking(move || {
            cache.lookup(&LookupRequest { scope: Some(&scope), tenant: &tenant, ..LookupRequest::new(&prompt) })
        })
        .await
    }

    async fn served(&self, hit: &CacheHit, who: &Arc<Attribution>) -> Result<Reply> {
        let kept = Reply::from_payload(hit.response()).ok_or_else(|| {
            Error::invalid("the cache holds an answer that no client put there: give the client a cache of its own")
        })?;
        let (cache, similarity) = match hit.kind() {
            HitKind::Exact => (CacheUse::Exact, None),
            HitKind::Semantic => (CacheUse::Semantic, Some(hit.similarity())),
        };
        self.from_cache(Reply { cache, similarity, ..kept }, who).await
    }

    /// The answer of a call that ran at the same time.
    async fn shared(&self, reply: Reply, who: &Arc<Attribution>) -> Result<Reply> {
        let shared = Reply { cache: CacheUse::Exact, attempts: 0, waited: Duration::ZERO, ..reply };
        self.from_cache(shared, who).await
    }

    async fn from_cache(&self, reply: Reply, who: &Arc<Attribution>) -> Result<Reply> {
        let call = Call { cache: reply.cache, attempts: 0, ..Call::new(&reply.model, &reply.usage) };
        let record = self.inner.costs.record(call, who).finish().await?;
        Ok(reply.booked(&record))
    }

    /// Keeps an answer for the next who asks. An answer that cannot be kept is still an answer.
    pub(super) async fn keep(&self, call: &ChatCall, reply: &Reply) {
        let cacheable = ChatResponse::from_openai(reply.raw.clone()).is_none_or(|response| response.is_cacheable());
        let (Some(cache), Ok((prompt, scope)), true) = (self.inner.cache.clone(), call.question(), cacheable) else {
            return;
        };
        let (tenant, tags, cost) = (Arc::clone(&call.tenant), call.tags.clone(), reply.cost);
        let payload = reply.to_payload();
        let kept = blocking(move || {
            cache.insert(InsertRequest {
                scope: Some(&scope),
                tenant: &tenant,
                tags: &tags,
                cost: Some(cost.attodollars()),
                ..InsertRequest::new(&prompt, payload)
            })
        });
        if let Err(error) = kept.await {
            tracing::warn!(%error, "an answer was not cached");
        }
    }

    /// Waits for the turn and asks a provider.
    async fn ask(&self, call: &ChatCall, who: &Arc<Attribution>) -> Result<Reply> {
        match self.turn(call).await? {
            Outcome::Turn(turn) => match self.ask_providers(call, who, turn.lease().waited()).await {
                Ok(reply) => {
                    turn.done(None, reply.usage.total_tokens()).await;
                    Ok(reply)
                }
                Err(error) => {
                    turn.failed().await;
                    Err(error)
                }
            },
            Outcome::Elsewhere(payload) => {
                let kept = payload.as_ref().and_then(Reply::from_payload);
                let reply =
                    kept.ok_or_else(|| Error::RequestFailed("another process lost the answer: ask again".into()))?;
                self.shared(reply, who).await
            }
        }
    }

    /// Waits for the turn of a call, in a queue that this client serves.
    pub(super) async fn turn(&self, call: &ChatCall) -> Result<Outcome> {
        self.serve_queue();
        let (provider, bare) = self.route(&call.model)?;
        let options = PutOptions {
            priority: call.priority,
            tenant: Some(Arc::clone(&call.tenant)),
            deadline: call.timeout,
            provider: Some(Arc::from(provider.provider().name())),
            model: Some(Arc::from(bare)),
            estimated_tokens: estimate::rough_tokens(call),
            ..PutOptions::default()
        };
        self.inner.turns.wait(call.to_json(), options).await
    }

    /// Asks the model, and where its provider is down the fallbacks, each within the budgets.
    pub(super) async fn ask_providers(
        &self,
        call: &ChatCall,
        who: &Arc<Attribution>,
        waited: Duration,
    ) -> Result<Reply> {
        let mut candidates = vec![call.model.clone()];
        candidates.extend(self.inner.fallbacks.get(&call.model).into_iter().flatten().cloned());
        let last = candidates.len() - 1;
        let mut asked = 0;
        for (place, model) in candidates.iter().enumerate() {
            let reservation = self.reserve(call, model, who).await?;
            let (provider, bare) = self.route(model)?;
            let started = Instant::now();
            match provider.chat(&call.request(bare)).await {
                Ok((response, attempts)) => {
                    let usage = response.usage.unwrap_or_else(|| estimate::likely(call, model, &response.text));
                    let outcome = Booking {
                        cache: CacheUse::Miss,
                        latency_s: Some(started.elapsed().as_secs_f64()),
                        attempts: asked + attempts,
                        is_usage_estimated: response.usage.is_none(),
                        told_cost: told_cost(&response.raw),
                    };
                    let record = reservation.settle_as(Some(model.as_str()), &usage, outcome).finish().await?;
                    let reply = fresh(provider, model, response, usage, asked + attempts, waited);
                    return Ok(reply.booked(&record));
                }
                Err(error) => {
                    drop(reservation);
                    asked += 1;
                    if place == last || !is_worth_a_fallback(&error) {
                        return Err(error);
                    }
                    tracing::warn!(model, %error, "asking a fallback");
                }
            }
        }
        Err(Error::UnknownModel(format!("model {:?} has nobody to ask", call.model)))
    }

    /// Sets the worst case of a call aside.
    pub(super) async fn reserve(&self, call: &ChatCall, model: &str, who: &Arc<Attribution>) -> Result<Reservation> {
        let lease = call.timeout.map_or(DEFAULT_LEASE, |timeout| timeout.max(DEFAULT_LEASE));
        let worst = estimate::worst_case(call, model, &self.inner.costs.prices());
        self.inner.costs.reserve(model, &worst, who, lease).finish().await
    }

    /// Makes vectors, within the budgets.
    ///
    /// # Errors
    /// As [`Client::chat`].
    pub async fn embed(&self, model: &str, texts: &[String], call: &ChatCall) -> Result<Embeddings> {
        if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
            return Err(Error::invalid("texts is empty or has an empty text: give at least one text, each with words"));
        }
        within(call.timeout, async {
            let (provider, bare) = self.route(model)?;
            let who = Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?);
            let input_tokens = texts.iter().map(|text| tokens::of_text(model, text).most).sum();
            let worst = Usage { input_tokens, ..Usage::default() };
            let reservation = self.inner.costs.reserve(model, &worst, &who, DEFAULT_LEASE).finish().await?;
            let started = Instant::now();
            let (response, attempts) = provider.embed(bare, texts).await?;
            let usage = response.usage.unwrap_or(worst);
            let latency_s = Some(started.elapsed().as_secs_f64());
            let is_usage_estimated = response.usage.is_none();
            let outcome = Booking { latency_s, attempts, is_usage_estimated, ..Booking::default() };
            let record = reservation.settle(&usage, outcome).finish().await?;
            Ok(Embeddings { vectors: response.vectors, usage, cost: record.cost() })
        })
        .await
    }
}

/// A fresh answer, before its cost is known.
pub(super) fn fresh(
    provider: &Resilient,
    model: &str,
    response: ChatResponse,
    usage: Usage,
    attempts: u32,
    waited: Duration,
) -> Reply {
    Reply {
        text: response.text,
        usage,
        cost: Money::ZERO,
        saved: Money::ZERO,
        estimated: false,
        cache: CacheUse::Miss,
        similarity: None,
        provider: provider.provider().name().to_owned(),
        model: model.to_owned(),
        attempts,
        waited,
        raw: response.raw,
    }
}

/// What the provider says that the call cost.
pub(super) fn told_cost(raw: &Value) -> Option<Money> {
    Money::nearest(UsageReport::from_response(raw).ok()?.cost_usd.as_deref()?)
}

/// Whether another model may do better: not where the request itself is at fault.
fn is_worth_a_fallback(error: &Error) -> bool {
    matches!(error, Error::Provider(error) if error.kind != ProviderErrorKind::Rejected)
}

pub(super) async fn within<T>(timeout: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(timeout) = timeout else { return work.await };
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
        let seconds = timeout.as_secs_f64();
        Err(Error::Timeout(format!("no answer within {seconds} s: raise timeout=, or look at the queue's stats()")))
    })
}

/// Runs what may block where it holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Error::Embedding("the embedder ended without an answer: see its log".into())))
}

impl Client {
    fn serve_queue(&self) {
        let weak = Arc::downgrade(&self.inner);
        self.inner.turns.start(move |turn: Turn, request| {
            let client = weak.upgrade().map(|inner| Self { inner });
            Box::pin(async move {
                if let Some(client) = client {
                    client.adopt(turn, &request).await;
                }
            })
        });
    }
}
