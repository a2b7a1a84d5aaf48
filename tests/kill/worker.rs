//! What each process does until it is killed, and writes down before and after.

use crate::log::{self, Line};
use headrace::cache::{CacheConfig, InsertRequest, SemanticCache};
use headrace::clock::{Clock, ManualClock, SystemClock};
use headrace::cost::budget::{Budget, Period};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostTracker, Settlement};
use headrace::queue::{Lease, PutOptions, QueueConfig, RequestQueue};
use headrace::usage::Usage;
use headrace::{Error, Payload, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub const MODEL: &str = "deepseek/deepseek-v3";
/// Short, so that what a killed process held is handed out again.
const LEASE: Duration = Duration::from_secs(1);
const SLOTS: u64 = 8;

pub struct Open {
    pub queue: RequestQueue,
    pub costs: CostTracker,
    pub cache: SemanticCache,
    pub who: Arc<Attribution>,
    runtime: tokio::runtime::Runtime,
}

impl Open {
    /// Opens the files, `later` than now.
    pub fn reopen(folder: &Path, later: Duration) -> Result<Self> {
        let url = |name: &str| format!("sqlite:///{}", folder.join(name).display());
        let clock: Arc<dyn Clock> = match later {
            Duration::ZERO => Arc::new(SystemClock::default()),
            later => Arc::new(ManualClock::new(SystemClock::default().wall() + later)),
        };
        let config = QueueConfig {
            lease: LEASE,
            max_attempts: u32::MAX,
            keep_results: LEASE,
            keep_keys: LEASE,
            ..QueueConfig::default()
        };
        Ok(Self {
            queue: RequestQueue::open_with_clock(&url("queue.db"), config, Arc::clone(&clock))?,
            costs: CostTracker::with_clock(&url("costs.db"), PriceTable::builtin(), Arc::clone(&clock))?,
            cache: SemanticCache::open(CacheConfig {
                url: url("cache.db"),
                clock,
                guards: None,
                ..CacheConfig::default()
            })?,
            who: Arc::new(Attribution::new("t", Vec::<String>::new())?),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        })
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A request, by its number; None where none came in time.
    pub fn take(&self, most: Option<Duration>) -> Result<Option<(u64, Lease)>> {
        match self.wait(self.queue.get_async(most)) {
            Ok(lease) => Ok(Some((std::str::from_utf8(lease.payload().as_bytes()).unwrap().parse().unwrap(), lease))),
            Err(Error::Timeout(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub fn usage() -> Usage {
    Usage { input_tokens: 1000, ..Usage::default() }
}

pub fn question(slot: u64) -> String {
    format!("Question {slot}?")
}

/// Works for ever.
pub fn work(folder: &Path, first: u64) {
    let open = Open::reopen(folder, Duration::ZERO).unwrap();
    let mut log = log::open(folder);
    let limit = Money::from_attodollars(1_000_000_000_000_000_000_000_000);
    let budget = Budget { period: Period::Ever, ..Budget::new(limit).unwrap() };
    open.costs.set_budget(budget, vec![], None).wait().unwrap();
    for number in first.. {
        let text = number.to_string().into_bytes();
        log::write(&mut log, &Line::Putting(number));
        open.wait(open.queue.put_async(Payload::bytes(text.clone()), PutOptions::default(), None)).unwrap();
        log::write(&mut log, &Line::Put(number));

        if let Some((taken, lease)) = open.take(Some(Duration::ZERO)).unwrap() {
            log::write(&mut log, &Line::Took(taken, lease.attempt()));
            log::write(&mut log, &Line::Acking(taken));
            match open.wait(lease.ack_async(None, None)) {
                Ok(()) => log::write(&mut log, &Line::Acked(taken, lease.attempt())),
                Err(Error::LeaseLost(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }

        log::write(&mut log, &Line::Booking);
        if number.is_multiple_of(2) {
            open.costs.record(Call::new(MODEL, &usage()), &open.who).wait().unwrap();
        } else {
            let reservation = open.costs.reserve(MODEL, &usage(), &open.who, Duration::from_mins(1)).wait().unwrap();
            reservation.settle(&usage(), Settlement::default()).wait().unwrap();
        }
        log::write(&mut log, &Line::Booked);

        let slot = number % SLOTS;
        log::write(&mut log, &Line::Keeping(slot, number));
        let asked = question(slot);
        open.cache.insert_and_keep(vec![InsertRequest::new(&asked, Payload::bytes(text))]).unwrap();
        log::write(&mut log, &Line::Kept(slot, number));
    }
}
