//! Every ledger store passes one suite, and what it cannot write for a while is kept.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "conformance/ledger.rs"]
mod conformance;

use conformance::Bench;
use headrace::Error;
use headrace::clock::SystemClock;
use headrace::cost::budget::{Budget, Period};
use headrace::cost::ledger::{MemoryLedger, SqliteLedger};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostTracker, DEFAULT_LEASE, Filter, Settlement, WorstCase};
use headrace::usage::Usage;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

macro_rules! every_store {
    ($($name:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(
                #[test]
                fn $name() {
                    conformance::$name(&Bench::new(Arc::new(MemoryLedger::default())));
                }
            )*
        }
        mod sqlite {
            use super::*;
            $(
                #[test]
                fn $name() {
                    let directory = tempfile::tempdir().unwrap();
                    let store = SqliteLedger::open(&directory.path().join("costs.db")).unwrap();
                    conformance::$name(&Bench::new(Arc::new(store)));
                }
            )*
        }
    };
}

every_store!(
    a_hold_counts_until_it_is_settled_or_dropped,
    what_is_refused_for_good_differs_from_what_is_in_the_way,
    a_lease_that_ended_gives_its_money_back,
    a_budget_for_each_tenant_is_one_for_everybody,
    pages_give_every_record_once_in_order,
    sums_and_records_agree_also_after_a_purge,
    a_record_keeps_all_that_it_says,
);

const MODEL: &str = "openai/gpt-4";

fn who() -> Arc<Attribution> {
    Arc::new(Attribution::new("acme", ["x"]).unwrap())
}

fn open(path: &Path) -> CostTracker {
    let url = format!("sqlite:///{}", path.display());
    CostTracker::with_clock(&url, PriceTable::builtin(), Arc::new(SystemClock::default())).unwrap()
}

/// Another program that keeps the file to itself for as long as this lives.
fn lock(path: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test]
async fn what_was_paid_is_kept_while_the_file_is_locked_and_written_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("costs.db");
    let (tracker, usage) = (open(&path), Usage::new(1000, 0));
    let limit = "1".parse().unwrap();
    let budget = Budget { period: Period::Ever, ..Budget::new(limit).unwrap() };
    tracker.set_budget(budget, vec![], None).await.unwrap();
    let held = tracker.reserve(MODEL, &usage, &who(), DEFAULT_LEASE).await.unwrap();
    let other = lock(&path);
    let record = held.settle(&usage, Settlement::default()).await.unwrap();
    assert_eq!((record.id, tracker.stats().waiting), (0, 1));
    let taken = tracker.budgets().await.unwrap()[0].taken;
    assert_eq!((taken.spent, taken.reserved), (record.cost(), Money::ZERO), "it counts meanwhile");
    drop(other);
    assert_eq!(tracker.flush(None).await.unwrap(), 0);
    assert_eq!(tracker.stats().waiting, 0);
    assert_eq!(tracker.records(&Filter::default(), None, false).await.unwrap().len(), 1);
    let taken = tracker.budgets().await.unwrap()[0].taken;
    assert_eq!((taken.spent, taken.reserved), (record.cost(), Money::ZERO), "and once");
}

