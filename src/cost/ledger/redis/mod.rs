//! The ledger in Redis, which processes on many machines share.
//!
//! - What is set aside, spent and booked is decided by the server, in scripts (`src/store/redis/scripts/ledger_*.lua`), to
//!   the attodollar. Leases end on its clock; a period begins by the clock of whoever asks.
//! - A process knows the budgets, and works out which of them cover a call and in which span of time it falls. It says so
//!   with each command, and which version of the budgets it knows: where that is not the ledger's, the script does nothing
//!   and answers with the budgets, and the command goes out once more.
//! - Numbers of holds are drawn by whoever asks, and a settlement has a nonce: what is sent again because its reply was lost
//!   is done once. A hold whose answer never came is given back, or ends with its lease.
//! - A call that has to wait for money leaves word, and hears when another process frees some.
//! - A new budget counts what the ledger holds. While it reads the last of that, nothing is booked or set aside.
//! - Records are a stream by their numbers. Sums by the hour are kept in each process that asks for them, and brought up to
//!   date with what was booked since; others read the records.

mod ask;
mod budgets;
mod drain;
mod hear;
mod known;
mod records;
mod settle;
mod sums;

use super::hold::Returns;
use super::{Asked, Held, LedgerStore, Page, PageRequest, SqliteLedger, Sums, Written};
use crate::cost::budget::{Budget, BudgetStatus, Period};
use crate::cost::deferred::Deferred;
use crate::cost::ledger::filter::Filter;
use crate::cost::record::CostRecord;
use crate::lock::{Lazy, Lock};
use crate::store::redis::{
    Arguments, RedisChannel, RedisLink, RedisScript, list_of, micros, on_redis, start_on_redis, text_of,
};
use crate::store::{RedisUrl, StoreReach};
use crate::{Error, Result, blocking};
use jiff::tz::TimeZone;
use known::KnownBudgets;
use redis::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use sums::LedgerTally;
use tokio::sync::{Notify, oneshot, watch};

/// How long a question may take that a call waits for: from then on it is refused.
const PATIENCE_OF_A_CALL: Duration = Duration::from_secs(5);
/// The same for what is booked, given back and looked up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a new budget may take to count what the ledger holds.
const PATIENCE_OF_A_BUDGET: Duration = Duration::from_mins(2);
/// How long a question waits for what was given back before it.
const PATIENCE_OF_ORDER: Duration = Duration::from_millis(500);
/// Between two tries while a new budget is being counted.
const BUSY: Duration = Duration::from_millis(5);
/// How long opening may take.
const OPENING: Duration = Duration::from_secs(5);

/// All that a ledger keeps, in the order in which the scripts know them.
const KEYS: [&str; 12] = [
    "meta",
    "budgets",
    "identities",
    "holds",
    "leases",
    "parts",
    "spent",
    "held",
    "records",
    "times",
    "settled",
    "before",
];

macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: Lazy<RedisScript> = Lazy::new(|| {
            RedisScript::new(&[
                include_str!("../../../store/redis/scripts/ledger_money.lua"),
                include_str!("../../../store/redis/scripts/ledger_common.lua"),
                include_str!(concat!("../../../store/redis/scripts/", $file)),
            ])
        });
    };
}
script!(ASK, "ledger_ask.lua");
script!(HOLD, "ledger_hold.lua");
script!(SETTLE, "ledger_settle.lua");
script!(BUDGET, "ledger_budget.lua");
script!(RECORDS, "ledger_records.lua");

/// A ledger on a server, in a cluster, or over Upstash's interface.
#[derive(Debug, Clone)]
pub struct RedisLedger {
    place: Arc<LedgerPlace>,
}

/// Where it is, and what this process knows of it.
struct LedgerPlace {
    link: Arc<RedisLink>,
    channel: RedisChannel,
    keys: Vec<String>,
    /// Whether leases end on the server's clock; else on that of the caller, for tests.
    has_servers_clock: bool,
    known: Lock<Arc<KnownBudgets>>,
    /// Holds that are being given back, each with what ends when it is.
    returning: Lock<(u32, Vec<watch::Receiver<()>>)>,
    /// The process whose it is, and its sums: a forked child begins anew.
    tally: Lock<(u32, Arc<tokio::sync::Mutex<LedgerTally>>)>,
}

