//! How long models took to their first word, as this client saw it.

use crate::lock::Lock;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How much the newest look counts.
const NEWEST: f64 = 0.2;

/// A model that was not asked for so long is asked again, to see.
const STALE: Duration = Duration::from_mins(1);

/// The newest so many looks tell what is slow for a model.
const KEPT: usize = 200;

/// With fewer looks nothing is known of what is slow.
const ENOUGH: usize = 20;

/// The most models that are remembered; beyond it, the one that was asked longest ago is forgotten.
const MODELS: usize = 1024;

/// What was seen, by model; a whole reply's first word comes with its last, so that the two ways are kept apart.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    seen: Lock<HashMap<(String, bool), Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// Seconds, the newest counting most; None where no answer came yet.
    mean: Option<f64>,
    newest: VecDeque<f64>,
    /// When it was asked last.
    asked: Instant,
}

impl Latencies {
    /// Takes in how long a model took.
    pub(super) fn see(&self, model: &str, stream: bool, took: Duration) {
        let seconds = took.as_secs_f64();
        self.with(model, stream, |seen| {
            seen.mean = Some(seen.mean.map_or(seconds, |mean| mean + NEWEST * (seconds - mean)));
            if seen.newest.len() == KEPT {
                seen.newest.pop_front();
            }
            seen.newest.push_back(seconds);
            seen.asked = Instant::now();
        });
    }

    /// The time within which nineteen of twenty answers began.
    pub(super) fn usually_within(&self, model: &str, stream: bool) -> Option<Duration> {
        let seen = self.seen.lock();
        let newest = &seen.get(&(model.to_owned(), stream)).filter(|seen| seen.newest.len() >= ENOUGH)?.newest;
        let mut sorted: Vec<f64> = newest.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Duration::try_from_secs_f64(sorted[(sorted.len() * 19).div_ceil(20) - 1]).ok()
    }

    /// Models, the fastest first. One that nobody asked for a while goes before them, for one call; one that was asked and
    /// did not answer goes behind.
    pub(super) fn order(&self, models: &[String], stream: bool) -> Vec<String> {
        let now = Instant::now();
        let mut seen = self.seen.lock();
        let rank = |model: &String| match seen.get(&(model.clone(), stream)) {
            None => (0, 0.0),
            Some(seen) if now.saturating_duration_since(seen.asked) > STALE => (0, 0.0),
            Some(Seen { mean: Some(mean), .. }) => (1, *mean),
            Some(_) => (2, 0.0),
        };
        let mut ranked: Vec<_> = models.iter().map(|model| (rank(model), model.clone())).collect();
        ranked.sort_by(|(one, _), (other, _)| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        if let Some(((0, _), model)) = ranked.first() {
            // Others that choose meanwhile do not wait for what is only looked at.
            make_room(&mut seen);
            seen.entry((model.clone(), stream)).or_insert_with(Seen::new).asked = now;
        }
        ranked.into_iter().map(|(_, model)| model).collect()
    }

    fn with(&self, model: &str, stream: bool, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.lock();
        let key = (model.to_owned(), stream);
        if !seen.contains_key(&key) {
            make_room(&mut seen);
        }
        change(seen.entry(key).or_insert_with(Seen::new));
    }
}

fn make_room(seen: &mut HashMap<(String, bool), Seen>) {
    if seen.len() >= MODELS {
        let oldest = seen.iter().min_by_key(|(_, seen)| seen.asked).map(|(key, _)| key.clone());
        oldest.map(|key| seen.remove(&key));
    }
}

impl Seen {
    fn new() -> Self {
        Self { mean: None, newest: VecDeque::new(), asked: Instant::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn each_is_looked_at_once_and_then_the_fastest_goes_first() {
        let (latencies, models) = (Latencies::default(), names(&["a", "b", "c"]));
        for expected in ["a", "b", "c"] {
            assert_eq!(latencies.order(&models, true)[0], expected);
        }
        for (model, millis) in [("a", 300), ("b", 100)] {
            latencies.see(model, true, Duration::from_millis(millis));
        }
        // One that did not answer is behind those that did.
        assert_eq!(latencies.order(&models, true), names(&["b", "a", "c"]));
        for _ in 0..50 {
            latencies.see("b", true, Duration::from_millis(900));
        }
        assert_eq!(latencies.order(&models, true), names(&["a", "b", "c"]));
        // Whole replies are another matter.
        assert_eq!(latencies.order(&models, false)[0], "a");
        assert_eq!(latencies.order(&models, false)[0], "b");
    }

    #[test]
    fn what_is_slow_is_known_after_some_looks() {
        let latencies = Latencies::default();
        for millis in 1..=19 {
            latencies.see("a", true, Duration::from_millis(millis));
        }
        assert_eq!(latencies.usually_within("a", true), None);
        latencies.see("a", true, Duration::from_secs(9));
        assert_eq!(latencies.usually_within("a", true), Some(Duration::from_millis(19)));
        assert_eq!(latencies.usually_within("a", false), None);
    }

    #[test]
    fn the_number_of_models_is_bounded() {
        let latencies = Latencies::default();
        for model in 0..MODELS + 10 {
            latencies.see(&model.to_string(), true, Duration::ZERO);
        }
        assert_eq!(latencies.seen.lock().len(), MODELS);
    }
}
