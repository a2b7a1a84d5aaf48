//! What calls did cost is booked, each once.

use super::known::money;
use super::{Asked, LedgerPlace, PATIENCE, SETTLE, strange};
use crate::Result;
use crate::cost::budget::Spending;
use crate::cost::ledger::Written;
use crate::cost::record::CostRecord;
use crate::store::redis::{int_of, list_of};

impl LedgerPlace {
    /// Books a call in place of its hold. The same nonce again books nothing, and gives the same answer.
    pub(super) async fn settle(&self, record: &CostRecord, hold: Option<u64>, nonce: u64, now: i64) -> Result<Written> {
        let asked = Asked::new(record, record.cost());
        let written = CostRecord { id: 0, ..record.clone() }.to_json()?;
        let (known, _, rest) = self
            .decide(&SETTLE, PATIENCE, |known| {
                let arguments = self
                    .at(now)
                    .text(&known.version)
                    .text(format!("{nonce:x}"))
                    .maybe(hold)
                    .int(record.time)
                    .text(&written)
                    .int(asked.amount.attodollars());
                known.for_booking(asked, now, arguments)
            })
            .await?;
        let [id, steps] = &rest[..] else { return Err(strange()) };
        let id = u64::try_from(int_of(id)?).map_err(|_| strange())?;
        let mut written = Written { id, steps: Vec::new() };
        // One that was booked long ago may have been so under other budgets: then nothing is told of them.
        let (steps, covering) = (list_of(steps)?.as_chunks::<2>().0, known.covering(asked).count());
        if steps.len() == covering {
            for ((_, budget), step) in known.covering(asked).zip(steps) {
                let (before, after) = (money(&step[0])?, money(&step[1])?);
                written.steps.push(Spending::new(budget.clone(), asked.who.tenant(), before, after));
            }
        }
        Ok(written)
    }
}
