//! Budgets of every period and scope beside a model that keeps every call in a list and adds it all up each time. Through
//! the trait of ledgers alone, in memory, on a file and in Redis: there by two handles in turns, with closings and crashes.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod models;
mod servers;

use headrace::Error;
use headrace::cost::budget::{Budget, Period, Scope};
use headrace::cost::ledger::{Held, LedgerStore, MemoryLedger, PageRequest, RedisLedger, SqliteLedger};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostRecord, CostTracker, Filter};
use headrace::store::Location;
use headrace::usage::Usage;
use models::{ModelFile, cases};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use servers::RedisServer;
use std::sync::Arc;
use std::time::Duration;

const MODELS: [&str; 2] = ["openai/gpt-4", "deepseek/deepseek-v3"];
const TENANTS: [&str; 2] = ["a", "b"];
const PERIODS: [&str; 4] = ["hour", "day", "ever", "rolling 6h"];
/// 2026-11-23T10:00:00Z.
const START: Duration = Duration::from_hours(498_730);
const SECOND: i64 = 1_000_000;

#[derive(Debug, Clone)]
enum Step {
    Set {
        place: usize,
        limit: u64,
    },
    Remove {
        place: usize,
    },
    Reserve {
        who: usize,
        model: usize,
        tokens: u64,
        lease_s: u64,
    },
    Settle {
        which: usize,
        tokens: u64,
    },
    Release {
        which: usize,
    },
    /// Sets money aside and lets it go at once.
    Glance {
        who: usize,
        model: usize,
        tokens: u64,
    },
    /// As a process that dies: the lease is all that is left.
    Forget {
        which: usize,
    },
    /// Makes a lease last that long from now.
    Extend {
        which: usize,
        lease_s: u64,
    },
    Record {
        who: usize,
        model: usize,
        tokens: u64,
    },
    /// A call of another time, as it is taken over from elsewhere.
    RecordAt {
        who: usize,
        model: usize,
        tokens: u64,
        seconds: i64,
    },
    Wait {
        seconds: u64,
    },
    /// The machine's clock was ahead and is set right.
    SetBack {
        seconds: i64,
    },
    /// Goes on with the other handle of the store.
    Switch,
    /// The handle is closed, and another opened.
    Reopen,
    /// All processes are killed: of what they held the numbers are left.
    Crash,
    /// Looking ends leases that are over, so it is not done after every step.
    Look,
}

/// Often a quarter of what limits are counted in, so that calls fit to the last attodollar.
fn tokens() -> impl Strategy<Value = u64> {
    prop_oneof![(1..12_u64).prop_map(|quarters| quarters * 250), 0..3000_u64]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..16_usize, 0..40_u64).prop_map(|(place, limit)| Step::Set { place, limit }),
        1 => (0..16_usize).prop_map(|place| Step::Remove { place }),
        8 => (0..4_usize, 0..2_usize, tokens(), 1..9000_u64)
            .prop_map(|(who, model, tokens, lease_s)| Step::Reserve { who, model, tokens, lease_s }),
        4 => (0..6_usize, tokens()).prop_map(|(which, tokens)| Step::Settle { which, tokens }),
        2 => (0..6_usize).prop_map(|which| Step::Release { which }),
        1 => (0..4_usize, 0..2_usize, tokens()).prop_map(|(who, model, tokens)| Step::Glance { who, model, tokens }),
        1 => (0..6_usize).prop_map(|which| Step::Forget { which }),
        1 => (0..6_usize, 1..9000_u64).prop_map(|(which, lease_s)| Step::Extend { which, lease_s }),
        1 => (0..4_usize, 0..2_usize, 0..500_u64).prop_map(|(who, model, tokens)| Step::Record { who, model, tokens }),
        1 => (0..4_usize, 0..2_usize, 0..500_u64, -20_000..200_000_i64)
            .prop_map(|(who, model, tokens, seconds)| Step::RecordAt { who, model, tokens, seconds }),
        3 => (0..20_000_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0..3600_i64).prop_map(|seconds| Step::SetBack { seconds }),
        3 => Just(Step::Switch),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        3 => Just(Step::Look),
    ];
    proptest::collection::vec(step, 0..60)
}

