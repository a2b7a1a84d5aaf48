//! What the generator costs: requests a second of the workload, and of both loops against a target that does nothing.
#![allow(clippy::expect_used)] // a bench that cannot begin may stop

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headrace::load::arrival::{Arrivals, Process};
use headrace::load::generator::{Closed, Open, closed, open, watched};
use headrace::load::request::LoadRequest;
use headrace::load::target::Null;
use headrace::load::workload::{Esg, EsgConfig};
use std::hint::black_box;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

const REQUESTS: u64 = 20_000;

fn one_core() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn same() -> impl Iterator<Item = Arc<LoadRequest>> + Send + 'static {
    std::iter::repeat(Arc::new(LoadRequest::new("Scope 1 in 2023?")))
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).throughput(Throughput::Elements(REQUESTS));
    let esg = Esg::new(EsgConfig::default()).expect("the usual settings");
    group.bench_function("workload", |bencher| {
        bencher.iter(|| esg.clone().take(REQUESTS as usize).for_each(|request| drop(black_box(request))));
    });
    let runtime = one_core();
    // Due faster than it can go: what is measured is how fast the generator sends.
    let arrivals = Arrivals::steady(Process::Poisson, 10_000_000.0).expect("a rate");
    let options = Open { requests: Some(REQUESTS), max_in_flight: 100_000, ..Open::new(arrivals) };
    group.bench_function("open loop, null target", |bencher| {
        bencher.to_async_run(&runtime, || open(Arc::new(Null), same(), options.clone(), watched().0));
    });
    let options = Closed::new(100, REQUESTS / 100);
    group.bench_function("closed loop, 100 users, null target", |bencher| {
        bencher.to_async_run(&runtime, || closed(Arc::new(Null), same(), options.clone(), watched().0));
    });
    group.finish();
}

/// Runs a future on a runtime: criterion's own way needs a feature that the other benches do not.
trait OnRuntime {
    fn to_async_run<F: Future>(&mut self, runtime: &Runtime, work: impl FnMut() -> F);
}

impl OnRuntime for criterion::Bencher<'_> {
    fn to_async_run<F: Future>(&mut self, runtime: &Runtime, mut work: impl FnMut() -> F) {
        self.iter(|| black_box(runtime.block_on(work())));
    }
}

criterion_group!(benches, load);
criterion_main!(benches);