impl std::fmt::Debug for LedgerPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerPlace").field("known", &self.known.lock()).finish_non_exhaustive()
    }
}

impl RedisLedger {
    /// Opens the ledger of that name. Leases end on the server's clock, or on the callers', where it is not the machine's.
    ///
    /// # Errors
    /// `Config` where the address cannot be read, `Store` where the server does not answer or refuses.
    pub fn open(address: RedisUrl, name: &str, has_servers_clock: bool) -> Result<Self> {
        // Braces would end the hash tag.
        let name = name.replace('%', "%25").replace('{', "%7b").replace('}', "%7d");
        let prefix = format!("headrace:{{costs:{name}}}:");
        let keys = KEYS.iter().map(|key| format!("{prefix}{key}")).collect();
        let place = Arc::new(LedgerPlace {
            link: Arc::new(RedisLink::new(address)?),
            channel: RedisChannel::new(format!("{prefix}wake")),
            keys,
            has_servers_clock,
            known: Lock::default(),
            returning: Lock::default(),
            tally: Lock::default(),
        });
        let checked = Arc::clone(&place);
        blocking::block_on(on_redis(async move { checked.link.check(OPENING).await }))?;
        Ok(Self { place })
    }

    /// Begins work at once; its answer.
    fn begin<T: Send + 'static, F>(&self, work: impl FnOnce(Arc<LedgerPlace>) -> F) -> Deferred<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let work = work(Arc::clone(&self.place));
        match start_on_redis(async move { drop(sender.send(work.await)) }) {
            Ok(_) => Deferred::of(async move { receiver.await.unwrap_or_else(|_| Err(ending())) }),
            Err(error) => Deferred::ready(Err(error)),
        }
    }
}

fn ending() -> Error {
    Error::Store("the work for Redis was cut off: this process is ending".into())
}

/// An answer in a form that this version does not know.
fn strange() -> Error {
    Error::Store(
        "the ledger in Redis answered in no form that is known: is another version of headrace at work there?".into(),
    )
}

impl LedgerPlace {
    /// The arguments that every script begins with: `now` is the caller's, in microseconds.
    fn at(&self, now: i64) -> Arguments {
        if self.has_servers_clock { Arguments::default().text("") } else { Arguments::default().int(now) }
    }

    async fn run(&self, script: &RedisScript, arguments: &Arguments, patience: Duration) -> Result<Value> {
        self.link.run(script, &self.keys, arguments, patience).await
    }

    /// What this process gives back now; of a forked child's parent nothing.
    fn returning(&self) -> crate::lock::Locked<'_, (u32, Vec<watch::Receiver<()>>)> {
        let mut returning = self.returning.lock();
        if returning.0 != crate::process::id() {
            *returning = (crate::process::id(), Vec::new());
        }
        returning
    }

    /// Waits until what this process began to give back before is given back, so that it sees its own doing in order.
    async fn after_returns(&self) {
        let returning = {
            let mut returning = self.returning();
            returning.1.retain(|returning| returning.has_changed().is_ok());
            returning.1.clone()
        };
        for mut returning in returning {
            let _ = tokio::time::timeout(PATIENCE_OF_ORDER, returning.changed()).await;
        }
    }

    /// Runs a script that decides by the budgets, again where it knows others, or a new one is being counted. `arguments`
    /// are those for the budgets as they are known. Gives what was known, the verdict, and what follows it.
    async fn decide(
        &self,
        script: &RedisScript,
        patience: Duration,
        arguments: impl Fn(&KnownBudgets) -> Arguments,
    ) -> Result<(Arc<KnownBudgets>, String, Vec<Value>)> {
        let started = Instant::now();
        loop {
            let known = Arc::clone(&self.known.lock());
            let left = patience.saturating_sub(started.elapsed());
            let reply = self.run(script, &arguments(&known), left).await?;
            let Some((verdict, rest)) = list_of(&reply)?.split_first() else { return Err(strange()) };
            match text_of(verdict)? {
                "stale" => {
                    let [version, budgets] = rest else { return Err(strange()) };
                    *self.known.lock() = Arc::new(KnownBudgets::read(version, budgets)?);
                }
                "busy" => {
                    let left = patience.saturating_sub(started.elapsed());
                    if left.is_zero() {
                        return Err(Error::Store(format!(
                            "a new budget was still counting what the ledger holds after {} s: try again",
                            patience.as_secs_f64()
                        )));
                    }
                    tokio::time::sleep(BUSY.min(left)).await;
                }
                verdict => return Ok((known, verdict.to_owned(), rest.to_vec())),
            }
        }
    }
}

