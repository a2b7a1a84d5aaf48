//! Calls told as each is over, to whoever traces them: through a bounded channel, so that no call waits for a listener.

use super::series::Operation;
use super::tally::FinishedCall;
use crate::chat::Stop;
use crate::cost::CacheUse;
use crate::cost::money::Money;
use crate::lock::SharedLock;
use crate::usage::Usage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

/// What is told of a call that is over. It holds no word of the question or of the answer, and no key.
#[derive(Debug, Clone)]
pub struct CallTrace {
    /// What was asked for.
    pub operation: Operation,
    /// The provider; `headrace` where the call came to none.
    pub provider: String,
    /// The model that was asked, without its provider, where that is known to exist.
    pub model: Option<String>,
    /// The model that the provider says answered.
    pub response_model: Option<String>,
    /// The provider's name for the answer.
    pub response_id: Option<String>,
    /// Why each choice stopped.
    pub finish_reasons: Vec<String>,
    /// Whose call it was.
    pub tenant: Arc<str>,
    /// The span that it belongs to, as W3C's `traceparent`.
    pub parent: Option<Arc<str>>,
    /// Where the answer came from.
    pub cache: CacheUse,
    /// What it failed by.
    pub error: Option<&'static str>,
    /// When it began.
    pub started: SystemTime,
    /// From the call to its last word.
    pub duration: Duration,
    /// To its first word, where it was a stream.
    pub first_chunk: Option<Duration>,
    /// How long it waited for its turns.
    pub waited: Duration,
    /// How often a provider was asked.
    pub attempts: u32,
    /// What was billed; None where nothing was.
    pub usage: Option<Usage>,
    /// What it cost.
    pub cost: Money,
    /// What the cache saved.
    pub saved: Money,
}

impl CallTrace {
    fn of(call: &FinishedCall<'_>) -> Self {
        Self {
            operation: call.operation,
            provider: call.provider.to_owned(),
            model: call.model.map(str::to_owned),
            response_model: call.reply.and_then(|reply| reply.model.clone()),
            response_id: call.reply.and_then(|reply| reply.id.clone()),
            finish_reasons: call.reply.map(finish_reasons).unwrap_or_default(),
            tenant: Arc::clone(call.tenant),
            parent: call.parent.cloned(),
            cache: call.cache,
            error: call.error,
            started: SystemTime::now().checked_sub(call.duration).unwrap_or(SystemTime::UNIX_EPOCH),
            duration: call.duration,
            first_chunk: call.first_chunk,
            waited: call.waited,
            attempts: call.attempts,
            usage: call.usage.copied(),
            cost: call.cost,
            saved: call.saved,
        }
    }
}

fn finish_reasons(reply: &crate::chat::Reply) -> Vec<String> {
    let told = reply.choices.iter().filter_map(|choice| choice.stop.as_ref());
    told.map(|stop| match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::ToolCalls => "tool_calls",
        Stop::ContentFilter | Stop::Refusal => "content_filter",
        Stop::Cancelled => "cancelled",
        Stop::Error => "error",
        Stop::Unknown(word) => word,
    })
    .map(str::to_owned)
    .collect()
}

/// Hears of calls from its opening on. Dropped, nothing more is kept for it.
#[derive(Debug)]
pub struct CallFeed {
    receiver: mpsc::Receiver<CallTrace>,
    lost: Arc<AtomicU64>,
}

impl CallFeed {
    /// The next call that is over; it waits for one. None where there will be no more.
    pub async fn next(&mut self) -> Option<CallTrace> {
        self.receiver.recv().await
    }

    /// How many calls were not told, since the channel was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The same, counted on, for who does not hold the feed.
    #[must_use]
    pub fn losses(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }
}

/// Those who listen.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    /// Whether there are any: all that a call looks at where nobody listens.
    are_any: AtomicBool,
    open: SharedLock<Vec<(mpsc::Sender<CallTrace>, Arc<AtomicU64>)>>,
}

impl Feeds {
    pub(super) fn open(&self, capacity: usize) -> CallFeed {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let lost = Arc::new(AtomicU64::new(0));
        self.open.write().push((sender, Arc::clone(&lost)));
        self.are_any.store(true, Ordering::Release);
        CallFeed { receiver, lost }
    }

    pub(super) fn tell(&self, call: &FinishedCall<'_>) {
        if !self.are_any.load(Ordering::Acquire) {
            return;
        }
        let trace = CallTrace::of(call);
        let mut is_one_closed = false;
        for (sender, lost) in &*self.open.read() {
            match sender.try_send(trace.clone()) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => drop(lost.fetch_add(1, Ordering::Relaxed)),
                Err(mpsc::error::TrySendError::Closed(_)) => is_one_closed = true,
            }
        }
        if is_one_closed {
            let mut open = self.open.write();
            open.retain(|(sender, _)| !sender.is_closed());
            self.are_any.store(!open.is_empty(), Ordering::Release);
        }
    }
}
