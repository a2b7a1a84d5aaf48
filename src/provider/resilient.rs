//! A provider behind its breaker, asked again where that helps.

use super::breaker::{Breaker, BreakerConfig, BreakerState};
use super::failure::unavailable;
use super::{ChatRequest, ChatResponse, ChunkStream, EmbedResponse, Provider, RetryPolicy};
use crate::{Error, ProviderErrorKind, Result};
use std::sync::Arc;

/// A provider behind its breaker, asked again where that helps. Every answer comes with how often it was asked.
#[derive(Debug)]
pub struct Resilient {
    provider: Arc<dyn Provider>,
    retry: RetryPolicy,
    breaker: Breaker,
}

impl Resilient {
    /// Puts a policy before a provider.
    #[must_use]
    pub fn new(provider: Arc<dyn Provider>, retry: RetryPolicy, breaker: BreakerConfig) -> Self {
        Self { provider, retry, breaker: Breaker::new(breaker) }
    }

    /// The provider itself.
    #[must_use]
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// Whether calls go through.
    #[must_use]
    pub fn breaker_state(&self) -> BreakerState {
        self.breaker.state()
    }

    /// Asks for a completion.
    ///
    /// # Errors
    /// The last error of the provider; `Provider` at once while the breaker is open.
    pub async fn chat(&self, request: &ChatRequest) -> Result<(ChatResponse, u32)> {
        self.run(|| self.provider.chat(request)).await
    }

    /// Asks for a stream; once it has begun, nothing is asked again.
    ///
    /// # Errors
    /// As [`Resilient::chat`].
    pub async fn stream(&self, request: &ChatRequest) -> Result<(ChunkStream, u32)> {
        self.run(|| self.provider.stream(request)).await
    }

    /// Asks for vectors.
    ///
    /// # Errors
    /// As [`Resilient::chat`].
    pub async fn embed(&self, model: &str, texts: &[String]) -> Result<(EmbedResponse, u32)> {
        self.run(|| self.provider.embed(model, texts)).await
    }

    async fn run<T, F>(&self, call: impl Fn() -> F) -> Result<(T, u32)>
    where
        F: Future<Output = Result<T>>,
    {
        let mut attempt = 0;
        loop {
            attempt += 1;
            if let Err(wait) = self.breaker.enter() {
                let seconds = wait.as_secs_f64();
                let mut open = unavailable(
                    self.provider.name(),
                    format!("failed too often and is left alone for {seconds:.1} s: wait, or name fallbacks="),
                );
                open.retry_after = Some(wait);
                return Err(open.into());
            }
            // A call that is dropped while it runs says nothing of the provider, but its probe must end.
            let probe = Probe(&self.breaker, true);
            let result = call().await;
            probe.done(is_outage(&result));
            match result {
                Ok(value) => return Ok((value, attempt)),
                Err(error) => match self.retry.pause(&error, attempt) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
            }
        }
    }
}

/// Whether the provider is down, rather than busy or right to refuse.
fn is_outage<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Provider(error)) if error.kind == ProviderErrorKind::Unavailable)
}

struct Probe<'a>(&'a Breaker, bool);

impl Probe<'_> {
    fn done(mut self, failed: bool) {
        self.1 = false;
        self.0.leave(failed);
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.leave(true);
        }
    }
}
