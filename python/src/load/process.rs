//! What a target costs its machine, and how quiet that is.

use super::seconds;
use super::stats::PyEstimate;
use crate::error::Result;
use crate::payload::json_to_py;
use headrace::Error;
use headrace::load::noise;
use headrace::load::process::{ProcessSample, Sampler, leak};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Looks at a process again and again, on a thread of its own, until stopped; a context manager.
///
/// Args:
///     pid: Its id; by default this one.
///     interval: Seconds between looks.
///
/// Raises:
///     ValueError: There is no such process.
///
/// Example:
///     >>> with ProcessSampler(interval=0.01) as sampler:
///     ...     pass
///     >>> len(sampler.samples()["rss"]) >= 2
///     True
#[pyclass(frozen, module = "headrace._core.load", name = "ProcessSampler")]
struct PySampler {
    core: Sampler,
    pid: u32,
}

#[pymethods]
impl PySampler {
    #[new]
    #[pyo3(signature = (pid=None, *, interval=0.5))]
    fn new(pid: Option<u32>, interval: f64) -> Result<Self> {
        let pid = pid.unwrap_or_else(std::process::id);
        Ok(Self { core: Sampler::start(pid, seconds("interval", interval)?)?, pid })
    }

    /// Ends the sampling; what was seen stays.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.core.stop());
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __exit__(&self, py: Python<'_>, _kind: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.stop(py);
    }

    /// A row for each look: at (seconds), rss (bytes), cpu (seconds), files, threads; NaN where nobody says.
    fn samples<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let samples = self.core.samples();
        let column = |of: &dyn Fn(&ProcessSample) -> f64| PyArray1::from_iter(py, samples.iter().map(of));
        let count = |value: Option<u64>| value.map_or(f64::NAN, |value| value as f64);
        let columns = PyDict::new(py);
        columns.set_item("at", column(&|one| one.at.as_secs_f64()))?;
        columns.set_item("rss", column(&|one| one.rss as f64))?;
        columns.set_item("cpu", column(&|one| one.cpu.as_secs_f64()))?;
        columns.set_item("files", column(&|one| count(one.files)))?;
        columns.set_item("threads", column(&|one| count(one.threads)))?;
        Ok(columns)
    }

    /// How fast memory grows, in bytes a second, after the first ``warmup`` share of the time (Theil-Sen).
    ///
    /// Raises:
    ///     ValueError: Fewer than three looks are left.
    #[pyo3(signature = (*, warmup=0.1, confidence=0.95))]
    fn leak(&self, py: Python<'_>, warmup: f64, confidence: f64) -> Result<PyEstimate> {
        let samples = self.core.samples();
        Ok(py.detach(|| leak(&samples, warmup, confidence))?.into())
    }

    fn __repr__(&self) -> String {
        format!("ProcessSampler(pid={}, samples={})", self.pid, self.core.samples().len())
    }
}

/// How quiet the machine is: the same work over and over, for ``length`` seconds.
///
/// Returns:
///     loops; fastest_us, median_us, p99_us and slowest_us of one; lost_share, the share of time beyond the fastest.
#[pyfunction]
#[pyo3(signature = (length=0.5))]
fn machine_noise(py: Python<'_>, length: f64) -> Result<Bound<'_, PyAny>> {
    let length = seconds("length", length)?;
    let found = serde_json::to_value(py.detach(|| noise::measure(length)))
        .map_err(|error| Error::invalid(format!("the noise has no JSON form: {error}")))?;
    Ok(json_to_py(py, &found)?)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySampler>()?;
    module.add_function(wrap_pyfunction!(machine_noise, module)?)
}
