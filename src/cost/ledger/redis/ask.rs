//! Whether a call fits, and what is set aside for it.

use super::known::{KnownBudgets, money};
use super::{ASK, Asked, HOLD, LedgerPlace, PATIENCE, PATIENCE_OF_A_CALL, RedisLedger, lease, strange};
use crate::cost::budget::{Room, Taken};
use crate::cost::ledger::{Held, Hold};
use crate::cost::record::CostRecord;
use crate::store::redis::{Arguments, int_of, list_of, start_on_redis};
use crate::{Error, Result};
use redis::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long a hold is asked back whose answer never came.
const PATIENCE_OF_A_RETURN: Duration = Duration::from_mins(1);

/// What a script said of the budgets that cover a call: the reason why it does not fit, where it does not.
fn reason(known: &KnownBudgets, asked: Asked<'_>, taken: &[Value]) -> Result<Room> {
    let amounts = taken.first().map_or(Ok(&[][..]), list_of)?;
    let mut room = Room::Now;
    for ((_, budget), taken) in known.covering(asked).zip(amounts.as_chunks::<2>().0) {
        let taken = Taken { spent: money(&taken[0])?, reserved: money(&taken[1])? };
        match budget.room(asked.who.tenant(), taken, asked.amount) {
            Room::Now => {}
            Room::Later(error) => room = Room::Later(error),
            none @ Room::None(_) => return Ok(none),
        }
    }
    Ok(room)
}

impl LedgerPlace {
    async fn ask(
        &self,
        verb: &str,
        worst: &CostRecord,
        number: u64,
        lease: u64,
    ) -> Result<(Arc<KnownBudgets>, String, Vec<Value>)> {
        self.after_returns().await;
        let asked = Asked::new(worst, worst.amount);
        let tags = serde_json::to_string(worst.attribution.tags()).map_err(|_| strange())?;
        self.decide(&ASK, PATIENCE_OF_A_CALL, |known| {
            let arguments = self
                .at(worst.time)
                .text(&known.version)
                .text(verb)
                .int(worst.amount.attodollars())
                .int(number)
                .int(lease)
                .int(worst.time)
                .text(&worst.card.provider)
                .text(&worst.card.model)
                .text(worst.attribution.tenant())
                .text(&tags);
            known.for_asking(asked, arguments)
        })
        .await
    }

    /// Whether the call would fit if no other ran: whether a budget that refuses covers it.
    pub(super) async fn admit(&self, worst: &CostRecord) -> Result<bool> {
        let asked = Asked::new(worst, worst.amount);
        let (known, _, taken) = self.ask("admit", worst, 0, 0).await?;
        match reason(&known, asked, &taken)? {
            Room::None(error) => Err(error),
            Room::Now | Room::Later(_) => Ok(known.covering(asked).any(|(_, budget)| budget.refuses())),
        }
    }

    /// Sets the amount aside in all budgets that cover the call, or in none.
    pub(super) async fn hold(self: Arc<Self>, worst: &CostRecord, expires: i64) -> Result<Held> {
        let number = rand::random::<u64>();
        let (known, verdict, taken) = match self.ask("hold", worst, number, lease(expires, worst.time)).await {
            Ok(answer) => answer,
            Err(error) => {
                // It may have been set aside all the same.
                drop(start_on_redis(async move { drop(self.ask_back(number, PATIENCE_OF_A_RETURN).await) }));
                return Err(error);
            }
        };
        let room = reason(&known, Asked::new(worst, worst.amount), &taken)?;
        match (verdict.as_str(), room) {
            ("now", _) => Ok(Held::Taken(Hold::new(number, Arc::new(RedisLedger { place: self })))),
            ("later", Room::Later(error)) => Ok(Held::InTheWay(error)),
            ("never", Room::None(error)) => Err(error),
            _ => Err(strange()),
        }
    }

    /// Gives a hold back; whether there was one.
    pub(super) async fn release(&self, hold: u64) -> Result<bool> {
        self.ask_back(hold, PATIENCE).await
    }

    async fn ask_back(&self, hold: u64, patience: Duration) -> Result<bool> {
        let arguments = Arguments::default().text("").text("release").int(hold);
        Ok(int_of(&self.run(&HOLD, &arguments, patience).await?)? == 1)
    }

    /// Makes a hold last longer; whether it had not ended yet.
    pub(super) async fn extend(&self, hold: u64, expires: i64, now: i64) -> Result<bool> {
        let arguments = self.at(now).text("extend").int(hold).int(lease(expires, now));
        Ok(int_of(&self.run(&HOLD, &arguments, PATIENCE).await?)? == 1)
    }
}

/// The error of a record that is not what was written.
pub(super) fn damaged(id: u64) -> Error {
    Error::Store(format!(
        "record {id} of the ledger in Redis is not what was written: is another program at work there?"
    ))
}
