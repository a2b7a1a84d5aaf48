//! A ledger on a real redis-server: the conformance suite, its arithmetic, and a server that fails.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "conformance/ledger.rs"]
mod conformance;
mod servers;

use conformance::Bench;
use headrace::Error;
use headrace::clock::SystemClock;
use headrace::cost::budget::{Budget, Period};
use headrace::cost::ledger::{LedgerStore, RedisLedger};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostTracker, DEFAULT_LEASE, Filter, Settlement};
use headrace::store::Location;
use headrace::usage::Usage;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use servers::RedisServer;
use servers::kinds::conforms_on_every_kind;
use servers::lossy::LossyNetwork;
use servers::upstash::FakeUpstash;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const MODEL: &str = "openai/gpt-4";
/// Longer than anything takes on a busy machine.
const PATIENT: Duration = Duration::from_mins(1);

fn ledger(url: &str, name: &str) -> Arc<dyn LedgerStore> {
    let Location::Redis(address) = Location::parse(url).unwrap() else { panic!("{url}") };
    Arc::new(RedisLedger::open(address, name, false).unwrap())
}

fn conforms(url: &str) {
    let every: [fn(&Bench); 7] = [
        conformance::a_hold_counts_until_it_is_settled_or_dropped,
        conformance::what_is_refused_for_good_differs_from_what_is_in_the_way,
        conformance::a_lease_that_ended_gives_its_money_back,
        conformance::a_budget_for_each_tenant_is_one_for_everybody,
        conformance::pages_give_every_record_once_in_order,
        conformance::sums_and_records_agree_also_after_a_purge,
        conformance::a_record_keeps_all_that_it_says,
    ];
    for (number, check) in every.iter().enumerate() {
        check(&Bench::new(ledger(url, &format!("{{odd}} % name {number}"))));
    }
}

conforms_on_every_kind!(conforms);

/// Amounts of every length, those around a carry, and those at the ends.
fn amounts() -> impl Strategy<Value = i128> {
    let around = |power: u32| (-2..=2_i128).prop_map(move |by| 10_i128.pow(power) + by);
    prop_oneof![
        any::<i128>(),
        any::<i64>().prop_map(i128::from),
        (0..127_u32, any::<i128>()).prop_map(|(shift, wide)| wide >> shift),
        (0..39_u32).prop_flat_map(around),
        (0..39_u32).prop_flat_map(around).prop_map(|amount| -amount),
        Just(i128::MAX),
        Just(i128::MIN),
        Just(0),
    ]
}

#[test]
fn a_script_counts_as_the_core_does() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let patient =
        redis::AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENT)).set_response_timeout(Some(PATIENT));
    let connection = runtime.block_on(client.get_multiplexed_async_connection_with_config(&patient)).unwrap();
    let script = redis::Script::new(concat!(
        include_str!("../src/store/redis/scripts/ledger_money.lua"),
        "\nlocal answers = {}\n",
        "for at = 1, #ARGV, 2 do\n",
        "  local a, b = ARGV[at], ARGV[at + 1]\n",
        "  answers[#answers + 1] = add(a, b)\n",
        "  answers[#answers + 1] = add(a, negated(b))\n",
        "  answers[#answers + 1] = is_less(a, b) and '1' or '0'\n",
        "end\nreturn answers\n"
    ));
    // Two hundred pairs with each command.
    let pairs = proptest::collection::vec((amounts(), amounts()), 200);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(250) });
    let checked = runner.run(&pairs, |pairs| {
        let mut call = script.prepare_invoke();
        for (a, b) in &pairs {
            call.arg(a.to_string()).arg(b.to_string());
        }
        let answers: Vec<String> = runtime.block_on(call.invoke_async(&mut connection.clone())).unwrap();
        for ((a, b), answers) in pairs.iter().zip(answers.as_chunks::<3>().0) {
            let (one, other) = (Money::from_attodollars(*a), Money::from_attodollars(*b));
            let wanted =
                [(one + other).attodollars(), (one - other).attodollars(), i128::from(a < b)].map(|n| n.to_string());
            prop_assert_eq!(answers, &wanted, "{} and {}", a, b);
        }
        Ok(())
    });
    checked.unwrap();
}

fn who() -> Arc<Attribution> {
    Arc::new(Attribution::new("acme", ["x"]).unwrap())
}

fn open(url: &str) -> CostTracker {
    CostTracker::with_clock(url, PriceTable::builtin(), Arc::new(SystemClock::default())).unwrap()
}

/// A budget of so many calls.
fn limit(tracker: &CostTracker, calls: i128) -> Money {
    let unit = tracker.quote(Call::new(MODEL, &usage()), &who()).unwrap().amount;
    let limit = Money::from_attodollars(unit.attodollars() * calls);
    let budget = Budget { period: Period::Ever, ..Budget::new(limit).unwrap() };
    tracker.set_budget(budget, vec![], None).wait().unwrap();
    unit
}