impl Returns for RedisLedger {
    fn give_back(&self, hold: u64) {
        drop(self.release(hold));
    }
}

impl LedgerStore for RedisLedger {
    fn admit(&self, worst: &Arc<CostRecord>) -> Deferred<bool> {
        let worst = Arc::clone(worst);
        self.begin(|place| async move { place.admit(&worst).await })
    }

    fn hold(&self, worst: &Arc<CostRecord>, expires: i64) -> Deferred<Held> {
        let worst = Arc::clone(worst);
        // Where nobody waits any more when it is there, dropping it gives it back.
        self.begin(|place| async move { place.hold(&worst, expires).await })
    }

    fn reach(&self) -> Deferred<Option<StoreReach>> {
        self.begin(|place| async move { Ok(Some(place.link.reach().await)) })
    }

    fn hear(&self, freed: &Arc<Notify>) -> Deferred<Duration> {
        let freed = Arc::clone(freed);
        self.begin(|place| async move { place.hear(freed).await })
    }

    fn extend(&self, hold: u64, expires: i64, now: i64) -> Deferred<bool> {
        self.begin(|place| async move { place.extend(hold, expires, now).await })
    }

    fn release(&self, hold: u64) -> Deferred<bool> {
        let (returned, returning) = watch::channel(());
        self.place.returning().1.push(returning);
        self.begin(|place| async move {
            let _returned = returned;
            let outcome = place.release(hold).await;
            if let Err(error) = &outcome {
                tracing::debug!(%error, "a hold was not given back: it ends with its lease");
            }
            outcome
        })
    }

    fn settle(&self, record: &CostRecord, hold: Option<u64>, nonce: u64, now: i64) -> Deferred<Written> {
        let record = record.clone();
        self.begin(|place| async move { place.settle(&record, hold, nonce, now).await })
    }

    fn set_budget(&self, budget: Budget, now: i64) -> Deferred<()> {
        self.begin(|place| async move { place.set_budget(&budget, now).await })
    }

    fn remove_budget(&self, budget: Budget) -> Deferred<bool> {
        self.begin(|place| async move { place.remove_budget(&budget).await })
    }

    fn budgets(&self, now: i64) -> Deferred<Vec<BudgetStatus>> {
        self.begin(|place| async move { place.status(now).await })
    }

    fn page(&self, asked: PageRequest) -> Deferred<Page> {
        self.begin(|place| async move { place.page(asked).await })
    }

    fn sums(&self, filter: &Filter, span: Option<(Period, TimeZone)>) -> Deferred<Sums> {
        let filter = filter.clone();
        self.begin(|place| async move { place.sums(&filter, span).await })
    }

    fn purge(&self, before: i64) -> Deferred<usize> {
        self.begin(|place| async move { place.forget(Arguments::default().text("purge").int(before)).await })
    }

    fn drain(&self, archive: SqliteLedger) -> Deferred<usize> {
        self.begin(|place| async move { place.drain(&archive).await })
    }
}

/// How long a lease is, from times of the caller's clock.
fn lease(expires: i64, now: i64) -> u64 {
    micros(Duration::from_micros(u64::try_from(expires.saturating_sub(now)).unwrap_or_default()))
}