/// Sixteen budgets: four periods by four scopes.
fn budget(place: usize, limit: Money) -> Budget {
    let scope = match place / 4 {
        0 => Scope::default(),
        1 => Scope { tenant: Some("a".into()), ..Scope::default() },
        2 => Scope { model: Some("gpt-4".into()), tag: Some("x".into()), ..Scope::default() },
        _ => Scope { provider: Some("deepseek".into()), ..Scope::default() },
    };
    let period = Period::parse(PERIODS[place % 4]).unwrap();
    Budget { scope, period, ..Budget::new(limit).unwrap() }
}

fn covers(place: usize, who: usize, model: usize) -> bool {
    match place / 4 {
        0 => true,
        1 => who.is_multiple_of(2),
        2 => model == 0 && who >= 2,
        _ => model == 1,
    }
}

/// Whether a call of then counts now: it is in the same period, or one as long as that holds both.
fn counts(place: usize, then: i64, now: i64) -> bool {
    let floor = |time: i64, step: i64| time.div_euclid(step) * step;
    match place % 4 {
        0 => floor(then, 3600 * SECOND) == floor(now, 3600 * SECOND),
        1 => floor(then, 86_400 * SECOND) == floor(now, 86_400 * SECOND),
        2 => true,
        _ => {
            let (length, step) = (6 * 3600 * SECOND, 15 * SECOND);
            (floor(now - length, step)..=floor(now + length, step)).contains(&floor(then, step))
        }
    }
}

/// A call, over or running.
#[derive(Debug, Clone, Copy)]
struct Entry {
    who: usize,
    model: usize,
    time: i64,
    amount: Money,
    /// Of a running call.
    expires: i64,
}

fn sum(place: usize, entries: &[Entry], now: i64) -> Money {
    let mine = entries
        .iter()
        .filter(|entry| covers(place, entry.who, entry.model) && counts(place, entry.time, now) && entry.expires > now);
    mine.map(|entry| entry.amount).sum()
}

fn attribution(who: usize) -> Arc<Attribution> {
    let tags: Vec<&str> = if who >= 2 { vec!["x"] } else { vec![] };
    Arc::new(Attribution::new(TENANTS[who % 2], tags).unwrap())
}

fn usage(tokens: u64) -> Usage {
    Usage { input_tokens: tokens, ..Usage::default() }
}

#[derive(Default)]
struct Model {
    limits: [Option<Money>; 16],
    spent: Vec<Entry>,
    /// Calls that run, with what was set aside for each and the number of that.
    held: Vec<(Entry, Arc<CostRecord>, u64)>,
    /// What was set aside for calls that nobody makes any more.
    lost: Vec<Entry>,
}

impl Model {
    fn running(&self) -> Vec<Entry> {
        self.held.iter().map(|(entry, ..)| *entry).chain(self.lost.iter().copied()).collect()
    }

    /// What ended by now has ended, whatever the clock will say.
    fn end_leases(&mut self, now: i64) {
        self.lost.retain(|entry| entry.expires > now);
        for (entry, ..) in self.held.iter_mut().filter(|(entry, ..)| entry.expires <= now) {
            entry.expires = i64::MIN;
        }
    }

    /// Whether a call fits beside what was spent and what `running` calls may cost.
    fn fits(&self, call: &Entry, running: &[Entry]) -> bool {
        call.amount == Money::ZERO
            || (0..16).filter(|&place| covers(place, call.who, call.model)).all(|place| {
                let taken = sum(place, &self.spent, call.time) + sum(place, running, call.time);
                self.limits[place].is_none_or(|limit| taken + call.amount <= limit)
            })
    }
}

/// Where a history takes place.
enum Place<'a> {
    Memory,
    File(ModelFile),
    Server(&'a RedisServer),
}

