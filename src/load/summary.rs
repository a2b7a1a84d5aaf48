//! What a report shows of a run, after the warm-up was cut off.

use super::generator::Run;
use super::histogram::{Histogram, Quantiles};
use super::observation::CacheKind;
use super::record::{Correctness, Disposition, Sample};
use super::stats::warmup::mser;
use crate::queue::Priority;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which requests at the start do not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warmup {
    /// All count.
    None,
    /// Those due in the first part of the run, by time: a share from 0 to 1.
    Share(f64),
    /// As many as MSER-5 finds on the latencies (see [`crate::load::stats::warmup`]).
    Mser,
}

/// What counts as good.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Slo {
    /// The whole answer, from the intended start.
    pub latency: Option<Duration>,
    /// The first token, from the intended start.
    pub first_token: Option<Duration>,
    /// The mean gap between the tokens of an answer.
    pub token_gap: Option<Duration>,
}

impl Slo {
    fn is_met(&self, sample: &Sample) -> bool {
        let within = |time: Option<u64>, limit: Option<Duration>| {
            limit.is_none_or(|limit| time.is_none_or(|time| u128::from(time) <= limit.as_nanos()))
        };
        sample.status == Disposition::Succeeded
            && within(Some(sample.latency()), self.latency)
            && within(sample.first_token.map(|time| time + sample.lag()), self.first_token)
            && within(sample.token_gap, self.token_gap)
    }
}

/// How a summary is made.
#[derive(Debug, Clone, Copy)]
pub struct SummaryOptions {
    /// Which requests at the start do not count.
    pub warmup: Warmup,
    /// What counts as good.
    pub slo: Slo,
    /// The width of the time series.
    pub interval: Duration,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { warmup: Warmup::None, slo: Slo::default(), interval: Duration::from_secs(1) }
    }
}

/// The figures of a group of requests; times in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct GroupFigures {
    /// Due.
    pub requests: u64,
    /// Answered.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Never sent.
    pub shed: u64,
    /// Not ended when the run was.
    pub unfinished: u64,
    /// Answered, of those due.
    pub success_rate: Option<f64>,
    /// Answered within the objective, of those due.
    pub good_rate: Option<f64>,
    /// Of those answered, from the intended start.
    pub latency_ms: Option<Quantiles>,
    /// Of those answered, from the sending.
    pub service_ms: Option<Quantiles>,
    /// From the sending to the first token.
    pub first_token_ms: Option<Quantiles>,
}

/// How the cache did, where the target says.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CacheFigures {
    /// Found by exact key.
    pub exact: u64,
    /// Found by similarity.
    pub semantic: u64,
    /// Computed anew.
    pub misses: u64,
    /// Hits of all that said.
    pub hit_rate: Option<f64>,
    /// Hits that gave the answer of the same question.
    pub right: u64,
    /// Hits that gave the answer of another.
    pub wrong: u64,
    /// Hits with an answer that this run had not seen computed.
    pub unverified: u64,
}

/// One interval of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Interval {
    /// Its start, in seconds.
    pub start_s: f64,
    /// Due in it.
    pub due: u64,
    /// Ended in it, well.
    pub succeeded: u64,
    /// Ended in it, badly.
    pub failed: u64,
    /// Shed in it.
    pub shed: u64,
    /// In flight at its end.
    pub in_flight: u64,
    /// The median of those that ended in it well.
    pub p50_ms: Option<f64>,
    /// Likewise.
    pub p99_ms: Option<f64>,
    /// Likewise.
    pub max_ms: Option<f64>,
}

