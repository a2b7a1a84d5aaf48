//! Hearing of money that other processes free.

use super::LedgerPlace;
use crate::Result;
use crate::cost::ledger::LOOK;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often a call that waits looks all the same: time ends leases and begins periods, and tells nobody.
const LOOK_BESIDES: Duration = Duration::from_secs(2);
/// How long it takes at most to hear.
const PATIENCE: Duration = Duration::from_secs(1);

impl LedgerPlace {
    /// Has `freed` told from now on; how long to wait for that without a look.
    pub(super) async fn hear(&self, freed: Arc<Notify>) -> Result<Duration> {
        if self.channel.hears() {
            return Ok(LOOK_BESIDES);
        }
        self.channel.listen(&self.link, move |_| freed.notify_waiters(), PATIENCE).await?;
        // What was freed before it heard was told to nobody.
        Ok(if self.channel.hears() { Duration::ZERO } else { LOOK })
    }
}
