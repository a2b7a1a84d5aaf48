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

/// Looks at a process again and again, on a thread of its own.
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

    /// A column for each figure, a row for each look.
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

    /// How fast memory grows, in bytes a second.
    #[pyo3(signature = (*, warmup=0.1, confidence=0.95))]
    fn leak(&self, py: Python<'_>, warmup: f64, confidence: f64) -> Result<PyEstimate> {
        let samples = self.core.samples();
        Ok(py.detach(|| leak(&samples, warmup, confidence))?.into())
    }

    fn __repr__(&self) -> String {
        format!("ProcessSampler(pid={}, samples={})", self.pid, self.core.samples().len())
    }
}

/// How quiet the machine is.
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
