//! What is kept of each request of a run.

use super::histogram::Histogram;
use super::observation::{CacheKind, Observation};
use super::request::LoadRequest;
use crate::queue::Priority;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Disposition {
    /// Answered.
    Succeeded = 0,
    /// The target failed, or took longer than allowed.
    Failed = 1,
    /// Never sent: as many as allowed were in flight.
    Shed = 2,
    /// Sent, and not ended when the run was.
    Unfinished = 3,
}

/// Whether an answer from the cache was the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Correctness {
    /// No hit, or nothing to compare it with.
    Unknown = 0,
    /// An answer given before to a question with the same key.
    Right = 1,
    /// An answer given before to other questions only.
    Wrong = 2,
}

/// One request, times in nanoseconds since the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it was meant to be sent.
    pub intended: u64,
    /// When it was.
    pub sent: u64,
    /// When it ended; for the unfinished, when the run did.
    pub end: u64,
    /// From `sent` to the first token.
    pub first_token: Option<u64>,
    /// The mean gap between tokens.
    pub token_gap: Option<u64>,
    /// How it ended.
    pub status: Disposition,
    /// An index into the run's errors, where it failed.
    pub error: Option<u16>,
    /// An index into the run's tenants.
    pub tenant: u16,
    /// How urgent.
    pub priority: Priority,
    /// Where the answer came from.
    pub cache: CacheKind,
    /// Whether that was right.
    pub verdict: Correctness,
    /// How often the target tried again.
    pub retries: u32,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Attodollars.
    pub cost: Option<i128>,
}

impl Sample {
    /// From the intended start to the end.
    #[must_use]
    pub fn latency(&self) -> u64 {
        self.end - self.intended
    }

    /// From the sending to the end: what a generator that waits for answers would report.
    #[must_use]
    pub fn service(&self) -> u64 {
        self.end - self.sent
    }

    /// By how much the generator was late.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.sent - self.intended
    }
}

/// Names by number, in order of appearance.
#[derive(Debug, Default, Clone)]
pub struct NameTable {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl NameTable {
    fn number(&mut self, name: &str) -> u16 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        // More names than numbers share the last one: 65,535 tenants are told apart.
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        if number < u16::MAX || self.names.len() == usize::from(u16::MAX) {
            self.names.push(name.to_owned());
        }
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[String] {
        &self.names
    }
}

/// Everything that was kept.
#[derive(Debug)]
pub struct RunRecord {
    /// In the order of sending.
    pub samples: Vec<Sample>,
    /// The tenants.
    pub tenants: NameTable,
    /// The kinds of failure.
    pub errors: NameTable,
    /// All gaps between tokens.
    pub token_gaps: Histogram,
    /// Other measurements by name: the sample and the value.
    pub extra: BTreeMap<String, Vec<(u32, f64)>>,
    /// For each answer that was computed, the keys it was computed for.
    answers: HashMap<[u8; 16], HashSet<u64>>,
}

/// A count of what happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// Sent.
    pub sent: u64,
    /// Answered.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Never sent.
    pub shed: u64,
}

/// Where tasks write what happens.
#[derive(Debug)]
pub(super) struct Recorder {
    pub start: Instant,
    inner: Mutex<(RunRecord, Progress)>,
}

fn since(start: Instant, at: Instant) -> u64 {
    at.saturating_duration_since(start).as_nanos() as u64
}

impl Recorder {
    pub fn new(start: Instant) -> Self {
        let record = RunRecord {
            samples: Vec::new(),
            tenants: NameTable::default(),
            errors: NameTable::default(),
            token_gaps: Histogram::default(),
            extra: BTreeMap::new(),
            answers: HashMap::new(),
        };
        Self { start, inner: Mutex::new((record, Progress::default())) }
    }

