//! Where calls are counted, as each is over.

use super::feed::{CallFeed, Feeds};
use super::series::{CallSeries, Operation};
use crate::chat::Reply;
use crate::cost::CacheUse;
use crate::cost::money::Money;
use crate::lock::Lock;
use crate::usage::Usage;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// So many models are told apart.
pub const MOST_MODELS: usize = 256;

/// The name of all other models.
const OTHER: &str = "other";

/// What is to be counted of a call that is over.
#[derive(Debug, Clone, Copy)]
pub struct FinishedCall<'a> {
    /// What was asked for.
    pub operation: Operation,
    /// The provider; `headrace` where the call came to none.
    pub provider: &'a str,
    /// The model, without its provider; None where it is not known to exist.
    pub model: Option<&'a str>,
    /// Where the answer came from.
    pub cache: CacheUse,
    /// What it failed by, one of few words.
    pub error: Option<&'static str>,
    /// From the call to its last word.
    pub duration: Duration,
    /// To its first word, where it was a stream.
    pub first_chunk: Option<Duration>,
    /// How long it waited for its turns.
    pub waited: Duration,
    /// How often a provider was asked.
    pub attempts: u32,
    /// The answer, where there is one.
    pub reply: Option<&'a Reply>,
    /// Whose call it was.
    pub tenant: &'a Arc<str>,
    /// The span that it belongs to, as W3C's `traceparent`.
    pub parent: Option<&'a Arc<str>>,
    /// What was billed; None where nothing was.
    pub usage: Option<&'a Usage>,
    /// What it cost.
    pub cost: Money,
    /// What the cache saved.
    pub saved: Money,
}

/// The counts of a client's calls.
#[derive(Debug, Default)]
pub struct Tally {
    counted: Lock<Counted>,
    in_flight: AtomicUsize,
    feeds: Feeds,
}

#[derive(Debug, Default)]
struct Counted {
    /// By provider, then model.
    models: HashMap<String, HashMap<String, Vec<CallSeries>>>,
    known: usize,
    /// Attempts that failed, by provider and kind.
    failures: BTreeMap<(String, &'static str), u64>,
}

impl Tally {
    /// A call begins.
    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A call is over: it is counted.
    pub fn finish(&self, call: &FinishedCall<'_>) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.counted.lock().series(call).count(call);
        self.feeds.tell(call);
    }

    /// Hears of each call that is over from now on; at most `capacity` of them wait to be heard.
    #[must_use]
    pub fn feed(&self, capacity: usize) -> CallFeed {
        self.feeds.open(capacity)
    }

    /// An attempt of a call failed at a provider.
    pub fn fail(&self, provider: &str, kind: &'static str) {
        *self.counted.lock().failures.entry((provider.to_owned(), kind)).or_default() += 1;
    }

    /// How many calls run now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// All series, in the order of their labels.
    #[must_use]
    pub fn calls(&self) -> Vec<CallSeries> {
        let mut all: Vec<CallSeries> =
            self.counted.lock().models.values().flat_map(HashMap::values).flatten().cloned().collect();
        all.sort_by(|one, other| {
            let key = |series: &CallSeries| (series.operation, series.cache.as_str(), series.error);
            (&one.provider, &one.model, key(one)).cmp(&(&other.provider, &other.model, key(other)))
        });
        all
    }

    /// How many attempts failed, by provider and kind.
    #[must_use]
    pub fn failures(&self) -> Vec<(String, &'static str, u64)> {
        let counted = self.counted.lock();
        counted.failures.iter().map(|((provider, kind), count)| (provider.clone(), *kind, *count)).collect()
    }
}

impl Counted {
    fn series(&mut self, call: &FinishedCall<'_>) -> &mut CallSeries {
        // Names are copied only when they are new.
        let models = self.models.entry_ref(call.provider).or_default();
        let mut model = call.model.unwrap_or(OTHER);
        if !models.contains_key(model) {
            if self.known >= MOST_MODELS {
                model = OTHER;
            }
            self.known += 1;
        }
        let series = models.entry_ref(model).or_default();
        let found = series.iter().position(|series| {
            series.operation == call.operation && series.cache == call.cache && series.error == call.error
        });
        let place = found.unwrap_or_else(|| {
            series.push(CallSeries::new(call.operation, call.provider, model, call.cache, call.error));
            series.len() - 1
        });
        &mut series[place]
    }
}

impl CallSeries {
    fn count(&mut self, call: &FinishedCall<'_>) {
        self.duration.record(call.duration);
        if let Some(first) = call.first_chunk {
            self.first_chunk.record(first);
        }
        self.waited = self.waited.saturating_add(call.waited);
        self.attempts += u64::from(call.attempts);
        self.retries += u64::from(call.attempts.saturating_sub(1));
        if let Some(usage) = call.usage {
            self.input_tokens.record(usage.input_tokens);
            self.output_tokens.record(usage.output_tokens);
        }
        self.cost += call.cost;
        self.saved += call.saved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(model: &'a str, tenant: &'a Arc<str>) -> FinishedCall<'a> {
        FinishedCall {
            operation: Operation::Chat,
            provider: "openai",
            model: Some(model),
            cache: CacheUse::Miss,
            error: None,
            duration: Duration::from_millis(30),
            first_chunk: None,
            waited: Duration::ZERO,
            attempts: 3,
            reply: None,
            tenant,
            parent: None,
            usage: None,
            cost: Money::ZERO,
            saved: Money::ZERO,
        }
    }

    #[tokio::test]
    async fn who_listens_hears_of_each_call_and_holds_none_up() {
        let (tally, tenant) = (Tally::default(), Arc::from("acme"));
        let mut feed = tally.feed(2);
        for model in ["a", "b", "c"] {
            tally.begin();
            tally.finish(&of(model, &tenant));
        }
        let heard = [feed.next().await, feed.next().await].map(|call| call.and_then(|call| call.model));
        assert_eq!(heard, [Some("a".into()), Some("b".into())]);
        assert_eq!(feed.lost(), 1);
        drop(tally);
        assert!(feed.next().await.is_none());
    }

    #[test]
    fn calls_that_agree_are_one_series() {
        let (tally, tenant) = (Tally::default(), Arc::from("acme"));
        let of = |model| of(model, &tenant);
        for call in [of("gpt"), of("gpt"), FinishedCall { error: Some("timeout"), ..of("gpt") }, of("mini")] {
            tally.begin();
            tally.finish(&call);
        }
        let told: Vec<_> = tally
            .calls()
            .iter()
            .map(|series| (series.model.clone(), series.error, series.calls(), series.retries))
            .collect();
        let expected = [
            ("gpt".to_owned(), None, 2, 4),
            ("gpt".to_owned(), Some("timeout"), 1, 2),
            ("mini".to_owned(), None, 1, 2),
        ];
        assert_eq!(told, expected);
        assert_eq!(tally.in_flight(), 0);
    }

    #[test]
    fn names_of_a_callers_own_making_fill_no_memory() {
        let (tally, tenant) = (Tally::default(), Arc::from("acme"));
        for number in 0..MOST_MODELS * 3 {
            tally.begin();
            tally.finish(&of(&format!("made-up-{number}"), &tenant));
        }
        let calls = tally.calls();
        assert_eq!(calls.len(), MOST_MODELS + 1);
        let other = calls.iter().find(|series| series.model == OTHER).map(CallSeries::calls);
        assert_eq!(other, Some(2 * MOST_MODELS as u64));
    }
}
