//! What may be concluded from samples.

use crate::error::Result;
use headrace::Error;
use headrace::load::stats::series::Statistic;
use headrace::load::stats::{ConfidenceInterval, quantile, rate, series, trend, warmup};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

/// An estimate with its confidence interval; an end that the data do not bound is infinite.
#[pyclass(frozen, module = "headrace._core.load", name = "Estimate")]
pub(crate) struct PyEstimate {
    core: ConfidenceInterval,
}

impl From<ConfidenceInterval> for PyEstimate {
    fn from(core: ConfidenceInterval) -> Self {
        Self { core }
    }
}

#[pymethods]
impl PyEstimate {
    /// The estimate.
    #[getter]
    fn value(&self) -> f64 {
        self.core.value
    }

    /// The lower end.
    #[getter]
    fn low(&self) -> f64 {
        self.core.low
    }

    /// The upper end.
    #[getter]
    fn high(&self) -> f64 {
        self.core.high
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let ConfidenceInterval { value, low, high } = self.core;
        Ok((value, low, high).into_pyobject(py)?.call_method0("__iter__")?.unbind())
    }

    fn __repr__(&self) -> String {
        let ConfidenceInterval { value, low, high } = self.core;
        format!("Estimate(value={value}, low={low}, high={high})")
    }
}

/// Values as floats: an array, or a sequence of numbers.
fn floats(given: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    match given.extract::<PyReadonlyArray1<'_, f64>>() {
        Ok(array) => Ok(array.as_array().to_vec()),
        Err(_) => given.extract(),
    }
}

fn wrapped(core: headrace::Result<ConfidenceInterval>) -> Result<PyEstimate> {
    Ok(core?.into())
}

/// A rate by Wilson's score interval (1927), two-sided.
#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn wilson(successes: u64, trials: u64, confidence: f64) -> Result<PyEstimate> {
    wrapped(rate::wilson(successes, trials, confidence))
}

/// A rate by the exact interval of Clopper and Pearson (1934), two-sided.
#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> Result<PyEstimate> {
    wrapped(rate::clopper_pearson(successes, trials, confidence))
}

/// What a rate exceeds, one-sided and exact.
///
/// Example:
///     >>> rate_lower_bound(20, 20) > 0.90, rate_lower_bound(29, 29) > 0.90
///     (False, True)
#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn rate_lower_bound(successes: u64, trials: u64, confidence: f64) -> Result<f64> {
    Ok(rate::lower_bound(successes, trials, confidence)?)
}

/// What a rate stays under, one-sided and exact.
#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn rate_upper_bound(successes: u64, trials: u64, confidence: f64) -> Result<f64> {
    Ok(rate::upper_bound(successes, trials, confidence)?)
}

/// How many trials without a failure show that a rate is above ``bound``.
///
/// Example:
///     >>> least_trials(0.90)
///     29
#[pyfunction]
#[pyo3(signature = (bound, confidence=0.95))]
fn least_trials(bound: f64, confidence: f64) -> Result<u64> {
    Ok(rate::least_trials(bound, confidence)?)
}

/// How many values it takes to bound the quantile ``q`` from above at all.
///
/// Example:
///     >>> least_values(0.95), least_values(0.99)
///     (59, 299)
#[pyfunction]
#[pyo3(signature = (q, confidence=0.95))]
fn least_values(q: f64, confidence: f64) -> Result<u64> {
    Ok(quantile::least_values(q, confidence)?)
}

/// A quantile of independent values, by order statistics, two-sided.
#[pyfunction]
#[pyo3(signature = (values, q, confidence=0.95))]
fn quantile_interval(values: &Bound<'_, PyAny>, q: f64, confidence: f64) -> Result<PyEstimate> {
    wrapped(quantile::interval(&floats(values)?, q, confidence))
}

/// What a quantile of independent values stays under, one-sided; infinite where there are too few values.
#[pyfunction]
#[pyo3(signature = (values, q, confidence=0.95))]
fn quantile_upper_bound(values: &Bound<'_, PyAny>, q: f64, confidence: f64) -> Result<f64> {
    Ok(quantile::upper_bound(&floats(values)?, q, confidence)?)
}

