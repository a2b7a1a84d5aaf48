//! How long a provider may take, from the moment it is asked.

use super::HttpProviderConfig;
use crate::Result;
use crate::chat::Event;
use crate::provider::EventStream;
use crate::provider::failure::Failures;
use futures_util::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is waited for, the name of its bound, and when that is over.
#[derive(Debug, Clone, Copy)]
struct Bound {
    what: &'static str,
    name: &'static str,
    length: Duration,
    until: Instant,
}

/// The bounds of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    first_token: Option<Bound>,
    total: Option<Bound>,
}

impl Patience {
    /// From now on. A whole reply has no first word of its own.
    pub(super) fn begin(config: &HttpProviderConfig, stream: bool) -> Self {
        let now = Instant::now();
        let bound = |what, name, length: Option<Duration>| {
            let length = length?;
            Some(Bound { what, name, length, until: now.checked_add(length)? })
        };
        Self {
            first_token: bound("first word", "first_token_timeout", config.first_token_timeout).filter(|_| stream),
            total: bound("whole reply", "total_timeout", config.total_timeout),
        }
    }

    fn next(&self) -> Option<Bound> {
        self.first_token.into_iter().chain(self.total).min_by_key(|bound| bound.until)
    }

    /// The work, as long as it may take.
    pub(super) async fn within<T>(&self, failures: &Failures, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(bound) = self.next() else { return work.await };
        let over = |_| Err(failures.too_late(bound.what, bound.name, bound.length).into());
        tokio::time::timeout_at(bound.until, work).await.unwrap_or_else(over)
    }

    /// The events, as long as they may take.
    pub(super) fn over(self, failures: &Arc<Failures>, events: EventStream) -> EventStream {
        let Some(bound) = self.next() else { return events };
        let sleep = Box::pin(sleep_until(bound.until));
        Bounded { patience: self, failures: Arc::clone(failures), events: Some(events), sleep, bound }.boxed()
    }
}

/// A stream that ends with an error when its time is over.
struct Bounded {
    patience: Patience,
    failures: Arc<Failures>,
    /// None once it is over, which gives the connection up.
    events: Option<EventStream>,
    sleep: Pin<Box<Sleep>>,
    bound: Bound,
}

impl Stream for Bounded {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let me = &mut *self;
        let Some(events) = &mut me.events else { return Poll::Ready(None) };
        if let Poll::Ready(event) = events.poll_next_unpin(context) {
            let is_word = !matches!(event, Some(Event::Start { .. } | Event::Usage(_)));
            if is_word && me.patience.first_token.take().is_some() {
                let Some(bound) = me.patience.next() else {
                    // Nothing bounds the rest.
                    me.bound.until = Instant::now() + Duration::from_hours(24 * 365);
                    me.sleep.as_mut().reset(me.bound.until);
                    return Poll::Ready(event);
                };
                me.bound = bound;
                me.sleep.as_mut().reset(bound.until);
            }
            return Poll::Ready(event);
        }
        ready!(me.sleep.as_mut().poll(context));
        me.events = None;
        let Bound { what, name, length, .. } = me.bound;
        Poll::Ready(Some(Event::Error(Box::new(me.failures.too_late(what, name, length)))))
    }
}
