//! What is done to a queue, a ledger and a cache on files, and what each step was told.

use headrace::cache::{CacheConfig, InsertRequest, LookupRequest, Selection, SemanticCache};
use headrace::clock::ManualClock;
use headrace::cost::budget::{Budget, Period};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostRecord, CostTracker, Settlement};
use headrace::queue::{Lease, PutOptions, QueueConfig, RequestQueue};
use headrace::usage::Usage;
use headrace::{Error, Payload, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-23T10:00:00Z.
pub const START: Duration = Duration::from_hours(498_730);
pub const MODEL: &str = "deepseek/deepseek-v3";
const LEASE: Duration = Duration::from_mins(1);
/// Questions of the cache, each with one of two tags.
pub const SLOTS: u64 = 4;
/// What the cache is saved to.
pub const SAVED: &str = "saved.db";

/// A step.
#[derive(Debug, Clone, Copy)]
enum Act {
    Budget,
    Put,
    Ack,
    Nack,
    Book,
    Hold,
    Keep(u64),
    Reject(u64),
    Delete(u64),
    Invalidate(u64),
    Save,
}

/// The first steps; all but the first are done over and over.
const ACTS: [Act; 20] = [
    Act::Budget,
    Act::Put,
    Act::Keep(0),
    Act::Book,
    Act::Keep(1),
    Act::Keep(0),
    Act::Ack,
    Act::Put,
    Act::Hold,
    Act::Reject(1),
    Act::Invalidate(0),
    Act::Nack,
    Act::Keep(2),
    Act::Keep(3),
    Act::Book,
    Act::Delete(2),
    Act::Save,
    Act::Put,
    Act::Ack,
    Act::Keep(1),
];

/// What a step did, whether or not it was told so.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    Put(u64),
    Ack(u64),
    Budget,
    Book,
    /// The answer to a question of the cache.
    Keep(u64, u64),
    Reject(u64),
    Delete(u64),
    /// Of all questions with a tag.
    Invalidate(u64),
    Save,
    Nothing,
}

#[derive(Default)]
pub struct Told {
    /// By step, each with whether it succeeded.
    pub deeds: Vec<(Deed, bool)>,
    pub refused: usize,
}

pub struct Open {
    pub queue: RequestQueue,
    pub costs: CostTracker,
    pub cache: SemanticCache,
    runtime: tokio::runtime::Runtime,
    pub who: Arc<Attribution>,
}

impl Open {
    pub fn reopen(folder: &Path, at: Duration) -> Result<Self> {
        let url = |name: &str| format!("sqlite:///{}", folder.join(name).display());
        let clock = Arc::new(ManualClock::new(at));
        let config = QueueConfig { lease: LEASE, ..QueueConfig::default() };
        Ok(Self {
            queue: RequestQueue::open_with_clock(&url("queue.db"), config, clock.clone())?,
            costs: CostTracker::with_clock(&url("costs.db"), PriceTable::builtin(), clock.clone())?,
            cache: SemanticCache::open(CacheConfig { url: url("cache.db"), clock, ..CacheConfig::default() })?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            who: Arc::new(Attribution::new("t", Vec::<String>::new())?),
        })
    }

    /// Runs what waits; the bound ends a test that hangs.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), work).await }).expect("it hangs")
    }

    fn put(&self, number: u64) -> Result<()> {
        let payload = Payload::Json(number.to_string().into_bytes().into());
        self.wait(self.queue.put_async(payload, PutOptions::default(), None)).map(drop)
    }

    /// None where nothing waits: what a failed ack left behind is leased for as long as the clock stands still.
    fn take(&self) -> Result<Option<Lease>> {
        match self.wait(self.queue.get_async(Some(Duration::ZERO))) {
            Err(Error::Timeout(_)) => Ok(None),
            taken => taken.map(Some),
        }
    }
}

pub fn usage() -> Usage {
    Usage { input_tokens: 1000, ..Usage::default() }
}

pub fn number(payload: &Payload) -> u64 {
    std::str::from_utf8(payload.as_bytes()).unwrap().parse().unwrap()
}

