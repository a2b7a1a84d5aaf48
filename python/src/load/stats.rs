//! What may be concluded from samples.

use crate::error::Result;
use headrace::Error;
use headrace::load::stats::series::Statistic;
use headrace::load::stats::{ConfidenceInterval, quantile, rate, series, trend, warmup};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

/// An estimate with its interval.
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
    #[getter]
    fn value(&self) -> f64 {
        self.core.value
    }

    #[getter]
    fn low(&self) -> f64 {
        self.core.low
    }

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

#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn wilson(successes: u64, trials: u64, confidence: f64) -> Result<PyEstimate> {
    wrapped(rate::wilson(successes, trials, confidence))
}

#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> Result<PyEstimate> {
    wrapped(rate::clopper_pearson(successes, trials, confidence))
}

#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn rate_lower_bound(successes: u64, trials: u64, confidence: f64) -> Result<f64> {
    Ok(rate::lower_bound(successes, trials, confidence)?)
}

#[pyfunction]
#[pyo3(signature = (successes, trials, confidence=0.95))]
fn rate_upper_bound(successes: u64, trials: u64, confidence: f64) -> Result<f64> {
    Ok(rate::upper_bound(successes, trials, confidence)?)
}

#[pyfunction]
#[pyo3(signature = (bound, confidence=0.95))]
fn least_trials(bound: f64, confidence: f64) -> Result<u64> {
    Ok(rate::least_trials(bound, confidence)?)
}

#[pyfunction]
#[pyo3(signature = (q, confidence=0.95))]
fn least_values(q: f64, confidence: f64) -> Result<u64> {
    Ok(quantile::least_values(q, confidence)?)
}

#[pyfunction]
#[pyo3(signature = (values, q, confidence=0.95))]
fn quantile_interval(values: &Bound<'_, PyAny>, q: f64, confidence: f64) -> Result<PyEstimate> {
    wrapped(quantile::interval(&floats(values)?, q, confidence))
}

#[pyfunction]
#[pyo3(signature = (values, q, confidence=0.95))]
fn quantile_upper_bound(values: &Bound<'_, PyAny>, q: f64, confidence: f64) -> Result<f64> {
    Ok(quantile::upper_bound(&floats(values)?, q, confidence)?)
}

#[pyfunction]
#[pyo3(signature = (values, q, confidence=0.95))]
fn quantile_lower_bound(values: &Bound<'_, PyAny>, q: f64, confidence: f64) -> Result<f64> {
    Ok(quantile::lower_bound(&floats(values)?, q, confidence)?)
}

#[pyfunction]
fn t_quantile(p: f64, freedom: f64) -> Result<f64> {
    Ok(series::t_quantile(p, freedom)?)
}

#[pyfunction]
#[pyo3(signature = (values, confidence=0.95))]
fn mean_interval(values: &Bound<'_, PyAny>, confidence: f64) -> Result<PyEstimate> {
    wrapped(series::mean_interval(&floats(values)?, confidence))
}

#[pyfunction]
#[pyo3(signature = (values, batches=20, confidence=0.95))]
fn batch_means(values: &Bound<'_, PyAny>, batches: usize, confidence: f64) -> Result<PyEstimate> {
    wrapped(series::batch_means(&floats(values)?, batches, confidence))
}

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

#[pyfunction]
fn mser5(values: &Bound<'_, PyAny>) -> Result<usize> {
    Ok(warmup::mser(&floats(values)?))
}

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
