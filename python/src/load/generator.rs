//! Runs, open and closed, and what came of them.

use super::arrival::PyArrivals;
use super::target::PyTarget;
use super::workload::source;
use super::{optional_seconds, seconds};
use crate::error::Result;
use crate::payload::json_to_py;
use crate::runtime::wait;
use headrace::Error;
use headrace::load::generator::{Closed, Open, ProgressWatch, Run, Think, closed, open, watched};
use headrace::load::record::{Progress, Sample};
use headrace::load::summary::{Slo, SummaryOptions, Warmup};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// Sends requests when they are due, whatever became of the ones before.
///
/// Args:
///     target: Of whom is asked.
///     requests: A workload, or requests that are asked in turn, over and over.
///     arrivals: When they are due.
///     length: No request is due at or after this, in seconds.
///     limit: No more requests than this are due.
///     seed: The seed of the arrivals.
///     max_in_flight: A request that is due while so many are in flight is shed: counted, not sent.
///     timeout: When a request counts as failed, in seconds from its sending; 30 where not given, None for never.
///     drain: How long the last requests may take, in seconds; what is left is unfinished.
///     max_lag: By how many seconds the generator may be late, at the 99th percentile, before the run is void.
///     progress: Told five times a second: elapsed_s, sent, succeeded, failed, shed.
///
/// Raises:
///     ValueError: Nothing would end the run, or a setting is out of its range.
#[allow(clippy::too_many_arguments)] // one for each keyword
#[pyfunction]
#[pyo3(signature = (target, requests, arrivals, *, length=None, limit=None, seed=0, max_in_flight=10_000,
                    timeout=Some(30.0), drain=30.0, max_lag=0.01, progress=None))]
fn open_loop(
    py: Python<'_>,
    target: &PyTarget,
    requests: &Bound<'_, PyAny>,
    arrivals: &PyArrivals,
    length: Option<f64>,
    limit: Option<u64>,
    seed: u64,
    max_in_flight: usize,
    timeout: Option<f64>,
    drain: f64,
    max_lag: f64,
    progress: Option<Py<PyAny>>,
) -> Result<PyRun> {
    let options = Open {
        length: optional_seconds("length", length)?,
        requests: limit,
        seed,
        max_in_flight,
        timeout: optional_seconds("timeout", timeout)?,
        drain: seconds("drain", drain)?,
        max_lag: seconds("max_lag", max_lag)?,
        ..Open::new(arrivals.core.clone())
    };
    let (sender, watch) = watched();
    let run = open(target.core.clone(), source(requests)?, options, sender);
    Ok(PyRun { core: wait(py, reported(run, watch, progress))? })
}

/// Lets users ask, wait for the answer, think, and ask again.
///
/// Args:
///     target: Of whom is asked.
///     requests: A workload, dealt out in order.
///     users: How many ask at once.
///     per_user: How many questions each asks.
///     length: No question is asked at or after this, in seconds.
///     think: Seconds between an answer and the next question.
///     think_exponential: Whether that is a mean.
///     ramp: The users begin one after the other over so many seconds.
///     seed: The seed of the thinking.
///     timeout: When a request counts as failed, in seconds; 30 where not given, None for never.
///     max_lag: By how many seconds a Python target's own workers may be late, before the run is void.
///     progress: Told five times a second: elapsed_s, sent, succeeded, failed, shed.
///
/// Raises:
///     ValueError: There is no user, or nothing would end the run.
#[allow(clippy::too_many_arguments)] // one for each keyword
#[pyfunction]
#[pyo3(signature = (target, requests, *, users, per_user=None, length=None, think=0.0, think_exponential=false, ramp=0.0,
                    seed=0, timeout=Some(30.0), max_lag=0.01, progress=None))]
fn closed_loop(
    py: Python<'_>,
    target: &PyTarget,
    requests: &Bound<'_, PyAny>,
    users: usize,
    per_user: Option<u64>,
    length: Option<f64>,
    think: f64,
    think_exponential: bool,
    ramp: f64,
    seed: u64,
    timeout: Option<f64>,
    max_lag: f64,
    progress: Option<Py<PyAny>>,
) -> Result<PyRun> {
    let think = seconds("think", think)?;
    let options = Closed {
        users,
        per_user,
        length: optional_seconds("length", length)?,
        think: if think_exponential { Think::Exponential(think) } else { Think::Fixed(think) },
        ramp: seconds("ramp", ramp)?,
        seed,
        timeout: optional_seconds("timeout", timeout)?,
        max_lag: seconds("max_lag", max_lag)?,
    };
    let (sender, watch) = watched();
    let run = closed(target.core.clone(), source(requests)?, options, sender);
    Ok(PyRun { core: wait(py, reported(run, watch, progress))? })
}

