//! Coordinated omission: a target that stands still for 1 s every 10 s, on a simulated clock, beside exact arithmetic.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use headrace::load::arrival::{Arrivals, Process};
use headrace::load::generator::{Closed, Open, Pacing, Run, Think, closed, open, watched};
use headrace::load::request::LoadRequest;
use headrace::load::target::Stall;
use std::sync::Arc;
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_secs(1);

fn requests() -> impl Iterator<Item = Arc<LoadRequest>> + Send + 'static {
    std::iter::repeat(Arc::new(LoadRequest::new("Scope 1 in 2023?")))
}

fn milliseconds(run: &Run) -> Vec<u64> {
    let mut latencies: Vec<u64> = run.record.samples.iter().map(|sample| sample.latency() / 1_000_000).collect();
    latencies.sort_unstable();
    latencies
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_shows_the_stall_as_arithmetic_says() {
    let target = Arc::new(Stall::new(PERIOD, STALL, Duration::ZERO));
    let arrivals = Arrivals::steady(Process::Constant, 100.0).unwrap();
    let options = Open { requests: Some(10_000), pacing: Pacing::Runtime, ..Open::new(arrivals) };
    let run = open(target, requests(), options, watched().0).await.unwrap();
    let measured = milliseconds(&run);
    // Every 10 s, requests due at 0, 10, .. 990 ms wait for 1000, 990, .. 10 ms; the 900 others for none.
    let mut expected: Vec<u64> = (0..10_000_u64).map(|k| 1_000_u64.saturating_sub(k % 1_000 * 10)).collect();
    expected.sort_unstable();
    assert_eq!(measured, expected);
    // So the 9,900th of 10,000 waited 900 ms, and the 9,500th 500 ms.
    assert_eq!((measured[9_899], measured[9_499], measured[8_999]), (900, 500, 0));
    assert!(run.void.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_hides_it() {
    let target = Arc::new(Stall::new(PERIOD, STALL, Duration::ZERO));
    let options = Closed { think: Think::Fixed(Duration::from_millis(10)), ..Closed::new(1, 10_000) };
    let run = closed(target, requests(), options, watched().0).await.unwrap();
    let measured = milliseconds(&run);
    // One request in about 900 meets the stall: the p99 does not know of it.
    assert!(measured[9_899] <= 1, "{}", measured[9_899]);
    assert!(*measured.last().unwrap() >= 990);
}

#[tokio::test(start_paused = true)]
async fn a_queue_behind_the_stall_is_charged_too() {
    // One at a time, 5 ms each, at 100/s: after a stall of 1 s, 100 requests wait, and 200/s are served while 100/s come.
    let target = Arc::new(Stall::new(Duration::from_secs(100), STALL, Duration::from_millis(5)).one_at_a_time());
    let arrivals = Arrivals::steady(Process::Constant, 100.0).unwrap();
    let options = Open { requests: Some(1_000), pacing: Pacing::Runtime, ..Open::new(arrivals) };
    let run = open(target, requests(), options, watched().0).await.unwrap();
    let latencies: Vec<u64> = run.record.samples.iter().map(|sample| sample.latency() / 1_000_000).collect();
    // Lindley's recursion: the wait falls by 10 - 5 ms with each request, from 1005 ms on, down to the service time.
    let expected: Vec<u64> = (0..1_000_u64).map(|k| 1_005_u64.saturating_sub(5 * k).max(5)).collect();
    assert_eq!(latencies, expected);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_shed_and_counted() {
    let target = Arc::new(Stall::new(Duration::from_secs(100), Duration::from_millis(995), Duration::ZERO));
    let arrivals = Arrivals::steady(Process::Constant, 100.0).unwrap();
    let options = Open { requests: Some(200), max_in_flight: 30, pacing: Pacing::Runtime, ..Open::new(arrivals) };
    let run = open(target, requests(), options, watched().0).await.unwrap();
    let total = run.summary(&headrace::load::summary::SummaryOptions::default()).total;
    // 30 of the 100 requests of the first second fly, 70 are shed.
    assert_eq!((total.requests, total.succeeded, total.shed), (200, 130, 70));
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_is_a_timeout_and_one_at_the_end_is_unfinished() {
    let target = Arc::new(Stall::new(Duration::from_secs(100), Duration::from_secs(50), Duration::ZERO));
    let arrivals = Arrivals::steady(Process::Constant, 1.0).unwrap();
    let mut options = Open { requests: Some(5), pacing: Pacing::Runtime, ..Open::new(arrivals) };
    options.timeout = Some(Duration::from_secs(2));
    let run = open(Arc::clone(&target) as _, requests(), options.clone(), watched().0).await.unwrap();
    let summary = run.summary(&headrace::load::summary::SummaryOptions::default());
    assert_eq!((summary.total.failed, summary.errors.get("timeout")), (5, Some(&5)));
    options.timeout = None;
    options.drain = Duration::from_secs(1);
    let run = open(target, requests(), options, watched().0).await.unwrap();
    assert_eq!(run.summary(&headrace::load::summary::SummaryOptions::default()).total.unfinished, 5);
}