/// What a report shows of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Why nothing may be concluded from it, if so.
    pub void: Option<String>,
    /// `open` or `closed`.
    pub r#loop: &'static str,
    /// All of the run, in seconds.
    pub length_s: f64,
    /// How much of it was cut off, in seconds.
    pub warmup_s: f64,
    /// How many requests were cut off.
    pub warmup_requests: u64,
    /// Requests due, a second.
    pub offered_per_second: f64,
    /// Requests answered, a second.
    pub throughput: f64,
    /// Requests answered within the objective, a second.
    pub goodput: f64,
    /// All requests.
    #[serde(flatten)]
    pub total: GroupFigures,
    /// The gaps between tokens, warm-up included.
    pub inter_token_ms: Option<Quantiles>,
    /// By how much the generator was late.
    pub lag_ms: Option<Quantiles>,
    /// Failures by kind.
    pub errors: BTreeMap<String, u64>,
    /// How the cache did.
    pub cache: CacheFigures,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Attodollars in decimal digits; `None` where the target says nothing.
    pub cost_attodollars: Option<String>,
    /// How often the target tried again.
    pub retries: u64,
    /// By priority.
    pub by_priority: BTreeMap<&'static str, GroupFigures>,
    /// By tenant.
    pub by_tenant: BTreeMap<String, GroupFigures>,
    /// Over time, warm-up included.
    pub series: Vec<Interval>,
}

impl Run {
    /// How many samples at the start are warm-up.
    #[must_use]
    pub fn warmup(&self, rule: Warmup) -> usize {
        let samples = &self.record.samples;
        match rule {
            Warmup::None => 0,
            Warmup::Share(share) => {
                let cut = self.length.mul_f64(share.clamp(0.0, 1.0)).as_nanos();
                samples.partition_point(|sample| u128::from(sample.intended) < cut)
            }
            Warmup::Mser => mser(&samples.iter().map(|sample| sample.latency() as f64).collect::<Vec<_>>()),
        }
    }

    /// The figures of the run.
    #[must_use]
    pub fn summary(&self, options: &SummaryOptions) -> Summary {
        let cut = self.warmup(options.warmup);
        let (before, kept) = self.record.samples.split_at(cut);
        let start = if before.is_empty() { 0 } else { kept.first().map_or(0, |sample| sample.intended) };
        let seconds = (self.length.as_secs_f64() - start as f64 / 1e9).max(f64::MIN_POSITIVE);
        let offered_end = kept.iter().map(|sample| sample.intended).max().unwrap_or(start);
        let offered_for = ((offered_end - start) as f64 / 1e9).max(f64::MIN_POSITIVE);
        let total = group(kept.iter(), &options.slo);
        let mut errors = BTreeMap::new();
        for number in kept.iter().filter_map(|sample| sample.error) {
            let name = self.record.errors.all().get(usize::from(number)).cloned().unwrap_or_default();
            *errors.entry(name).or_insert(0) += 1;
        }
        let by_priority = Priority::ALL
            .into_iter()
            .map(|priority| {
                (priority.name(), group(kept.iter().filter(|sample| sample.priority == priority), &options.slo))
            })
            .filter(|(_, group)| group.requests > 0)
            .collect();
        let tenants = self.record.tenants.all().iter().enumerate();
        let by_tenant = tenants
            .map(|(at, name)| {
                (name.clone(), group(kept.iter().filter(|one| usize::from(one.tenant) == at), &options.slo))
            })
            .filter(|(_, group)| group.requests > 0)
            .collect();
        let good = total.good_rate.unwrap_or(0.0) * total.requests as f64;
        let costs = kept.iter().filter_map(|sample| sample.cost);
        Summary {
            void: self.void.clone(),
            r#loop: if self.is_open { "open" } else { "closed" },
            length_s: self.length.as_secs_f64(),
            warmup_s: start as f64 / 1e9,
            warmup_requests: cut as u64,
            // n arrivals have n - 1 gaps between them.
            offered_per_second: if kept.len() > 1 { (kept.len() - 1) as f64 / offered_for } else { 0.0 },
            throughput: total.succeeded as f64 / seconds,
            goodput: good / seconds,
            inter_token_ms: self.record.token_gaps.quantiles(),
            lag_ms: kept.iter().map(Sample::lag).collect::<Histogram>().quantiles(),
            errors,
            cache: cache(kept),
            input_tokens: kept.iter().map(|sample| sample.input_tokens).sum(),
            output_tokens: kept.iter().map(|sample| sample.output_tokens).sum(),
            cost_attodollars: costs.reduce(|sum, cost| sum + cost).map(|sum| sum.to_string()),
            retries: kept.iter().map(|sample| u64::from(sample.retries)).sum(),
            by_priority,
            by_tenant,
            series: series(&self.record.samples, self.length, options.interval),
            total,
        }
    }
}