/// What a quantile of independent values exceeds, one-sided; minus infinity where there are too few values.
#[pyfunction]
#[pyo3(signature = (values, q, confidence=0.95))]
fn quantile_lower_bound(values: &Bound<'_, PyAny>, q: f64, confidence: f64) -> Result<f64> {
    Ok(quantile::lower_bound(&floats(values)?, q, confidence)?)
}

/// The quantile of Student's t distribution.
#[pyfunction]
fn t_quantile(p: f64, freedom: f64) -> Result<f64> {
    Ok(series::t_quantile(p, freedom)?)
}

/// The mean of independent values, by Student's t.
#[pyfunction]
#[pyo3(signature = (values, confidence=0.95))]
fn mean_interval(values: &Bound<'_, PyAny>, confidence: f64) -> Result<PyEstimate> {
    wrapped(series::mean_interval(&floats(values)?, confidence))
}

/// The mean of a settled series whose values depend on their neighbours, by batch means.
#[pyfunction]
#[pyo3(signature = (values, batches=20, confidence=0.95))]
fn batch_means(values: &Bound<'_, PyAny>, batches: usize, confidence: f64) -> Result<PyEstimate> {
    wrapped(series::batch_means(&floats(values)?, batches, confidence))
}

/// The mean or a quantile of such a series, by the moving-block bootstrap (Künsch 1989).
///
/// Args:
///     values: In order of time.
///     statistic: ``"mean"``, or the quantile as 0.95.
///     block: How many neighbours stay together; 0 takes twice the cube root of their number.
///     resamples: How often to draw, at least 20.
///     seed: The same seed gives the same interval.
///     confidence: Of the two-sided interval.
#[pyfunction]
#[pyo3(signature = (values, statistic, *, block=0, resamples=1000, seed=0, confidence=0.95))]
fn block_bootstrap(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    statistic: &Bound<'_, PyAny>,
    block: usize,
    resamples: usize,
    seed: u64,
    confidence: f64,
) -> Result<PyEstimate> {
    let statistic = if let Ok(q) = statistic.extract::<f64>() {
        Statistic::Quantile(q)
    } else if statistic.extract::<String>().is_ok_and(|name| name == "mean") {
        Statistic::Mean
    } else {
        return Err(Error::invalid("statistic is unknown: give \"mean\", or a quantile as 0.95").into());
    };
    let values = floats(values)?;
    wrapped(py.detach(|| series::block_bootstrap(&values, statistic, block, resamples, seed, confidence)))
}

/// How many values at the start are warm-up, by MSER-5 (White, Cobb and Spratt 2000).
#[pyfunction]
fn mser5(values: &Bound<'_, PyAny>) -> Result<usize> {
    Ok(warmup::mser(&floats(values)?))
}

/// The slope of a line that a few outliers cannot move, with Sen's interval (1968): whether something grows.
#[pyfunction]
#[pyo3(signature = (x, y, confidence=0.95))]
fn theil_sen(py: Python<'_>, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>, confidence: f64) -> Result<PyEstimate> {
    let (x, y) = (floats(x)?, floats(y)?);
    wrapped(py.detach(|| trend::theil_sen(&x, &y, confidence)))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyEstimate>()?;
    module.add_function(wrap_pyfunction!(wilson, module)?)?;
    module.add_function(wrap_pyfunction!(clopper_pearson, module)?)?;
    module.add_function(wrap_pyfunction!(rate_lower_bound, module)?)?;
    module.add_function(wrap_pyfunction!(rate_upper_bound, module)?)?;
    module.add_function(wrap_pyfunction!(least_trials, module)?)?;
    module.add_function(wrap_pyfunction!(least_values, module)?)?;
    module.add_function(wrap_pyfunction!(quantile_interval, module)?)?;
    module.add_function(wrap_pyfunction!(quantile_upper_bound, module)?)?;
    module.add_function(wrap_pyfunction!(quantile_lower_bound, module)?)?;
    module.add_function(wrap_pyfunction!(t_quantile, module)?)?;
    module.add_function(wrap_pyfunction!(mean_interval, module)?)?;
    module.add_function(wrap_pyfunction!(batch_means, module)?)?;
    module.add_function(wrap_pyfunction!(block_bootstrap, module)?)?;
    module.add_function(wrap_pyfunction!(mser5, module)?)?;
    module.add_function(wrap_pyfunction!(theil_sen, module)?)
}