fn usage() -> Usage {
    Usage::new(1000, 0)
}

#[test]
fn eight_handles_spend_one_budget_to_the_last_attodollar() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let unit = limit(&open(&server.url()), 100);
    let spent: i128 = std::thread::scope(|scope| {
        let each = |_| {
            scope.spawn(|| {
                let tracker = open(&server.url());
                let mut spent = 0;
                loop {
                    match tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).wait() {
                        Ok(held) => {
                            let record = held.settle(&usage(), Settlement::default()).wait().unwrap();
                            spent += record.cost().attodollars();
                        }
                        Err(Error::BudgetExceeded(_)) => {
                            // Another's hold may have been in the way.
                            let taken = tracker.budgets().wait().unwrap()[0].taken;
                            if taken.reserved == Money::ZERO {
                                return spent;
                            }
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        };
        let threads: Vec<_> = (0..8).map(each).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(spent, unit.attodollars() * 100);
    let tracker = open(&server.url());
    assert_eq!(tracker.total(&Filter::default()).wait().unwrap().attodollars(), spent);
    assert_eq!(tracker.records(&Filter::default(), None, false).wait().unwrap().len(), 100);
}

#[test]
fn a_new_budget_counts_what_is_booked_while_it_counts() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (one, other) = (open(&server.url()), open(&server.url()));
    let booked = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..500 {
                one.record(Call::new(MODEL, &usage()), &who()).wait().unwrap();
            }
        });
        let mut budgets = 0;
        // A few dozen: each counts the whole ledger under a lock, and the writer must come through as well.
        while !writer.is_finished() && budgets < 40 {
            let scope = headrace::cost::budget::Scope { tenant: Some("acme".into()), ..Default::default() };
            let period = [Period::Ever, Period::Month, Period::Day][budgets % 3];
            let budget = Budget { scope, period, ..Budget::new(Money::ZERO).unwrap() };
            other.set_budget(budget.clone(), vec![], None).wait().unwrap();
            budgets += 1;
            if !writer.is_finished() {
                assert!(other.remove_budget(budget).wait().unwrap());
            }
        }
        writer.join().unwrap();
        budgets
    });
    assert!(booked > 0);
    let period = Period::parse("rolling 24h").unwrap();
    let budget = Budget { period, ..Budget::new(Money::ZERO).unwrap() };
    other.set_budget(budget, vec![], None).wait().unwrap();
    let total = one.total(&Filter::default()).wait().unwrap();
    let found = one.budgets().wait().unwrap();
    assert!(!found.is_empty() && found.iter().all(|status| status.taken.spent == total), "{found:?}");
}

#[test]
fn a_server_that_starts_anew_or_forgets_the_scripts_keeps_the_ledger() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let tracker = open(&server.url());
    let unit = limit(&tracker, 4);
    let held = tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).wait().unwrap();
    assert_eq!(server.tell("SCRIPT FLUSH"), "+OK");
    let second = tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).wait().unwrap();
    server.restart();
    let third = tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).wait().unwrap();
    held.settle(&usage(), Settlement::default()).wait().unwrap();
    server.tell("CLIENT KILL TYPE normal");
    second.settle(&usage(), Settlement::default()).wait().unwrap();
    let taken = tracker.budgets().wait().unwrap()[0].taken;
    assert_eq!((taken.spent, taken.reserved), (unit + unit, unit));
    drop(third);
    let started = Instant::now();
    while tracker.budgets().wait().unwrap()[0].taken.reserved != Money::ZERO {
        assert!(started.elapsed() < PATIENT, "what is dropped is given back");
    }
}