#[tokio::test]
async fn a_settlement_that_nobody_waits_for_is_kept_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("costs.db");
    let (tracker, usage) = (open(&path), Usage::new(1000, 0));
    let held = tracker.reserve(MODEL, &usage, &who(), DEFAULT_LEASE).await.unwrap();
    let other = lock(&path);
    drop(held.settle(&usage, Settlement::default()));
    drop(other);
    assert_eq!(tracker.flush(None).await.unwrap(), 0);
    assert_eq!(tracker.records(&Filter::default(), None, false).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_no_budget_covers_goes_on_while_the_file_is_locked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("costs.db");
    let (tracker, usage) = (open(&path), Usage::new(1000, 0));
    let other = lock(&path);
    let held = tracker.reserve(MODEL, &usage, &who(), DEFAULT_LEASE).await.unwrap();
    let record = held.settle(&usage, Settlement::default()).await.unwrap();
    assert_eq!(record.id, 0);
    drop(other);
    assert_eq!(tracker.flush(None).await.unwrap(), 0);
    let found = tracker.records(&Filter::default(), None, false).await.unwrap();
    assert_eq!((found.len(), found[0].cost()), (1, record.cost()));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_money_of_calls_that_run() {
    let tracker = CostTracker::open("memory://", PriceTable::builtin()).unwrap();
    let usage = Usage::new(1000, 0);
    let unit = tracker.quote(Call::new(MODEL, &usage), &who()).unwrap().amount;
    let budget = Budget { period: Period::Ever, ..Budget::new(unit).unwrap() };
    tracker.set_budget(budget, vec![], None).await.unwrap();
    let running = tracker.reserve(MODEL, &usage, &who(), DEFAULT_LEASE).await.unwrap();
    let worst = WorstCase::new(MODEL, &usage);
    tracker.admit(worst, &who()).await.unwrap();
    let refused = tracker.hold(worst, &who(), Duration::from_secs(5)).await;
    assert!(matches!(refused, Err(Error::BudgetExceeded(_))), "nothing settled in time");
    let waits = tokio::spawn(tracker.hold(worst, &who(), Duration::from_hours(1)));
    tokio::task::yield_now().await;
    running.settle(&Usage::new(0, 0), Settlement::default()).await.unwrap();
    let held = waits.await.unwrap().unwrap();
    held.settle(&usage, Settlement::default()).await.unwrap();
    let unbounded = WorstCase { is_output_bounded: false, ..worst };
    for refused in
        [tracker.admit(unbounded, &who()).await, tracker.hold(unbounded, &who(), Duration::MAX).await.map(drop)]
    {
        assert!(matches!(&refused, Err(Error::BudgetExceeded(text)) if text.contains("max_tokens")), "{refused:?}");
    }
}

/// The file of an earlier version, in a folder of its own.
fn version_3() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("costs.db");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ledger_version_3.db"), &file).unwrap();
    (directory, file)
}

#[test]
fn a_ledger_of_version_3_gets_its_checksums() {
    let (_directory, file) = version_3();
    let costs = CostTracker::open(&format!("sqlite:///{}", file.display()), PriceTable::builtin()).unwrap();
    let total = costs.total(&Filter::default()).wait().unwrap();
    assert_eq!(total.to_string(), "0.36");
    let spent: Vec<_> = costs.budgets().wait().unwrap().iter().map(|status| status.taken.spent.to_string()).collect();
    assert_eq!(spent, ["0.18", "0", "0.18", "0.18"]);
    let report = headrace::doctor::diagnose(&file, false).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.rooms[0].version, 4);
}

#[test]
fn a_damaged_ledger_is_refused_and_repaired() {
    let (_directory, file) = version_3();
    drop(SqliteLedger::open(&file).unwrap());
    let change = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    for damage in [
        "UPDATE spend SET nano = 1",
        "UPDATE record SET nano = 1 WHERE id = 2",
        "UPDATE hour SET calls = 7",
        "UPDATE budget SET nano = 1 WHERE id = 1",
    ] {
        change(damage);
        let error = SqliteLedger::open(&file).unwrap_err().to_string();
        assert!(error.contains("headrace doctor --repair"), "{damage}: {error}");
        assert!(!headrace::doctor::diagnose(&file, false).unwrap().is_sound(), "{damage}");
        assert!(headrace::doctor::diagnose(&file, true).unwrap().is_sound(), "{damage}");
        drop(SqliteLedger::open(&file).unwrap());
    }
    let costs = CostTracker::open(&format!("sqlite:///{}", file.display()), PriceTable::builtin()).unwrap();
    // Five of six records and one of two budgets are left.
    assert_eq!(costs.total(&Filter::default()).wait().unwrap().to_string(), "0.3");
    assert_eq!(headrace::doctor::diagnose(&file, false).unwrap().set_aside, 2);
}
