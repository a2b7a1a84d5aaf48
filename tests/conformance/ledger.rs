//! What every ledger store keeps: run by each on a store of its own.

use headrace::clock::{Clock, ManualClock};
use headrace::cost::budget::{Budget, EACH, Period, Scope};
use headrace::cost::ledger::{Held, Hold, LedgerStore, PageRequest};
use headrace::cost::money::Money;
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostRecord, CostTracker, Filter};
use headrace::usage::Usage;
use headrace::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MODEL: &str = "openai/gpt-4";
const MINUTE: i64 = 60_000_000;

/// A store, with what makes records for it.
pub struct Bench {
    pub store: Arc<dyn LedgerStore>,
    tracker: CostTracker,
    clock: ManualClock,
    nonces: AtomicU64,
}

impl Bench {
    pub fn new(store: Arc<dyn LedgerStore>) -> Self {
        let clock = ManualClock::new(std::time::Duration::from_hours(498_730));
        let tracker = CostTracker::with_clock("memory://", PriceTable::builtin(), Arc::new(clock.clone())).unwrap();
        Self { store, tracker, clock, nonces: AtomicU64::new(1) }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.wall().as_micros()).unwrap()
    }

    /// A record of a call that costs as many units of $0.03 as thousands of input tokens.
    fn record(&self, tenant: &str, units: u64) -> Arc<CostRecord> {
        let usage = Usage::new(units * 1000, 0);
        let who = Arc::new(Attribution::new(tenant, ["tag"]).unwrap());
        Arc::new(self.tracker.quote(Call::new(MODEL, &usage), &who).unwrap())
    }

    fn unit(&self) -> Money {
        self.record("a", 1).amount
    }

    fn set(&self, units: i128, tenant: Option<&str>) {
        let limit = Money::from_attodollars(self.unit().attodollars() * units);
        let scope = Scope { tenant: tenant.map(str::to_owned), ..Scope::default() };
        let budget = Budget { scope, period: Period::Ever, ..Budget::new(limit).unwrap() };
        self.store.set_budget(budget, self.now()).wait().unwrap();
    }

    fn hold(&self, tenant: &str, units: u64) -> Result<Held> {
        self.store.hold(&self.record(tenant, units), self.now() + 10 * MINUTE).wait()
    }

    fn taken(&self, tenant: &str, units: u64) -> Hold {
        match self.hold(tenant, units).unwrap() {
            Held::Taken(hold) => hold,
            Held::InTheWay(error) => panic!("{error}"),
        }
    }

    /// Spent and reserved of the only budget, in units; of one for each tenant, of that tenant's part.
    fn gone(&self, tenant: Option<&str>) -> (i128, i128) {
        let found = self.store.budgets(self.now()).wait().unwrap();
        let status = found.iter().find(|status| status.tenant.as_deref() == tenant).expect("the budget is there");
        let units = |money: Money| money.attodollars() / self.unit().attodollars();
        (units(status.taken.spent), units(status.taken.reserved))
    }

    fn next_nonce(&self) -> u64 {
        self.nonces.fetch_add(1, Ordering::Relaxed)
    }

    fn settle(&self, tenant: &str, units: u64, hold: Option<u64>) -> u64 {
        self.store.settle(&self.record(tenant, units), hold, self.next_nonce(), self.now()).wait().unwrap().id
    }

    fn ids(&self, asked: PageRequest) -> Vec<u64> {
        let (mut ids, mut next) = (Vec::new(), Some(asked));
        while let Some(asked) = next {
            let page = self.store.page(asked).wait().unwrap();
            ids.extend(page.records.iter().map(|record| record.id));
            next = page.rest;
        }
        ids
    }
}

pub fn a_hold_counts_until_it_is_settled_or_dropped(bench: &Bench) {
    bench.set(10, None);
    let hold = bench.taken("a", 6);
    assert_eq!(bench.gone(None), (0, 6));
    drop(bench.taken("a", 4));
    assert_eq!(bench.gone(None), (0, 6));
    bench.settle("a", 2, hold.take());
    assert_eq!(bench.gone(None), (2, 0));
    let number = bench.taken("a", 8).take().unwrap();
    assert!(bench.store.release(number).wait().unwrap());
    assert!(!bench.store.release(number).wait().unwrap());
    assert_eq!(bench.gone(None), (2, 0));
}

pub fn what_is_refused_for_good_differs_from_what_is_in_the_way(bench: &Bench) {
    assert!(!bench.store.admit(&bench.record("a", 100)).wait().unwrap(), "no budget covers it");
    bench.set(10, None);
    let running = bench.taken("a", 7);
    assert!(matches!(bench.hold("a", 4), Ok(Held::InTheWay(Error::BudgetExceeded(_)))));
    assert!(bench.store.admit(&bench.record("a", 10)).wait().unwrap(), "running calls may cost nothing");
    assert!(matches!(bench.hold("a", 11), Err(Error::BudgetExceeded(_))));
    assert!(matches!(bench.store.admit(&bench.record("a", 11)).wait(), Err(Error::BudgetExceeded(_))));
    bench.settle("a", 7, running.take());
    assert!(matches!(bench.hold("a", 4), Err(Error::BudgetExceeded(_))));
    assert_eq!(bench.gone(None), (7, 0), "what was refused set nothing aside");
    drop(bench.taken("a", 3));
}