impl Place<'_> {
    fn open(&self) -> Arc<dyn LedgerStore> {
        match self {
            Self::Memory => Arc::new(MemoryLedger::default()),
            Self::File(file) => Arc::new(SqliteLedger::open(&file.path()).unwrap()),
            Self::Server(server) => {
                let Location::Redis(address) = Location::parse(&server.url()).unwrap() else { panic!("no address") };
                Arc::new(RedisLedger::open(address, "default", false).unwrap())
            }
        }
    }

    /// Another handle, which in memory is the same.
    fn again(&self, store: &Arc<dyn LedgerStore>) -> Arc<dyn LedgerStore> {
        if matches!(self, Self::Memory) { Arc::clone(store) } else { self.open() }
    }
}

/// Makes records, and keeps none.
fn quoted(prices: &CostTracker, who: usize, model: usize, tokens: u64, time: i64) -> Arc<CostRecord> {
    let used = usage(tokens);
    let call = Call { time: Some(time), ..Call::new(MODELS[model], &used) };
    Arc::new(prices.quote(call, &attribution(who)).unwrap())
}

fn play(place: &Place<'_>, steps: &[Step]) -> Result<(), TestCaseError> {
    let prices = CostTracker::open("memory://", PriceTable::builtin()).unwrap();
    let mut store = place.open();
    let mut other = place.again(&store);
    let mut model = Model::default();
    let mut now = START.as_micros() as i64;
    let unit = quoted(&prices, 0, 0, 1000, now).amount;
    let (mut latest, mut nonce) = (now, 0);
    for step in steps {
        let call = |who: usize, model: usize, tokens: u64, time: i64, expires: i64| {
            let record = quoted(&prices, who, model, tokens, time);
            (Entry { who, model, time, amount: record.amount, expires }, record)
        };
        nonce += 1;
        match *step {
            Step::Set { place, limit } => {
                let limit = Money::from_attodollars(unit.attodollars() * i128::from(limit) / 4);
                store.set_budget(budget(place, limit), now).wait().unwrap();
                model.limits[place] = Some(limit);
            }
            Step::Remove { place } => {
                let found = store.remove_budget(budget(place, Money::ZERO)).wait().unwrap();
                prop_assert_eq!(found, model.limits[place].take().is_some());
            }
            Step::Reserve { who, model: at, tokens, .. } | Step::Glance { who, model: at, tokens } => {
                let (is_kept, lease_s) = match *step {
                    Step::Reserve { lease_s, .. } => (true, lease_s),
                    _ => (false, 60),
                };
                let expires = now + lease_s as i64 * SECOND;
                let (call, record) = call(who, at, tokens, now, expires);
                let is_admitted = model.fits(&call, &[]);
                prop_assert_eq!(store.admit(&record).wait().is_ok(), is_admitted, "{:?}", call);
                match store.hold(&record, expires).wait() {
                    Ok(Held::Taken(hold)) => {
                        prop_assert!(model.fits(&call, &model.running()), "{:?}", call);
                        if is_kept && let Some(number) = hold.take() {
                            model.held.push((call, record, number));
                        }
                    }
                    Ok(Held::InTheWay(_)) => {
                        prop_assert!(is_admitted && !model.fits(&call, &model.running()), "{:?}", call);
                    }
                    Err(Error::BudgetExceeded(_)) => prop_assert!(!is_admitted, "{:?}", call),
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Settle { which, tokens } if which < model.held.len() => {
                let (call, _, number) = model.held.remove(which);
                let record = quoted(&prices, call.who, call.model, tokens, call.time);
                store.settle(&record, Some(number), nonce, now).wait().unwrap();
                model.spent.push(Entry { amount: record.amount, expires: i64::MAX, ..call });
            }
            Step::Release { which } if which < model.held.len() => {
                let (.., number) = model.held.remove(which);
                store.release(number).wait().unwrap();
                prop_assert!(!store.release(number).wait().unwrap(), "it is given back once");
            }
            Step::Forget { which } if which < model.held.len() => {
                let (call, ..) = model.held.remove(which);
                model.lost.push(call);
            }
            Step::Extend { which, lease_s } if which < model.held.len() => {
                let expires = now + lease_s as i64 * SECOND;
                let (call, _, number) = &mut model.held[which];
                let is_running = store.extend(*number, expires, now).wait().unwrap();
                prop_assert_eq!(is_running, call.expires > now, "{:?}", call);
                if is_running {
                    call.expires = expires;
                }
            }
            Step::Record { who, model: at, tokens } => {
                let (call, record) = call(who, at, tokens, now, i64::MAX);
                store.settle(&record, None, nonce, now).wait().unwrap();
                model.spent.push(call);
            }
            Step::RecordAt { who, model: at, tokens, seconds } => {
                let (call, record) = call(who, at, tokens, now + seconds * SECOND, i64::MAX);
                store.settle(&record, None, nonce, now).wait().unwrap();
                model.spent.push(call);
            }
            Step::Wait { seconds } => {
                now += seconds as i64 * SECOND;
                latest = latest.max(now);
            }
            Step::SetBack { seconds } => {
                drop(store.budgets(now).wait().unwrap());
                model.end_leases(now);
                now = (now - seconds * SECOND).max(latest - 3600 * SECOND);
            }
            Step::Switch => std::mem::swap(&mut store, &mut other),
            Step::Reopen => store = place.again(&store),
            Step::Crash if !matches!(place, Place::Memory) => {
                if let Place::File(file) = place {
                    file.crash();
                }
                (store, other) = (place.open(), place.open());
            }
            _ => {}
        }
        if matches!(step, Step::Look) {
            look(&*store, &model, now)?;
        }
    }
    adds_up(&*store, &model)
}

fn look(store: &dyn LedgerStore, model: &Model, now: i64) -> Result<(), TestCaseError> {
    let running = model.running();
    let mut found = store.budgets(now).wait().unwrap();
    for (place, limit) in model.limits.iter().enumerate().filter_map(|(at, limit)| Some((at, (*limit)?))) {
        let wanted = budget(place, limit);
        let at = found.iter().position(|status| status.budget == wanted).expect("the budget is there");
        let taken = found.swap_remove(at).taken;
        prop_assert_eq!(taken.spent, sum(place, &model.spent, now), "spent of {}", place);
        prop_assert_eq!(taken.reserved, sum(place, &running, now), "reserved of {}", place);
    }
    prop_assert!(found.is_empty());
    Ok(())
}

/// Records and sums are those that were written.
fn adds_up(store: &dyn LedgerStore, model: &Model) -> Result<(), TestCaseError> {
    let wanted: Money = model.spent.iter().map(|call| call.amount).sum();
    let sums = store.sums(&Filter::default(), None).wait().unwrap();
    prop_assert_eq!(sums.cells.iter().map(|(_, cell)| cell.cost).sum::<Money>(), wanted);
    let (mut records, mut next) = (Vec::new(), Some(PageRequest { limit: Some(7), ..PageRequest::default() }));
    while let Some(asked) = next {
        let page = store.page(asked).wait().unwrap();
        records.extend(page.records);
        next = page.rest;
    }
    prop_assert_eq!(records.len(), model.spent.len());
    prop_assert_eq!(records.iter().map(CostRecord::cost).sum::<Money>(), wanted);
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]
    #[test]
    fn memory_agrees_with_the_list(steps in steps()) {
        play(&Place::Memory, &steps)?;
    }
}

proptest! {
    #![proptest_config(cases(16))]
    #[test]
    fn sqlite_agrees_with_the_list(steps in steps()) {
        play(&Place::File(ModelFile::new()), &steps)?;
    }
}

#[test]
fn redis_agrees_with_the_list() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let checked = TestRunner::new(cases(48)).run(&steps(), |steps| {
        assert_eq!(server.tell("FLUSHALL"), "+OK");
        play(&Place::Server(&server), &steps)
    });
    checked.unwrap();
}