/// The run, telling `callback` how far it is.
async fn reported(
    run: impl Future<Output = headrace::Result<Run>>,
    mut watch: ProgressWatch,
    callback: Option<Py<PyAny>>,
) -> Result<Run> {
    let Some(callback) = callback else { return Ok(run.await?) };
    tokio::pin!(run);
    loop {
        tokio::select! {
            biased;
            run = &mut run => return Ok(run?),
            Ok(()) = watch.changed() => {
                let progress = *watch.borrow_and_update();
                Python::attach(|py| callback.call1(py, (counts(py, progress)?,)).map(|_| ()))?;
            }
        }
    }
}

fn counts(py: Python<'_>, progress: Progress) -> PyResult<Bound<'_, PyDict>> {
    let counts = PyDict::new(py);
    counts.set_item("elapsed_s", progress.elapsed.as_secs_f64())?;
    counts.set_item("sent", progress.sent)?;
    counts.set_item("succeeded", progress.succeeded)?;
    counts.set_item("failed", progress.failed)?;
    counts.set_item("shed", progress.shed)?;
    Ok(counts)
}

/// A run that is over.
#[pyclass(frozen, module = "headrace._core.load", name = "Run")]
struct PyRun {
    core: Run,
}

/// Nothing, a share of the run, or a rule.
#[derive(FromPyObject)]
enum WarmupRule {
    Share(f64),
    Name(String),
}

impl WarmupRule {
    fn read(self) -> headrace::Result<Warmup> {
        match self {
            Self::Share(share) if (0.0..1.0).contains(&share) => Ok(Warmup::Share(share)),
            Self::Name(name) if name == "none" => Ok(Warmup::None),
            Self::Name(name) if name == "mser5" => Ok(Warmup::Mser),
            Self::Share(given) => Err(unknown(&given.to_string())),
            Self::Name(given) => Err(unknown(&given)),
        }
    }
}

fn unknown(given: &str) -> Error {
    Error::invalid(format!("warmup is {given}: give \"none\", \"mser5\" or a share of the run's time below 1"))
}

#[pymethods]
impl PyRun {
    /// Why nothing may be concluded from the run: the generator was the bottleneck. None where something may.
    #[getter]
    fn void(&self) -> Option<&str> {
        self.core.void.as_deref()
    }

    /// From the start to the end of the last request, in seconds.
    #[getter]
    fn length(&self) -> f64 {
        self.core.length.as_secs_f64()
    }

    /// The names that ``samples()["tenant"]`` numbers.
    #[getter]
    fn tenants(&self) -> Vec<String> {
        self.core.record.tenants.all().to_vec()
    }

    /// The names that ``samples()["error"]`` numbers.
    #[getter]
    fn errors(&self) -> Vec<String> {
        self.core.record.errors.all().to_vec()
    }

    /// How many requests at the start are warm-up.
    ///
    /// Args:
    ///     rule: ``mser5`` (where not given), ``none``, or a share of the run's time.
    #[pyo3(signature = (rule=WarmupRule::Name("mser5".into())))]
    fn warmup(&self, rule: WarmupRule) -> Result<usize> {
        Ok(self.core.warmup(rule.read()?))
    }

    /// A column for each figure, a row for each request in the order of sending.
    ///
    /// Times in seconds: intended, sent, end (since the start), latency (end - intended), service (end - sent),
    /// lag (sent - intended), first_token (from sent), token_gap (mean); NaN where there is none. Numbers: status
    /// (0 succeeded, 1 failed, 2 shed, 3 unfinished), error (of `errors`, or -1), tenant (of `tenants`), priority
    /// (0 critical to 3 low), cache (0 unsaid, 1 miss, 2 exact, 3 semantic), verdict (0 unknown, 1 right, 2 wrong hit),
    /// retries, input_tokens, output_tokens.
    fn samples<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let samples = &self.core.record.samples;
        let columns = PyDict::new(py);
        let times = |of: &dyn Fn(&Sample) -> Option<u64>| {
            let values = samples.iter().map(|one| of(one).map_or(f64::NAN, |nanos| nanos as f64 / 1e9));
            PyArray1::from_iter(py, values)
        };
        columns.set_item("intended", times(&|one| Some(one.intended)))?;
        columns.set_item("sent", times(&|one| Some(one.sent)))?;
        columns.set_item("end", times(&|one| Some(one.end)))?;
        columns.set_item("latency", times(&|one| Some(one.latency())))?;
        columns.set_item("service", times(&|one| Some(one.service())))?;
        columns.set_item("lag", times(&|one| Some(one.lag())))?;
        columns.set_item("first_token", times(&|one| one.first_token))?;
        columns.set_item("token_gap", times(&|one| one.token_gap))?;
        let codes = |of: &dyn Fn(&Sample) -> i32| PyArray1::from_iter(py, samples.iter().map(of));
        columns.set_item("status", codes(&|one| one.status as i32))?;
        columns.set_item("error", codes(&|one| one.error.map_or(-1, i32::from)))?;
        columns.set_item("tenant", codes(&|one| i32::from(one.tenant)))?;
        columns.set_item("priority", codes(&|one| one.priority as i32))?;
        columns.set_item("cache", codes(&|one| one.cache as i32))?;
        columns.set_item("verdict", codes(&|one| one.verdict as i32))?;
        columns.set_item("retries", codes(&|one| one.retries as i32))?;
        let tokens = |of: &dyn Fn(&Sample) -> u64| PyArray1::from_iter(py, samples.iter().map(|one| of(one) as i64));
        columns.set_item("input_tokens", tokens(&|one| one.input_tokens))?;
        columns.set_item("output_tokens", tokens(&|one| one.output_tokens))?;
        Ok(columns)
    }

    /// What each request cost, in attodollars (10^-18 USD); None where the target did not say.
    fn costs(&self) -> Vec<Option<i128>> {
        self.core.record.samples.iter().map(|one| one.cost).collect()
    }

    /// Other measurements by name: the rows they belong to, and the values.
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for (name, pairs) in &self.core.record.extra {
            let rows = PyArray1::from_iter(py, pairs.iter().map(|(row, _)| i64::from(*row)));
            let values = PyArray1::from_iter(py, pairs.iter().map(|(_, value)| *value));
            all.set_item(PyString::new(py, name), (rows, values))?;
        }
        Ok(all)
    }

    /// What a report shows of the run.
    ///
    /// Args:
    ///     warmup: What does not count: see `warmup`; by default nothing.
    ///     slo_latency: An answer is good that came in so many seconds; good ones make the goodput.
    ///     slo_first_token: Likewise, its first token.
    ///     slo_token_gap: Likewise, the mean gap between its tokens.
    ///     interval: The width of the time series, in seconds.
    #[pyo3(signature = (*, warmup=WarmupRule::Name("none".into()), slo_latency=None, slo_first_token=None,
                        slo_token_gap=None, interval=1.0))]
    fn summary<'py>(
        &self,
        py: Python<'py>,
        warmup: WarmupRule,
        slo_latency: Option<f64>,
        slo_first_token: Option<f64>,
        slo_token_gap: Option<f64>,
        interval: f64,
    ) -> Result<Bound<'py, PyAny>> {
        let options = SummaryOptions {
            warmup: warmup.read()?,
            slo: Slo {
                latency: optional_seconds("slo_latency", slo_latency)?,
                first_token: optional_seconds("slo_first_token", slo_first_token)?,
                token_gap: optional_seconds("slo_token_gap", slo_token_gap)?,
            },
            interval: seconds("interval", interval)?,
        };
        let value = py
            .detach(|| serde_json::to_value(self.core.summary(&options)))
            .map_err(|error| Error::invalid(format!("the summary has no JSON form: {error}")))?;
        Ok(json_to_py(py, &value)?)
    }

    fn __len__(&self) -> usize {
        self.core.record.samples.len()
    }

    fn __repr__(&self) -> String {
        let void = if self.core.void.is_some() { ", void" } else { "" };
        format!("Run({} requests in {:.3} s{void})", self.core.record.samples.len(), self.core.length.as_secs_f64())
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRun>()?;
    module.add_function(wrap_pyfunction!(open_loop, module)?)?;
    module.add_function(wrap_pyfunction!(closed_loop, module)?)
}
