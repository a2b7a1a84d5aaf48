//! Budgets: never over, never refused while there is room, nothing left behind.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use headrace::Error;
use headrace::clock::ManualClock;
use headrace::cost::budget::{Budget, Period, Scope};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostTracker, DEFAULT_LEASE, Filter, Reservation, Settlement};
use headrace::usage::Usage;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MODEL: &str = "deepseek/deepseek-v3";
/// 2026-11-23T10:00:00Z.
const START: Duration = Duration::from_hours(498_730);

fn usage(tokens: u64) -> Usage {
    Usage { input_tokens: tokens, ..Usage::default() }
}

fn who(tenant: &str) -> Arc<Attribution> {
    Arc::new(Attribution::new(tenant, Vec::<String>::new()).unwrap())
}

fn price(tracker: &CostTracker, tokens: u64) -> Money {
    tracker.quote(Call::new(MODEL, &usage(tokens)), &who("t")).unwrap().amount
}

fn budget(limit: Money, tenant: &str, period: Period) -> Budget {
    let scope = Scope { tenant: Some(tenant.into()), ..Scope::default() };
    Budget { scope, period, ..Budget::new(limit).unwrap() }
}

/// A tracker in memory, and one in a file that lives as long as the guard.
fn trackers() -> Vec<(CostTracker, ManualClock, Option<tempfile::TempDir>)> {
    let open = |url: &str, dir| {
        let clock = ManualClock::new(START);
        let prices = PriceTable::builtin();
        (CostTracker::with_clock(url, prices, Arc::new(clock.clone())).unwrap(), clock, dir)
    };
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", dir.path().join("costs.db").display());
    vec![open("memory://", None), open(&url, Some(dir))]
}

fn times(money: Money, count: i128) -> Money {
    Money::from_attodollars(money.attodollars() * count)
}

#[test]
fn threads_spend_all_of_a_budget_and_no_more() {
    for (tracker, _, _dir) in trackers() {
        let one = price(&tracker, 1000);
        let limit = times(one, 40) + times(one, 1).min(Money::from_attodollars(one.attodollars() / 2));
        tracker.set_budget(budget(limit, "race", Period::Day), vec![], None).wait().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    while let Ok(held) = tracker.reserve(MODEL, &usage(1000), &who("race"), DEFAULT_LEASE).wait() {
                        held.settle(&usage(1000), Settlement::default()).wait().unwrap();
                    }
                });
            }
        });
        assert_eq!(tracker.total(&Filter::default()).wait().unwrap(), times(one, 40));
        assert_eq!(tracker.budgets().wait().unwrap()[0].taken.reserved, Money::ZERO);
    }
}

