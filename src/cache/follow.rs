//! A thread that takes in what others change, where the store tells of it: lookups wait for nothing.

use super::CacheCore;
use super::store::FeedPosition;
use crate::blocking::block_on;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// For how long the cache serves what it has, while the store cannot be asked what of it was dropped elsewhere. From then
/// on it holds nothing, until the store is back.
const UNCONFIRMED: Duration = Duration::from_secs(30);
/// After a look that failed, and after one that brought nothing though there should be something: an entry whose key is
/// being put here waits until that is settled.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);
const AFTER_NOTHING: Duration = Duration::from_millis(20);

/// Follows the feed for as long as the cache is there.
pub(super) fn follow(cache: &Weak<CacheCore>) {
    let mut confirmed = None;
    let mut last = FeedPosition::START;
    loop {
        let (store, reached) = {
            let Some(core) = cache.upgrade() else { return };
            let Some(shared) = &core.shared else { return };
            match core.read_feed(shared) {
                Ok(()) => confirmed = Some(core.config.clock.monotonic()),
                Err(error) => {
                    tracing::warn!(%error, "what others changed in the cache could not be read");
                    let now = core.config.clock.monotonic();
                    if now.saturating_sub(*confirmed.get_or_insert(now)) >= UNCONFIRMED {
                        core.forget_here(shared);
                    }
                }
            }
            (Arc::clone(&shared.store), shared.position())
        };
        if reached == last {
            std::thread::sleep(AFTER_NOTHING);
        }
        last = reached;
        let Some(news) = store.news(reached) else { return };
        if block_on(news).is_err() {
            std::thread::sleep(AFTER_A_FAILURE);
        }
    }
}