#[tokio::test]
async fn while_the_server_is_away_no_call_is_let_in_and_what_was_paid_is_booked_later() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let tracker = open(&server.url());
    let unit = tokio::task::spawn_blocking({
        let tracker = tracker.clone();
        move || limit(&tracker, 10)
    });
    let unit = unit.await.unwrap();
    let held = tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).await.unwrap();
    server.signal(19);
    let started = Instant::now();
    let refused = tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).await;
    assert!(matches!(&refused, Err(Error::Store(text)) if text.contains("did not answer within")), "{refused:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let booked = held.settle(&usage(), Settlement::default()).await.unwrap();
    assert_eq!((booked.id, tracker.stats().waiting), (0, 1), "it is kept");
    server.signal(18);
    assert_eq!(tracker.flush(None).await.unwrap(), 0);
    server.stop();
    let refused = tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).await;
    assert!(matches!(&refused, Err(Error::Store(text)) if text.contains("refused")), "{refused:?}");
    server.start_again();
    assert_eq!(tracker.records(&Filter::default(), None, false).await.unwrap().len(), 1, "it is booked once");
    let started = Instant::now();
    loop {
        let taken = tracker.budgets().await.unwrap()[0].taken;
        assert_eq!(taken.spent, unit);
        // What was asked for and never heard of is given back.
        if taken.reserved == Money::ZERO {
            return;
        }
        assert!(started.elapsed() < PATIENT, "{taken:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn what_is_sent_again_after_a_lost_reply_is_done_once() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let network = LossyNetwork::before(server.port);
    let tracker = open(&format!("redis://127.0.0.1:{}", network.port));
    let unit = limit(&tracker, 100);
    for n in 1..=10 {
        network.loses.store(true, Ordering::SeqCst);
        let held = tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).wait().unwrap();
        assert!(!network.loses.load(Ordering::SeqCst), "a reply was lost");
        assert_eq!(tracker.budgets().wait().unwrap()[0].taken.reserved, unit);
        network.loses.store(true, Ordering::SeqCst);
        let record = held.settle(&usage(), Settlement::default()).wait().unwrap();
        assert!(!network.loses.load(Ordering::SeqCst), "a reply was lost");
        assert_eq!(record.id, n, "the number that it was booked under");
        let taken = tracker.budgets().wait().unwrap()[0].taken;
        assert_eq!((taken.spent.attodollars(), taken.reserved), (unit.attodollars() * i128::from(n), Money::ZERO));
    }
    assert_eq!(tracker.records(&Filter::default(), None, false).wait().unwrap().len(), 10);
}

#[test]
fn records_are_drained_to_a_file_each_once() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("archive.db");
    let tracker = open(&server.url());
    let unit = limit(&tracker, 10_000);
    let write = |count| {
        for _ in 0..count {
            tracker.record(Call::new(MODEL, &usage()), &who()).wait().unwrap();
        }
    };
    write(1200);
    assert_eq!(server.tell("COPY headrace:{costs:default}:records {costs:default}copy"), ":1");
    assert_eq!(tracker.drain(&file).wait().unwrap(), 1200);
    // As if it had been cut off before anything was forgotten.
    assert_eq!(server.tell("RENAME {costs:default}copy headrace:{costs:default}:records"), "+OK");
    write(5);
    assert_eq!(tracker.drain(&file).wait().unwrap(), 1205);
    assert_eq!(tracker.records(&Filter::default(), None, false).wait().unwrap().len(), 0);
    assert_eq!(tracker.total(&Filter::default()).wait().unwrap(), Money::ZERO);
    assert_eq!(tracker.budgets().wait().unwrap()[0].taken.spent.attodollars(), unit.attodollars() * 1205);
    let archive = open(&format!("sqlite:///{}", file.display()));
    assert_eq!(archive.records(&Filter::default(), None, false).wait().unwrap().len(), 1205);
    assert_eq!(archive.total(&Filter::default()).wait().unwrap().attodollars(), unit.attodollars() * 1205);
    assert!(matches!(archive.drain(&file).wait(), Err(Error::Config(_))), "a file is not drained");
}

#[test]
fn what_a_dead_process_held_is_free_when_its_lease_ends() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let tracker = open(&server.url());
    limit(&tracker, 1);
    let held = tracker.reserve(MODEL, &usage(), &who(), Duration::from_millis(300)).wait().unwrap();
    // As a process that dies: nothing is given back.
    std::mem::forget(held);
    let started = Instant::now();
    while tracker.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).wait().is_err() {
        assert!(started.elapsed() < PATIENT, "the lease ends on the server's clock");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_call_that_waits_for_money_hears_when_another_process_frees_it() {
    let Some(server) = RedisServer::start(&[]) else { return };
    waits_and_hears(&server, &server.url());
    let upstash = FakeUpstash::start(&server.url());
    server.tell("FLUSHALL");
    waits_and_hears(&server, &upstash.url());
}

fn waits_and_hears(server: &RedisServer, url: &str) {
    let (one, other) = (open(url), open(url));
    limit(&one, 1);
    let held = one.reserve(MODEL, &usage(), &who(), DEFAULT_LEASE).wait().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (usage, who) = (usage(), who());
            let worst = headrace::cost::WorstCase::new(MODEL, &usage);
            runtime.block_on(async { other.hold(worst, &who, PATIENT).await.map(drop) })
        });
        let started = Instant::now();
        // It has left word, and listens.
        let is_there = || server.tell("HGET headrace:{costs:default}:meta waits") == "$1";
        let hears = || server.tell("PUBLISH headrace:{costs:default}:wake nothing") == ":1";
        while !is_there() || !hears() {
            assert!(started.elapsed() < PATIENT, "nobody waits");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(held);
        waiting.join().unwrap().unwrap();
    });
    // The message that woke it took the word with it.
    assert_eq!(server.tell("HGET headrace:{costs:default}:meta waits"), "$-1");
}
