//! A key in use: how much of its limits is taken.

use super::AccessKey;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_mins(1);

/// A key with what its calls take of its limits.
#[derive(Debug)]
pub(in crate::gateway) struct HeldKey {
    pub(in crate::gateway) key: Arc<AccessKey>,
    taken: Arc<TakenUp>,
}

/// What calls take; it outlives a change of the key's terms.
#[derive(Debug, Default)]
pub(super) struct TakenUp {
    running: AtomicU64,
    /// When the requests of the last minute came.
    recent: Mutex<VecDeque<Instant>>,
}

/// A limit that is reached.
#[derive(Debug)]
pub(in crate::gateway) struct Full {
    /// Which.
    pub(in crate::gateway) limit: String,
    /// When there is room again, as far as that is known.
    pub(in crate::gateway) wait: Duration,
}

/// A call that was let in, for as long as it lives.
#[derive(Debug)]
pub(in crate::gateway) struct Pass(Arc<TakenUp>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HeldKey {
    pub(super) fn new(key: Arc<AccessKey>, taken: Arc<TakenUp>) -> Self {
        Self { key, taken }
    }

    pub(super) fn taken(&self) -> Arc<TakenUp> {
        Arc::clone(&self.taken)
    }

    /// Lets a call in.
    pub(in crate::gateway) fn enter(held: &Arc<Self>) -> Result<Pass, Full> {
        held.enter_at(Instant::now())
    }

    fn enter_at(&self, now: Instant) -> Result<Pass, Full> {
        let terms = &self.key.terms;
        let pass = Pass(Arc::clone(&self.taken));
        let before = self.taken.running.fetch_add(1, Ordering::Relaxed);
        if let Some(most) = terms.concurrency
            && before >= most
        {
            return Err(Full { limit: format!("{most} requests at once"), wait: Duration::from_secs(1) });
        }
        let Some(most) = terms.requests_per_minute else { return Ok(pass) };
        let mut recent = self.taken.recent.lock();
        while recent.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            recent.pop_front();
        }
        if recent.len() as u64 >= most {
            let wait = recent.front().map_or(WINDOW, |at| (*at + WINDOW).duration_since(now));
            return Err(Full { limit: format!("{most} requests a minute"), wait });
        }
        recent.push_back(now);
        Ok(pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::KeyTerms;

    fn held(concurrency: Option<u64>, requests_per_minute: Option<u64>) -> HeldKey {
        let terms = KeyTerms { requests_per_minute, concurrency, ..KeyTerms::of("acme") };
        HeldKey::new(Arc::new(AccessKey::generate(terms, 0).0), Arc::default())
    }

    #[test]
    fn no_minute_has_more_requests_than_the_limit() {
        let (key, start) = (held(None, Some(2)), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(key.enter_at(at(0)).is_ok() && key.enter_at(at(50)).is_ok());
        assert_eq!(key.enter_at(at(59)).unwrap_err().wait, Duration::from_secs(1));
        assert!(key.enter_at(at(60)).is_ok());
        assert_eq!(key.enter_at(at(61)).unwrap_err().wait, Duration::from_secs(49));
    }

    #[test]
    fn a_call_that_is_over_or_refused_frees_its_place() {
        let key = held(Some(1), None);
        let first = key.enter_at(Instant::now()).unwrap();
        assert!(key.enter_at(Instant::now()).is_err() && key.enter_at(Instant::now()).is_err());
        drop(first);
        assert!(key.enter_at(Instant::now()).is_ok());
    }
}
