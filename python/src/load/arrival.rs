//! Plans of arrivals.

use super::seconds;
use crate::error::Result;
use headrace::Error;
use headrace::load::arrival::{Arrivals, Process, Stage, Trace, day, season};
use numpy::PyArray1;
use pyo3::prelude::*;
use std::path::PathBuf;

/// When requests are due. Rates are requests a second, lengths seconds.
///
/// Example:
///     >>> [float(at) for at in Arrivals.constant(4).times(3)]
///     [0.0, 0.25, 0.5]
#[pyclass(frozen, module = "headrace._core.load", name = "Arrivals")]
pub(crate) struct PyArrivals {
    pub(crate) core: Arrivals,
    text: String,
}

/// The process of a name, and its coefficient of variation.
fn process(name: &str, cv: f64) -> headrace::Result<Process> {
    match name {
        "constant" => Ok(Process::Constant),
        "poisson" => Ok(Process::Poisson),
        "gamma" => Ok(Process::Gamma(cv)),
        _ => Err(Error::invalid(format!("process {name:?} is unknown: give constant, poisson or gamma"))),
    }
}

fn steady(process: Process, rate: f64, text: String) -> Result<PyArrivals> {
    Ok(PyArrivals { core: Arrivals::steady(process, rate)?, text })
}

#[pymethods]
impl PyArrivals {
    /// Evenly spaced, without end; the first at once.
    ///
    /// Raises:
    ///     ValueError: The rate is not a positive number; so for all of these.
    #[staticmethod]
    fn constant(rate: f64) -> Result<Self> {
        steady(Process::Constant, rate, format!("Arrivals.constant({rate})"))
    }

    /// Independent of one another, without end.
    #[staticmethod]
    fn poisson(rate: f64) -> Result<Self> {
        steady(Process::Poisson, rate, format!("Arrivals.poisson({rate})"))
    }

    /// In bursts, without end.
    ///
    /// Args:
    ///     rate: Requests a second.
    ///     cv: Coefficient of variation of the gaps; 1 is Poisson. Azure's code trace of 2023 has 13.
    #[staticmethod]
    fn gamma(rate: f64, cv: f64) -> Result<Self> {
        steady(Process::Gamma(cv), rate, format!("Arrivals.gamma({rate}, {cv})"))
    }

    /// Ramp, hold, spike: stages of (length, rate at its start, rate at its end).
    ///
    /// Args:
    ///     stages: In order.
    ///     process: How regular arrivals are at a rate.
    ///     cv: For ``gamma``.
    ///
    /// Example:
    ///     >>> Arrivals.staged([(10, 0, 100), (60, 100, 100), (5, 500, 500)]).length
    ///     75.0
    #[staticmethod]
    #[pyo3(signature = (stages, *, process="poisson", cv=1.0))]
    fn staged(stages: Vec<(f64, f64, f64)>, process: &str, cv: f64) -> Result<Self> {
        let text = format!("Arrivals.staged({stages:?}, process={process:?})");
        let stages = stages
            .into_iter()
            .map(|(length, from, to)| Ok(Stage::ramp(from, to, seconds("a stage's length", length)?)))
            .collect::<headrace::Result<Vec<_>>>()?;
        Ok(Self { core: Arrivals::staged(self::process(process, cv)?, stages)?, text })
    }

    /// A day of office hours in ``length`` seconds, at ``rate`` on average; its shape is an assumption.
    #[staticmethod]
    #[pyo3(signature = (rate, length, *, process="poisson", cv=1.0))]
    fn day(rate: f64, length: f64, process: &str, cv: f64) -> Result<Self> {
        let text = format!("Arrivals.day({rate}, {length}, process={process:?})");
        let stages = day(rate, seconds("length", length)?);
        Ok(Self { core: Arrivals::staged(self::process(process, cv)?, stages)?, text })
    }

    /// A reporting year in ``length`` seconds, at ``rate`` on average; its shape is an assumption.
    #[staticmethod]
    #[pyo3(signature = (rate, length, *, process="poisson", cv=1.0))]
    fn season(rate: f64, length: f64, process: &str, cv: f64) -> Result<Self> {
        let text = format!("Arrivals.season({rate}, {length}, process={process:?})");
        let stages = season(rate, seconds("length", length)?);
        Ok(Self { core: Arrivals::staged(self::process(process, cv)?, stages)?, text })
    }

    /// As a recording says, which also sets the tokens of each request.
    ///
    /// Args:
    ///     path: A CSV file with TIMESTAMP, ContextTokens and GeneratedTokens as Azure's, or JSON lines as Mooncake's.
    ///     speed: 2 is twice as fast as recorded.
    ///
    /// Raises:
    ///     ConfigError: The file cannot be read.
    #[allow(clippy::needless_pass_by_value)] // as Python gives it
    #[staticmethod]
    #[pyo3(signature = (path, *, speed=1.0))]
    fn trace(py: Python<'_>, path: PathBuf, speed: f64) -> Result<Self> {
        let trace = py.detach(|| Trace::read(&path))?;
        let text = format!("Arrivals.trace({:?}, speed={speed})", path.display().to_string());
        Ok(Self { core: Arrivals::replayed(trace, speed)?, text })
    }

    /// From the start to the end; None without end.
    #[getter]
    fn length(&self) -> Option<f64> {
        self.core.length().map(|length| length.as_secs_f64())
    }

    /// When the first ``n`` requests are due; fewer where the plan ends before.
    #[pyo3(signature = (n, *, seed=0))]
    fn times<'py>(&self, py: Python<'py>, n: usize, seed: u64) -> Bound<'py, PyArray1<f64>> {
        let times = py.detach(|| self.core.plan(seed).take(n).map(|next| next.at.as_secs_f64()).collect());
        PyArray1::from_vec(py, times)
    }

    fn __repr__(&self) -> &str {
        &self.text
    }
}
