//! Budgets of every period and scope beside a model that keeps every call in a list and adds it all up each time.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod servers;

use headrace::clock::Clock;
use headrace::cost::budget::{Budget, Period, Scope};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostTracker, Reservation, Settlement};
use headrace::usage::Usage;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use servers::RedisServer;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const MODELS: [&str; 2] = ["openai/gpt-4", "deepseek/deepseek-chat"];
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
    /// As a process that dies: the lease is all that is left.
    Forget {
        which: usize,
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
        1 => (0..6_usize).prop_map(|which| Step::Forget { which }),
        1 => (0..4_usize, 0..2_usize, 0..500_u64).prop_map(|(who, model, tokens)| Step::Record { who, model, tokens }),
        1 => (0..4_usize, 0..2_usize, 0..500_u64, -20_000..200_000_i64)
            .prop_map(|(who, model, tokens, seconds)| Step::RecordAt { who, model, tokens, seconds }),
        3 => (0..20_000_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0..3600_i64).prop_map(|seconds| Step::SetBack { seconds }),
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

/// A clock that can be set back.
#[derive(Debug, Clone)]
struct SetClock(Arc<AtomicI64>);

impl SetClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START.as_micros() as i64)))
    }

    fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn monotonic(&self) -> Duration {
        self.wall()
    }

    fn wall(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst) as u64)
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
    held: Vec<(Entry, Reservation)>,
    /// Reservations of a process that died.
    lost: Vec<Entry>,
}

impl Model {
    fn running(&self) -> Vec<Entry> {
        self.held.iter().map(|(entry, _)| *entry).chain(self.lost.iter().copied()).collect()
    }

    /// What ended by now has ended, whatever the clock will say.
    fn end_leases(&mut self, now: i64) {
        self.lost.retain(|entry| entry.expires > now);
        for (entry, _) in self.held.iter_mut().filter(|(entry, _)| entry.expires <= now) {
            entry.expires = i64::MIN;
        }
    }

    fn fits(&self, call: &Entry) -> bool {
        if call.amount == Money::ZERO {
            return true;
        }
        let running = self.running();
        (0..16).filter(|&place| covers(place, call.who, call.model)).all(|place| {
            let taken = sum(place, &self.spent, call.time) + sum(place, &running, call.time);
            self.limits[place].is_none_or(|limit| taken + call.amount <= limit)
        })
    }
}

fn play(tracker: &CostTracker, clock: &SetClock, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let unit = tracker.quote(Call::new(MODELS[0], &usage(1000)), &attribution(0)).unwrap().amount;
    let mut now = START.as_micros() as i64;
    let mut latest = now;
    for step in steps {
        let quote = |who: usize, model: usize, tokens: u64, expires: i64| {
            let amount = tracker.quote(Call::new(MODELS[model], &usage(tokens)), &attribution(who)).unwrap().amount;
            Entry { who, model, time: now, amount, expires }
        };
        match *step {
            Step::Set { place, limit } => {
                let limit = Money::from_attodollars(unit.attodollars() * i128::from(limit) / 4);
                tracker.set_budget(budget(place, limit), vec![], None).wait().unwrap();
                model.limits[place] = Some(limit);
            }
            Step::Remove { place } => {
                let found = tracker.remove_budget(budget(place, Money::ZERO)).wait().unwrap();
                prop_assert_eq!(found, model.limits[place].take().is_some());
            }
            Step::Reserve { who, model: at, tokens, lease_s } => {
                let call = quote(who, at, tokens, now + lease_s as i64 * SECOND);
                let lease = Duration::from_secs(lease_s);
                let found = tracker.reserve(MODELS[at], &usage(tokens), &attribution(who), lease).wait();
                prop_assert_eq!(found.is_ok(), model.fits(&call), "{:?}", call);
                model.held.extend(found.ok().map(|found| (call, found)));
            }
            Step::Settle { which, tokens } if which < model.held.len() => {
                let (call, held) = model.held.remove(which);
                let record = held.settle(&usage(tokens), Settlement::default()).wait().unwrap();
                model.spent.push(Entry { amount: record.cost(), expires: i64::MAX, ..call });
            }
            Step::Release { which } if which < model.held.len() => {
                let (_, held) = model.held.remove(which);
                drop(held);
            }
            Step::Forget { which } if which < model.held.len() => {
                let (call, held) = model.held.remove(which);
                std::mem::forget(held);
                model.lost.push(call);
            }
            Step::Record { who, model: at, tokens } => {
                let call = quote(who, at, tokens, i64::MAX);
                tracker.record(Call::new(MODELS[at], &usage(tokens)), &attribution(who)).wait().unwrap();
                model.spent.push(call);
            }
            Step::RecordAt { who, model: at, tokens, seconds } => {
                let time = now + seconds * SECOND;
                let call = Entry { time, ..quote(who, at, tokens, i64::MAX) };
                let used = usage(tokens);
                let past = Call { time: Some(time), ..Call::new(MODELS[at], &used) };
                let amount = tracker.record(past, &attribution(who)).wait().unwrap().cost();
                model.spent.push(Entry { amount, ..call });
            }
            Step::Wait { seconds } => {
                now += seconds as i64 * SECOND;
                latest = latest.max(now);
                clock.set(now);
            }
            Step::SetBack { seconds } => {
                drop(tracker.budgets().wait().unwrap());
                model.end_leases(now);
                now = (now - seconds * SECOND).max(latest - 3600 * SECOND);
                clock.set(now);
            }
            _ => {}
        }
        if !matches!(step, Step::Look) {
            continue;
        }
        let running = model.running();
        let mut found = tracker.budgets().wait().unwrap();
        for (place, limit) in model.limits.iter().enumerate().filter_map(|(at, limit)| Some((at, (*limit)?))) {
            let wanted = budget(place, limit);
            let at = found.iter().position(|status| status.budget == wanted).expect("the budget is there");
            let taken = found.swap_remove(at).taken;
            prop_assert_eq!(taken.spent, sum(place, &model.spent, now), "spent of {} after {:?}", place, step);
            prop_assert_eq!(taken.reserved, sum(place, &running, now), "reserved of {} after {:?}", place, step);
        }
        prop_assert!(found.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn memory_agrees_with_the_list(steps in steps()) {
        let clock = SetClock::new();
        let tracker =
            CostTracker::with_clock("memory://", PriceTable::builtin(), Arc::new(clock.clone())).unwrap();
        play(&tracker, &clock, &steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn sqlite_agrees_with_the_list(steps in steps()) {
        let (clock, dir) = (SetClock::new(), tempfile::tempdir().unwrap());
        let url = format!("sqlite:///{}", dir.path().join("costs.db").display());
        let tracker = CostTracker::with_clock(&url, PriceTable::builtin(), Arc::new(clock.clone())).unwrap();
        play(&tracker, &clock, &steps)?;
    }
}

#[test]
fn redis_agrees_with_the_list() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(64) });
    let checked = runner.run(&steps(), |steps| {
        assert_eq!(server.tell("FLUSHALL"), "+OK");
        let clock = SetClock::new();
        let tracker = CostTracker::with_clock(&server.url(), PriceTable::builtin(), Arc::new(clock.clone())).unwrap();
        let played = play(&tracker, &clock, &steps);
        // What is dropped is given back in the background: not into the next history's ledger.
        drop(tracker);
        played
    });
    checked.unwrap();
}
