//! Whether a server answers, and since when not.

use crate::lock::Lock;
use crate::store::RedisKind;
use std::time::{Duration, Instant};

/// A store on a server, as one handle finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreReach {
    /// The scheme of its address.
    pub scheme: &'static str,
    /// How long it has not answered this handle; None where it does.
    pub silent_for: Option<Duration>,
}

/// Since when a server has not answered.
#[derive(Debug, Default)]
pub(super) struct Silence(Lock<Option<Instant>>);

impl Silence {
    /// Notes that it answered, or that it did not.
    pub(super) fn note(&self, answered: bool) {
        let mut since = self.0.lock();
        if answered {
            *since = None;
        } else {
            since.get_or_insert_with(Instant::now);
        }
    }

    pub(super) fn reach(&self, kind: RedisKind) -> StoreReach {
        StoreReach { scheme: kind.scheme(), silent_for: self.0.lock().map(|since| since.elapsed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_lasts_from_the_first_question_without_an_answer() {
        let silence = Silence::default();
        assert_eq!(silence.reach(RedisKind::Plain), StoreReach { scheme: "redis", silent_for: None });
        silence.note(false);
        let first = silence.reach(RedisKind::Tls).silent_for.unwrap();
        silence.note(false);
        assert!(silence.reach(RedisKind::Tls).silent_for.unwrap() >= first);
        silence.note(true);
        assert_eq!(silence.reach(RedisKind::Plain).silent_for, None);
    }
}