pub fn a_lease_that_ended_gives_its_money_back(bench: &Bench) {
    bench.set(10, None);
    let lost = bench.taken("a", 10).take().unwrap();
    assert!(bench.store.extend(lost, bench.now() + 20 * MINUTE, bench.now()).wait().unwrap());
    bench.clock.advance(std::time::Duration::from_mins(15));
    assert_eq!(bench.gone(None), (0, 10));
    bench.clock.advance(std::time::Duration::from_mins(10));
    assert!(!bench.store.extend(lost, bench.now() + MINUTE, bench.now()).wait().unwrap());
    drop(bench.taken("a", 10));
    assert_eq!(bench.gone(None), (0, 0));
}

pub fn a_budget_for_each_tenant_is_one_for_everybody(bench: &Bench) {
    bench.settle("old", 3, None);
    bench.set(5, Some(EACH));
    assert_eq!(bench.gone(Some("old")), (3, 0), "what the ledger holds counts");
    let running = bench.taken("new", 5);
    assert!(matches!(bench.hold("new", 1), Ok(Held::InTheWay(_))));
    assert!(matches!(bench.hold("old", 3), Err(Error::BudgetExceeded(text)) if text.contains("tenant old")));
    drop(bench.taken("third", 5));
    assert_eq!(bench.gone(Some("new")), (0, 5));
    bench.settle("new", 4, running.take());
    assert_eq!((bench.gone(Some("new")), bench.gone(None)), ((4, 0), (0, 0)));
    assert!(bench.store.admit(&bench.record("unknown", 5)).wait().unwrap());
    let scope = Scope { tenant: Some(EACH.into()), ..Scope::default() };
    let budget = Budget { scope, period: Period::Ever, ..Budget::new(Money::ZERO).unwrap() };
    assert!(bench.store.remove_budget(budget).wait().unwrap());
    assert!(bench.store.budgets(bench.now()).wait().unwrap().is_empty());
}

pub fn pages_give_every_record_once_in_order(bench: &Bench) {
    let written: Vec<u64> = (0..25).map(|at| bench.settle(if at % 2 == 0 { "a" } else { "b" }, at, None)).collect();
    assert!(written.is_sorted_by(|one, next| one < next));
    for limit in [None, Some(1), Some(7), Some(25), Some(100)] {
        let asked = PageRequest { limit, ..PageRequest::default() };
        assert_eq!(bench.ids(asked.clone()), written, "{limit:?}");
        let mut reversed = bench.ids(PageRequest { newest_first: true, ..asked.clone() });
        reversed.reverse();
        assert_eq!(reversed, written, "{limit:?}");
        let scope = Scope { tenant: Some("b".into()), ..Scope::default() };
        let of_b = PageRequest { filter: Filter { scope, ..Filter::default() }, ..asked };
        assert_eq!(bench.ids(of_b).len(), 12, "{limit:?}");
    }
}

pub fn sums_and_records_agree_also_after_a_purge(bench: &Bench) {
    for units in 1..=6 {
        bench.settle("a", units, None);
        bench.clock.advance(std::time::Duration::from_mins(25));
    }
    let sum = || {
        let sums = bench.store.sums(&Filter::default(), None).wait().unwrap();
        sums.cells.iter().fold(Money::ZERO, |sum, (_, part)| sum + part.cost)
    };
    let listed = || {
        let page = bench.store.page(PageRequest::default()).wait().unwrap();
        page.records.iter().fold(Money::ZERO, |sum, record| sum + record.cost())
    };
    assert_eq!(sum(), Money::from_attodollars(bench.unit().attodollars() * 21));
    assert_eq!(sum(), listed());
    assert_eq!(bench.store.purge(bench.now() - 80 * MINUTE).wait().unwrap(), 3);
    assert_eq!(sum(), Money::from_attodollars(bench.unit().attodollars() * 15));
    assert_eq!(sum(), listed());
}

pub fn a_record_keeps_all_that_it_says(bench: &Bench) {
    let usage = Usage { reasoning_tokens: 5, cached_input_tokens: 7, ..Usage::new(40, 30) };
    let who = Arc::new(Attribution::new("a", ["x", "project=csrd"]).unwrap());
    let call = Call {
        is_usage_estimated: true,
        told_cost: Some("0.000000000000000123".parse().unwrap()),
        latency_s: Some(1.5),
        attempts: 3,
        ..Call::new("acme/unknown", &usage)
    };
    let record = bench.tracker.quote(call, &who).unwrap();
    bench.store.append(&record, bench.now()).wait().unwrap();
    let found = bench.store.page(PageRequest::default()).wait().unwrap().records.remove(0);
    assert_eq!((found.usage, found.told_cost, found.amount), (record.usage, record.told_cost, record.amount));
    assert_eq!((found.latency_s, found.attempts, found.time), (record.latency_s, record.attempts, record.time));
    assert_eq!((found.card.estimated, &found.attribution), (record.card.estimated, &record.attribution));
    assert!(found.is_estimated() && found.card.estimated.price && found.card.estimated.usage);
    assert_eq!(found.lines(), record.lines());
    let again = CostRecord::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(again.to_json().unwrap(), found.to_json().unwrap());
}
