//! What is done to the files, and what must hold of them afterwards.

use headrace::clock::ManualClock;
use headrace::cost::budget::{Budget, Period};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostRecord, CostTracker, Filter, Settlement};
use headrace::queue::{PutOptions, QueueConfig, RequestQueue};
use headrace::usage::Usage;
use headrace::{Error, Payload, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-23T10:00:00Z.
const START: Duration = Duration::from_hours(498_730);
const MODEL: &str = "deepseek/deepseek-chat";
const LEASE: Duration = Duration::from_mins(1);

/// What a step did, whether or not it was told so.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    Put(u64),
    Ack(u64),
    Budget,
    Book,
    Nothing,
}

#[derive(Default)]
pub struct Told {
    /// By step, each with whether it succeeded.
    pub deeds: Vec<(Deed, bool)>,
    pub refused: usize,
}

/// The effects of some steps together.
#[derive(Debug, Default)]
pub struct Effects {
    put: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    booked: usize,
    budget: bool,
}

impl Effects {
    fn of(deeds: impl Iterator<Item = Deed>) -> Self {
        let mut effects = Self::default();
        for deed in deeds {
            match deed {
                Deed::Put(number) => drop(effects.put.insert(number)),
                Deed::Ack(number) => drop(effects.acked.insert(number)),
                Deed::Book => effects.booked += 1,
                Deed::Budget => effects.budget = true,
                Deed::Nothing => {}
            }
        }
        effects
    }
}

impl Told {
    pub fn promised(&self, done: usize) -> Effects {
        Effects::of(self.deeds[..done].iter().filter(|(_, held)| *held).map(|(deed, _)| *deed))
    }

    pub fn tried(&self, ran: usize) -> Effects {
        Effects::of(self.deeds[..ran].iter().map(|(deed, _)| *deed))
    }
}

struct Open {
    queue: RequestQueue,
    costs: CostTracker,
    runtime: tokio::runtime::Runtime,
    who: Arc<Attribution>,
}

impl Open {
    fn reopen(folder: &Path, at: Duration) -> Result<Self> {
        let url = |name: &str| format!("sqlite:///{}", folder.join(name).display());
        let clock = Arc::new(ManualClock::new(at));
        let config = QueueConfig { lease: LEASE, ..QueueConfig::default() };
        Ok(Self {
            queue: RequestQueue::open_with_clock(&url("queue.db"), config, clock.clone())?,
            costs: CostTracker::with_clock(&url("costs.db"), PriceTable::builtin(), clock)?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            who: Arc::new(Attribution::new("t", Vec::<String>::new())?),
        })
    }

    /// Runs what waits; the bound ends a test that hangs.
    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), work).await }).expect("it hangs")
    }

    fn put(&self, number: u64) -> Result<()> {
        let payload = Payload::Json(number.to_string().into_bytes().into());
        self.wait(self.queue.put_async(payload, PutOptions::default(), None)).map(drop)
    }

    fn take(&self) -> Result<headrace::queue::Lease> {
        self.wait(self.queue.get_async(None))
    }
}

fn usage() -> Usage {
    Usage { input_tokens: 1000, ..Usage::default() }
}

fn number(lease: &headrace::queue::Lease) -> u64 {
    std::str::from_utf8(lease.payload().as_bytes()).unwrap().parse().unwrap()
}

/// Runs the steps, and goes on where one fails.
pub fn script(folder: &Path, steps: usize) -> Told {
    let mut told = Told::default();
    let open = match Open::reopen(folder, START) {
        Ok(open) => open,
        Err(error) => {
            assert!(matches!(error, Error::Store(_)), "{error:?}");
            told.refused += 1;
            return told;
        }
    };
    for step in 0..steps {
        let (deed, done) = run(&open, step);
        if let Err(error) = &done {
            assert!(matches!(error, Error::Store(_)), "step {step}: {error:?}");
            told.refused += 1;
        }
        told.deeds.push((deed, done.is_ok()));
        crate::system::done(step + 1);
    }
    told
}

/// A record without an id is kept in memory and promised to nobody yet.
fn on_disk(record: CostRecord) -> Result<()> {
    if record.id > 0 { Ok(()) } else { Err(Error::Store("kept for later".into())) }
}

fn run(open: &Open, step: usize) -> (Deed, Result<()>) {
    let call = |usage: &Usage| open.costs.record(Call::new(MODEL, usage), &open.who).wait().and_then(on_disk);
    match step % 8 {
        0 if step == 0 => (Deed::Budget, open.costs.set_budget(limit(), vec![], None).wait()),
        0 | 1 | 5 => (Deed::Put(step as u64), open.put(step as u64)),
        2 | 7 => (Deed::Book, call(&usage())),
        // What a failed ack left behind is leased for as long as the clock stands still.
        3 | 6 => match open.wait(open.queue.get_async(Some(Duration::ZERO))) {
            Err(Error::Timeout(_)) => (Deed::Nothing, Ok(())),
            Err(error) => (Deed::Nothing, Err(error)),
            Ok(lease) if step % 8 == 3 => (Deed::Ack(number(&lease)), open.wait(lease.ack_async(None, None))),
            Ok(lease) => (Deed::Nothing, open.wait(lease.nack_async("again", Some(Duration::ZERO), true))),
        },
        _ => match open.costs.reserve(MODEL, &usage(), &open.who, LEASE).wait() {
            Err(error) => (Deed::Nothing, Err(error)),
            Ok(reservation) => {
                (Deed::Book, reservation.settle(&usage(), Settlement::default()).wait().and_then(on_disk))
            }
        },
    }
}

fn limit() -> Budget {
    Budget { period: Period::Ever, ..Budget::new(Money::from_attodollars(1_000_000_000_000_000_000_000)).unwrap() }
}

/// What must hold of the files in a folder.
pub fn check(folder: &Path, promised: &Effects, tried: &Effects, what: &str) {
    // An hour later every lease is over.
    let open = Open::reopen(folder, START + Duration::from_hours(1)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut found = BTreeSet::new();
    while !open.queue.is_empty().unwrap() {
        let lease = open.take().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(found.insert(number(&lease)), "{what}: {} came twice", number(&lease));
        open.wait(lease.ack_async(None, None)).unwrap();
    }
    let owed: BTreeSet<_> = promised.put.difference(&tried.acked).copied().collect();
    assert!(owed.is_subset(&found), "{what}: lost {:?}", owed.difference(&found));
    let known: BTreeSet<_> = tried.put.difference(&promised.acked).copied().collect();
    assert!(found.is_subset(&known), "{what}: invented, or acked before: {:?}", found.difference(&known));

    let records = open.costs.records(&Filter::default(), None, false).wait().unwrap();
    assert!((promised.booked..=tried.booked).contains(&records.len()), "{what}: {} records", records.len());
    let one = open.costs.quote(Call::new(MODEL, &usage()), &open.who).unwrap().amount;
    let total = Money::from_attodollars(one.attodollars() * records.len() as i128);
    assert_eq!(open.costs.total(&Filter::default()).wait().unwrap(), total, "{what}");
    let budgets = open.costs.budgets().wait().unwrap();
    assert!(budgets.len() >= usize::from(promised.budget) && budgets.len() <= usize::from(tried.budget), "{what}");
    for budget in budgets {
        assert_eq!((budget.taken.spent, budget.taken.reserved), (total, Money::default()), "{what}");
    }
}