pub fn question(slot: u64) -> String {
    format!("Question {slot}?")
}

fn tag(number: u64) -> String {
    format!("tag {}", number % 2)
}

/// Whether a question has a tag.
pub fn is_tagged(slot: u64, number: u64) -> bool {
    tag(slot) == tag(number)
}

/// Runs the steps, and goes on where one fails; tells how many are done.
pub fn script(folder: &Path, steps: usize, mut done: impl FnMut(usize)) -> Told {
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
        let act = ACTS[if step == 0 { 0 } else { 1 + (step - 1) % (ACTS.len() - 1) }];
        let (deed, outcome) = run(&open, folder, act, step as u64);
        if let Err(error) = &outcome {
            assert!(matches!(error, Error::Store(_)), "step {step}: {error:?}");
            told.refused += 1;
        }
        told.deeds.push((deed, outcome.is_ok()));
        done(step + 1);
    }
    told
}

/// A record without an id is kept in memory and promised to nobody yet.
fn on_disk(record: CostRecord) -> Result<()> {
    if record.id > 0 { Ok(()) } else { Err(Error::Store("kept for later".into())) }
}

/// The deed of what was found, if anything was.
fn if_found<T>(found: Result<Option<T>>, deed: impl FnOnce(T) -> (Deed, Result<()>)) -> (Deed, Result<()>) {
    match found {
        Ok(Some(found)) => deed(found),
        Ok(None) => (Deed::Nothing, Ok(())),
        Err(error) => (Deed::Nothing, Err(error)),
    }
}

fn run(open: &Open, folder: &Path, act: Act, step: u64) -> (Deed, Result<()>) {
    match act {
        Act::Budget => (Deed::Budget, open.costs.set_budget(limit(), vec![], None).wait()),
        Act::Put => (Deed::Put(step), open.put(step)),
        Act::Ack => {
            if_found(open.take(), |lease| (Deed::Ack(number(lease.payload())), open.wait(lease.ack_async(None, None))))
        }
        Act::Nack => if_found(open.take(), |lease| {
            (Deed::Nothing, open.wait(lease.nack_async("again", Some(Duration::ZERO), true)))
        }),
        Act::Book => {
            let used = usage();
            (Deed::Book, open.costs.record(Call::new(MODEL, &used), &open.who).wait().and_then(on_disk))
        }
        Act::Hold => if_found(open.costs.reserve(MODEL, &usage(), &open.who, LEASE).wait().map(Some), |reservation| {
            let settled = reservation.settle(&usage(), Settlement::default()).wait();
            (Deed::Book, settled.and_then(on_disk))
        }),
        cached => run_cached(open, folder, cached, step),
    }
}

fn run_cached(open: &Open, folder: &Path, act: Act, step: u64) -> (Deed, Result<()>) {
    let cache = &open.cache;
    let hit = |slot: u64| Ok(cache.lookup_exact(&LookupRequest::new(&question(slot))));
    match act {
        Act::Keep(slot) => {
            let (asked, tags) = (question(slot), [tag(slot)]);
            let answer = Payload::Json(step.to_string().into_bytes().into());
            let request = InsertRequest { tags: &tags, ..InsertRequest::new(&asked, answer) };
            (Deed::Keep(slot, step), cache.insert_and_keep(vec![request]).map(drop))
        }
        Act::Reject(slot) => {
            if_found(hit(slot), |hit| (Deed::Reject(slot), cache.feedback(&hit, false).and_then(|()| cache.flush())))
        }
        Act::Delete(slot) => if_found(hit(slot), |hit| (Deed::Delete(slot), cache.delete(&hit.key()).map(drop))),
        Act::Invalidate(number) => {
            let tag = tag(number);
            let selection = Selection { tag: Some(&tag), ..Selection::default() };
            (Deed::Invalidate(number), cache.invalidate(&selection).map(drop))
        }
        _ => (Deed::Save, cache.save(&folder.join(SAVED)).map(drop)),
    }
}

fn limit() -> Budget {
    Budget { period: Period::Ever, ..Budget::new(Money::from_attodollars(1_000_000_000_000_000_000_000)).unwrap() }
}