    /// Notes that a request was sent, or shed; gives its place.
    pub fn begin(&self, request: &LoadRequest, intended: Duration, at: Instant, status: Disposition) -> u32 {
        let sent = since(self.start, at).max(intended.as_nanos() as u64);
        let mut guard = self.inner.lock();
        let (record, progress) = &mut *guard;
        let tenant = record.tenants.number(&request.tenant);
        record.samples.push(Sample {
            intended: intended.as_nanos() as u64,
            sent,
            end: sent,
            first_token: None,
            token_gap: None,
            status,
            error: None,
            tenant,
            priority: request.priority,
            cache: CacheKind::Unsaid,
            verdict: Correctness::Unknown,
            retries: 0,
            input_tokens: 0,
            output_tokens: 0,
            cost: None,
        });
        match status {
            Disposition::Shed => progress.shed += 1,
            _ => progress.sent += 1,
        }
        (record.samples.len() - 1) as u32
    }

    /// Notes what came of the request at `place`.
    pub fn finish(&self, place: u32, request: &LoadRequest, observation: Observation) {
        let end = since(self.start, Instant::now());
        let digest = observation.text.as_deref().map(answer_digest);
        let mut guard = self.inner.lock();
        let (record, progress) = &mut *guard;
        let error = observation.error.as_deref().map(|kind| record.errors.number(kind));
        let verdict = match digest {
            Some(digest) if error.is_none() => record.judge(digest, request, observation.cache),
            _ => Correctness::Unknown,
        };
        for gap in &observation.token_gaps {
            record.token_gaps.record(gap.as_nanos() as u64);
        }
        for (name, value) in observation.extra {
            record.extra.entry(name).or_default().push((place, value));
        }
        let (input, output, _) = observation.tokens.unwrap_or_default();
        if let Some(sample) = record.samples.get_mut(place as usize) {
            if let Some(started) = observation.started {
                sample.sent = since(self.start, started).max(sample.intended);
            }
            sample.end = end.max(sample.sent);
            sample.first_token = observation.first_token.map(|time| time.as_nanos() as u64);
            let gaps = observation.token_gaps.len() as u64;
            let total: u64 = observation.token_gaps.iter().map(|gap| gap.as_nanos() as u64).sum();
            sample.token_gap = total.checked_div(gaps);
            sample.status = if error.is_some() { Disposition::Failed } else { Disposition::Succeeded };
            sample.error = error;
            sample.cache = observation.cache;
            sample.verdict = verdict;
            sample.retries = observation.retries;
            sample.input_tokens = input;
            sample.output_tokens = output;
            sample.cost = observation.cost;
        }
        if error.is_some() {
            progress.failed += 1;
        } else {
            progress.succeeded += 1;
        }
    }

    pub fn progress(&self) -> Progress {
        Progress { elapsed: self.start.elapsed(), ..self.inner.lock().1 }
    }

    /// Takes out what was kept; what has not ended is unfinished, and ended now at the earliest.
    pub fn take(&self) -> RunRecord {
        let now = since(self.start, Instant::now());
        let fresh = Self::new(self.start).inner.into_inner();
        let (mut record, _) = std::mem::replace(&mut *self.inner.lock(), fresh);
        for sample in record.samples.iter_mut().filter(|sample| sample.status == Disposition::Unfinished) {
            sample.end = now.max(sample.sent);
        }
        record
    }
}

impl RunRecord {
    /// Judges a hit by what the same text was an answer to when it was computed.
    fn judge(&mut self, digest: [u8; 16], request: &LoadRequest, cache: CacheKind) -> Correctness {
        // Tenants do not share answers, so neither may their questions.
        let key = format!("{}\n{}", request.tenant, request.answer_key);
        let mut short = [0; 8];
        short.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..8]);
        let key = u64::from_le_bytes(short);
        if cache.is_hit() {
            return match self.answers.get(&digest) {
                Some(keys) if keys.contains(&key) => Correctness::Right,
                Some(_) => Correctness::Wrong,
                None => Correctness::Unknown,
            };
        }
        self.answers.entry(digest).or_default().insert(key);
        Correctness::Unknown
    }
}

fn answer_digest(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    short
}
