//! Records move to a file, each once.

use super::records::BATCH;
use super::{LedgerPlace, PATIENCE, RECORDS, strange};
use crate::cost::ledger::SqliteLedger;
use crate::store::redis::{Arguments, int_of, list_of, text_of};
use crate::{Error, Result};
use std::time::Duration;

/// For how long nobody else drains the ledger, from each batch on.
const CLAIM: Duration = Duration::from_mins(1);

impl LedgerPlace {
    /// Moves records to a file until there are none; how many there were. What is in the file is not written there again, so
    /// that one that was cut off is run once more.
    pub(super) async fn drain(&self, archive: &SqliteLedger) -> Result<usize> {
        let token = format!("{:x}", rand::random::<u64>());
        let mut moved = 0;
        loop {
            let ledger = self.claim(&token, CLAIM).await?;
            if ledger.is_empty() {
                return Err(Error::Store(
                    "another process is draining this ledger: wait for it, or for a minute where it died".into(),
                ));
            }
            let batch = self.batch((0, None), false).await?;
            if let Some(last) = batch.records.last().map(|record| record.id) {
                archive.take_in(ledger, batch.records).await?;
                let trim = Arguments::default().text("").text("trim").int(0).int(last).int(BATCH).flag(false);
                let reply = self.run(&RECORDS, &trim, PATIENCE).await?;
                let [_, _, count] = list_of(&reply)? else { return Err(strange()) };
                moved += usize::try_from(int_of(count)?).map_err(|_| strange())?;
            }
            if !batch.is_full {
                self.claim(&token, Duration::ZERO).await?;
                return Ok(moved);
            }
        }
    }

    /// Keeps others from draining the ledger for a while; its name, or nothing where another drains it.
    async fn claim(&self, token: &str, how_long: Duration) -> Result<String> {
        let claim = Arguments::default().text("").text("claim").text(token).int(how_long.as_micros());
        let claim = claim.text(format!("{:x}", rand::random::<u64>()));
        let reply = self.run(&RECORDS, &claim, PATIENCE).await?;
        let [_, _, ledger] = list_of(&reply)? else { return Err(strange()) };
        Ok(text_of(ledger)?.to_owned())
    }
}