#[test]
fn a_reservation_that_nobody_waits_for_gives_its_money_back() {
    for (tracker, _, _dir) in trackers() {
        let one = price(&tracker, 1000);
        tracker.set_budget(budget(one, "t", Period::Day), vec![], None).wait().unwrap();
        for _ in 0..20 {
            // A task that is cancelled while the file has not answered.
            drop(tracker.reserve(MODEL, &usage(1000), &who("t"), DEFAULT_LEASE));
        }
        let reserved = || tracker.budgets().wait().unwrap()[0].taken.reserved;
        for _ in 0..200 {
            if reserved() == Money::ZERO {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(reserved(), Money::ZERO);
        drop(tracker.reserve(MODEL, &usage(1000), &who("t"), DEFAULT_LEASE).wait().unwrap());
    }
}

#[test]
fn a_settlement_that_fails_leaves_the_reservation_as_it_was() {
    for (tracker, _, _dir) in trackers() {
        let one = price(&tracker, 1000);
        tracker.set_budget(budget(one, "t", Period::Day), vec![], None).wait().unwrap();
        let held = tracker.reserve(MODEL, &usage(1000), &who("t"), DEFAULT_LEASE).wait().unwrap();
        let broken = Usage { cached_input_tokens: 5, ..usage(1) };
        assert!(held.settle(&broken, Settlement::default()).wait().is_err());
        assert!(!held.is_over());
        held.settle(&usage(500), Settlement::default()).wait().unwrap();
        let taken = tracker.budgets().wait().unwrap()[0].taken;
        assert_eq!((taken.spent, taken.reserved), (price(&tracker, 500), Money::ZERO));
    }
}

#[test]
fn a_budget_counts_what_its_names_mean() {
    for (tracker, _, _dir) in trackers() {
        let scopes = [
            Scope { provider: Some("google".into()), ..Scope::default() },
            Scope { model: Some("google/gemini-2.5-pro".into()), ..Scope::default() },
            Scope { model: Some("models/gemini-2.5-pro".into()), ..Scope::default() },
        ];
        for scope in scopes {
            let budget = Budget { scope: scope.clone(), ..Budget::new(Money::ZERO).unwrap() };
            tracker.set_budget(budget.clone(), vec![], None).wait().unwrap();
            let held = tracker.reserve("gemini/gemini-2.5-pro", &usage(1000), &who("t"), DEFAULT_LEASE).wait();
            assert!(matches!(held, Err(Error::BudgetExceeded(_))), "{scope}");
            assert!(tracker.remove_budget(budget).wait().unwrap(), "{scope}");
        }
        tracker.record(Call::new("google/gemini-2.5-pro", &usage(1000)), &who("t")).wait().unwrap();
        let scope = Scope { provider: Some("google".into()), ..Scope::default() };
        assert_eq!(tracker.records(&Filter { scope, ..Filter::default() }, None, false).wait().unwrap().len(), 1);
    }
}

#[test]
fn what_is_dated_later_counts_when_its_period_has_come() {
    for (tracker, clock, _dir) in trackers() {
        let one = price(&tracker, 1000);
        tracker.set_budget(budget(one, "t", Period::Day), vec![], None).wait().unwrap();
        let (call, tomorrow) = (usage(1000), START + Duration::from_hours(24));
        let later = Call { time: Some(tomorrow.as_micros() as i64), ..Call::new(MODEL, &call) };
        tracker.record(later, &who("t")).wait().unwrap();
        tracker.reserve(MODEL, &call, &who("t"), DEFAULT_LEASE).wait().unwrap().release().wait().unwrap();
        clock.advance(Duration::from_hours(24));
        assert!(tracker.reserve(MODEL, &call, &who("t"), DEFAULT_LEASE).wait().is_err());
        tracker.reserve(MODEL, &usage(0), &who("t"), DEFAULT_LEASE).wait().unwrap();
    }
}

#[test]
fn a_reservation_that_is_forgotten_ends_with_its_lease() {
    for (tracker, clock, _dir) in trackers() {
        let one = price(&tracker, 1000);
        tracker.set_budget(budget(one, "t", Period::Day), vec![], None).wait().unwrap();
        let lost = tracker.reserve(MODEL, &usage(1000), &who("t"), Duration::from_mins(1)).wait().unwrap();
        let refused = tracker.reserve(MODEL, &usage(1), &who("t"), DEFAULT_LEASE).wait();
        assert!(matches!(refused, Err(Error::BudgetExceeded(_))));
        clock.advance(Duration::from_secs(61));
        let next = tracker.reserve(MODEL, &usage(1000), &who("t"), DEFAULT_LEASE).wait().unwrap();
        assert!(matches!(lost.extend(Duration::from_mins(1)).wait(), Err(Error::LeaseLost(_))));
        drop((lost, next));
    }
}

#[test]
fn a_call_counts_when_it_was_reserved() {
    for (tracker, clock, _dir) in trackers() {
        let one = price(&tracker, 1000);
        tracker.set_budget(budget(one, "t", Period::Hour), vec![], None).wait().unwrap();
        let held = tracker.reserve(MODEL, &usage(1000), &who("t"), Duration::from_hours(2)).wait().unwrap();
        clock.advance(Duration::from_hours(1));
        let second = tracker.reserve(MODEL, &usage(1000), &who("t"), DEFAULT_LEASE).wait().unwrap();
        held.settle(&usage(1000), Settlement::default()).wait().unwrap();
        second.settle(&usage(1000), Settlement::default()).wait().unwrap();
        assert_eq!(tracker.budgets().wait().unwrap()[0].taken.spent, one);
        assert_eq!(tracker.total(&Filter::default()).wait().unwrap(), times(one, 2));
    }
}

#[test]
fn what_the_ledger_holds_counts_for_a_new_budget() {
    for (tracker, _, _dir) in trackers() {
        tracker.record(Call::new(MODEL, &usage(1000)), &who("t")).wait().unwrap();
        tracker.record(Call::new(MODEL, &usage(1000)), &who("other")).wait().unwrap();
        let one = price(&tracker, 1000);
        tracker.set_budget(budget(times(one, 2), "t", Period::Month), vec![], None).wait().unwrap();
        assert_eq!(tracker.budgets().wait().unwrap()[0].taken.spent, one);
    }
}

#[test]
fn a_rolling_budget_has_room_again_after_its_length() {
    for (tracker, clock, _dir) in trackers() {
        let one = price(&tracker, 1000);
        let period = Period::parse("rolling 24h").unwrap();
        tracker.set_budget(budget(one, "t", period), vec![], None).wait().unwrap();
        let spend = || -> Result<(), Error> {
            let held = tracker.reserve(MODEL, &usage(1000), &who("t"), DEFAULT_LEASE).wait()?;
            held.settle(&usage(1000), Settlement::default()).wait().map(drop)
        };
        spend().unwrap();
        clock.advance(Duration::from_secs(86_399));
        assert!(spend().is_err());
        clock.advance(Duration::from_secs(61));
        spend().unwrap();
    }
}

#[test]
fn each_fraction_is_told_once() {
    for (tracker, _, _dir) in trackers() {
        let one = price(&tracker, 1000);
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&told);
        let listener = Arc::new(move |alert: &headrace::cost::budget::Alert| seen.lock().unwrap().push(alert.fraction));
        let fractions = ["0.5", "0.8", "1"].map(|text| text.parse().unwrap()).to_vec();
        tracker.set_budget(budget(times(one, 10), "t", Period::Day), fractions, Some(listener)).wait().unwrap();
        for _ in 0..10 {
            tracker.record(Call::new(MODEL, &usage(1000)), &who("t")).wait().unwrap();
        }
        assert_eq!(told.lock().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.5", "0.8", "1"]);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(u64),
    Settle(usize, u64),
    Release(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..2000_u64).prop_map(Step::Reserve),
        (0..8_usize, 0..2000_u64).prop_map(|(which, share)| Step::Settle(which, share)),
        (0..8_usize).prop_map(Step::Release),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// The model: a sum of what is held and a sum of what is spent.
    #[test]
    fn a_budget_agrees_with_two_sums(steps in steps(), room in 1..6000_u64) {
        for (tracker, _, _dir) in trackers() {
            let limit = price(&tracker, room);
            tracker.set_budget(budget(limit, "t", Period::Day), vec![], None).wait().unwrap();
            let mut held: Vec<(Reservation, u64)> = Vec::new();
            let mut spent = Money::ZERO;
            let sum = |held: &[(Reservation, u64)]| held.iter().fold(Money::ZERO, |sum, (one, _)| sum + one.worst_case().amount);
            for step in &steps {
                match *step {
                    Step::Reserve(tokens) => {
                        let fits = spent + sum(&held) + price(&tracker, tokens) <= limit;
                        let found = tracker.reserve(MODEL, &usage(tokens), &who("t"), DEFAULT_LEASE).wait();
                        prop_assert_eq!(found.is_ok(), fits);
                        held.extend(found.ok().map(|found| (found, tokens)));
                    }
                    Step::Settle(which, share) if which < held.len() => {
                        let (one, tokens) = held.remove(which);
                        let record = one.settle(&usage(share.min(tokens)), Settlement::default()).wait().unwrap();
                        spent += record.cost();
                    }
                    Step::Release(which) if which < held.len() => {
                        let released = held.remove(which).0.release().wait().unwrap();
                        prop_assert!(released);
                    }
                    _ => {}
                }
                let taken = tracker.budgets().wait().unwrap()[0].taken;
                prop_assert_eq!((taken.spent, taken.reserved), (spent, sum(&held)));
                prop_assert!(spent <= limit);
            }
            for (one, _) in held.drain(..) {
                let _ = one.release().wait().unwrap();
            }
            prop_assert_eq!(tracker.budgets().wait().unwrap()[0].taken.reserved, Money::ZERO);
            prop_assert_eq!(tracker.total(&Filter::default()).wait().unwrap(), spent);
        }
    }
}