fn group<'a>(samples: impl Iterator<Item = &'a Sample>, slo: &Slo) -> GroupFigures {
    let (mut counts, mut good, mut requests) = ([0_u64; 4], 0_u64, 0_u64);
    let (mut latency, mut service, mut first) = (Histogram::default(), Histogram::default(), Histogram::default());
    for sample in samples {
        requests += 1;
        counts[sample.status as usize] += 1;
        good += u64::from(slo.is_met(sample));
        if sample.status == Disposition::Succeeded {
            latency.record(sample.latency());
            service.record(sample.service());
            if let Some(time) = sample.first_token {
                first.record(time);
            }
        }
    }
    let share = |count: u64| (requests > 0).then(|| count as f64 / requests as f64);
    GroupFigures {
        requests,
        succeeded: counts[0],
        failed: counts[1],
        shed: counts[2],
        unfinished: counts[3],
        success_rate: share(counts[0]),
        good_rate: share(good),
        latency_ms: latency.quantiles(),
        service_ms: service.quantiles(),
        first_token_ms: first.quantiles(),
    }
}

fn cache(samples: &[Sample]) -> CacheFigures {
    let mut figures = CacheFigures::default();
    for sample in samples {
        match sample.cache {
            CacheKind::Unsaid => {}
            CacheKind::Miss => figures.misses += 1,
            CacheKind::Exact => figures.exact += 1,
            CacheKind::Semantic => figures.semantic += 1,
        }
        match sample.verdict {
            Correctness::Right => figures.right += 1,
            Correctness::Wrong => figures.wrong += 1,
            Correctness::Unknown => figures.unverified += u64::from(sample.cache.is_hit()),
        }
    }
    let hits = figures.exact + figures.semantic;
    let said = hits + figures.misses;
    figures.hit_rate = (said > 0).then(|| hits as f64 / said as f64);
    figures
}

fn series(samples: &[Sample], length: Duration, interval: Duration) -> Vec<Interval> {
    // At most 10,000 points, whatever was asked for.
    let width = interval.max(length / 10_000).as_nanos().max(1) as u64;
    let n = (length.as_nanos() as u64 / width + 1) as usize;
    let mut latencies = vec![Histogram::default(); n];
    let mut due = vec![0_u64; n];
    let mut shed = vec![0_u64; n];
    let mut failed = vec![0_u64; n];
    let mut flying = vec![0_i64; n + 1];
    for sample in samples {
        let at = |time: u64| ((time / width) as usize).min(n - 1);
        due[at(sample.intended)] += 1;
        if sample.status == Disposition::Shed {
            shed[at(sample.intended)] += 1;
            continue;
        }
        flying[at(sample.sent)] += 1;
        match sample.status {
            Disposition::Succeeded => latencies[at(sample.end)].record(sample.latency()),
            Disposition::Failed => failed[at(sample.end)] += 1,
            Disposition::Shed | Disposition::Unfinished => continue,
        }
        flying[at(sample.end)] -= 1;
    }
    let mut in_flight = 0;
    (0..n)
        .map(|at| {
            in_flight += flying[at];
            let quantiles = latencies[at].quantiles();
            Interval {
                start_s: (at as u64 * width) as f64 / 1e9,
                due: due[at],
                succeeded: latencies[at].count(),
                failed: failed[at],
                shed: shed[at],
                in_flight: in_flight.max(0) as u64,
                p50_ms: quantiles.map(|found| found.p50),
                p99_ms: quantiles.map(|found| found.p99),
                max_ms: quantiles.map(|found| found.max),
            }
        })
        .collect()
}
