//! What it costs to know what calls cost: quoting, recording, reserving, summing, counting tokens.
#![allow(clippy::expect_used)] // a bench that cannot begin may stop

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headrace::cost::budget::{Budget, Period};
use headrace::cost::price::PriceTable;
use headrace::cost::{Attribution, Call, CostTracker, DEFAULT_LEASE, Dimension, Filter, Settlement, tokens};
use headrace::usage::Usage;
use jiff::tz::TimeZone;
use std::hint::black_box;
use std::sync::Arc;

const MODEL: &str = "openai/gpt-4o";
const MILLION: i64 = 1_000_000;
/// 2026-01-01T00:00:00Z, in microseconds.
const START: i64 = 1_767_225_600_000_000;

fn tracker(url: &str) -> CostTracker {
    CostTracker::open(url, PriceTable::builtin()).expect("a ledger")
}

fn who(tenant: i64) -> Arc<Attribution> {
    Arc::new(Attribution::new(format!("tenant-{tenant}"), Vec::<String>::new()).expect("a tenant"))
}

fn calls(criterion: &mut Criterion) {
    let (costs, usage, me) = (tracker("memory://"), Usage::new(1000, 500), who(0));
    criterion.bench_function("cost/quote", |bench| {
        bench.iter(|| black_box(costs.quote(Call::new(MODEL, &usage), &me)));
    });
    criterion.bench_function("cost/record, memory", |bench| {
        bench.iter(|| black_box(costs.record(Call::new(MODEL, &usage), &me).wait()));
    });
    let budgeted = tracker("memory://");
    let limit = "1000000000".parse().expect("an amount");
    for period in [Period::Day, Period::Month, Period::parse("rolling 24h").expect("a period")] {
        let budget = Budget { period, ..Budget::new(limit).expect("a budget") };
        budgeted.set_budget(budget, Vec::new(), None).wait().expect("a budget");
    }
    criterion.bench_function("cost/reserve and settle, three budgets, memory", |bench| {
        bench.iter(|| {
            let held = budgeted.reserve(MODEL, &usage, &me, DEFAULT_LEASE).wait().expect("room");
            black_box(held.settle(&usage, Settlement::default()).wait())
        });
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = tracker(&format!("sqlite:///{}", folder.path().join("costs.db").display()));
    let mut group = criterion.benchmark_group("cost");
    group.sample_size(20).throughput(Throughput::Elements(1000));
    group.bench_function("record 1,000 that wait together, sqlite", |bench| {
        bench.iter(|| {
            let waiting: Vec<_> = (0..1000).map(|_| file.record(Call::new(MODEL, &usage), &me)).collect();
            waiting.into_iter().for_each(|pending| drop(black_box(pending.wait())));
        });
    });
    group.finish();
}

fn sums(criterion: &mut Criterion) {
    let (costs, usage) = (tracker("memory://"), Usage::new(1000, 500));
    let tenants: Vec<_> = (0..50).map(who).collect();
    for number in 0..MILLION {
        let call = Call { time: Some(START + number * 20_000_000), ..Call::new(MODEL, &usage) };
        costs.record(call, &tenants[number as usize % tenants.len()]).wait().expect("a record");
    }
    let mut group = criterion.benchmark_group("cost");
    group.sample_size(10).throughput(Throughput::Elements(MILLION as u64));
    group.bench_function("sum a million by tenant and day", |bench| {
        let days = Some((Period::Day, TimeZone::UTC));
        bench.iter(|| black_box(costs.summary(&[Dimension::Tenant], &Filter::default(), days.clone()).wait()));
    });
    group.finish();
}

fn counts(criterion: &mut Criterion) {
    let text = "The company reports Scope 1, 2 and 3 emissions in line with the GHG Protocol. ".repeat(100);
    let mut group = criterion.benchmark_group("cost");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("count tokens", |bench| bench.iter(|| black_box(tokens::of_text(MODEL, &text))));
    group.finish();
}

criterion_group!(benches, calls, sums, counts);
criterion_main!(benches);
