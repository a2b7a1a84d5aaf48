//! `headrace._core.verify`: verifiers written in Python, as verifiers of the core.

#![allow(clippy::doc_markdown, reason = "docstrings of Python")]

use crate::cache::arguments::{cost_from_py, cost_to_py};
use crate::error::Result;
use headrace::Error;
use headrace::cache::verify::{Judgement, LocalVerifier, QuestionPair, Ruling, SpentMeter, Verifier, VerifierSpending};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyList};
use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::sync::Arc;

/// Counts what a verifier spends: calls, dollars and failures.
#[pyclass(frozen, module = "headrace._core.verify", name = "SpentMeter")]
pub(crate) struct PySpentMeter {
    core: SpentMeter,
}

#[pymethods]
impl PySpentMeter {
    #[new]
    fn new() -> Self {
        Self { core: SpentMeter::default() }
    }

    /// Adds calls, what they cost in dollars, and how many of them failed or were late.
    #[pyo3(signature = (calls, cost=None, failures=0))]
    fn add(&self, calls: u64, cost: Option<&Bound<'_, PyAny>>, failures: u64) -> PyResult<()> {
        self.core.add(VerifierSpending { calls, cost: cost_from_py(cost)?.unwrap_or(0), failures });
        Ok(())
    }

    /// How often a model or a service was asked.
    #[getter]
    fn calls(&self) -> u64 {
        self.core.read().calls
    }

    /// What that cost, in dollars.
    #[getter]
    fn cost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        cost_to_py(py, self.core.read().cost)
    }

    /// How many of the calls failed or were late.
    #[getter]
    fn failures(&self) -> u64 {
        self.core.read().failures
    }
}

/// The verifier that runs here: a small model of English questions; `headrace.verifiers.local` makes it.
///
/// Works without the GIL, in threads and after a fork, and can be pickled by the path of its file.
///
/// Args:
///     path: The file of the model; it is read when the first pair is to be judged.
///
/// Raises:
///     ConfigError: There is no such file, or at the first pair, it holds no model of a verifier.
#[pyclass(frozen, module = "headrace._core.verify", name = "LocalVerifier")]
pub(crate) struct PyLocalVerifier {
    core: LocalVerifier,
    path: PathBuf,
}

#[pymethods]
impl PyLocalVerifier {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> Result<Self> {
        let core = py.detach(|| LocalVerifier::open(&path))?;
        Ok(Self { core, path })
    }

    /// What `explain` calls it.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// How probable it is of each pair that one answer serves both questions; 0.5 of a pair that it cannot read.
    ///
    /// Args:
    ///     pairs: The asked and the stored question of each.
    fn __call__(&self, py: Python<'_>, pairs: Vec<(String, String)>) -> Result<Vec<f32>> {
        let asked: Vec<_> = pairs.iter().map(|(asked, stored)| QuestionPair { asked, stored }).collect();
        let judged = py.detach(|| self.core.verify(&asked))?;
        Ok(judged.into_iter().map(|judged| judged.probability).collect())
    }

    fn __repr__(&self) -> String {
        format!("LocalVerifier({:?})", self.path.display().to_string())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (PathBuf,)) {
        (slf.get_type().into_any(), (slf.get().path.clone(),))
    }
}

/// A verifier in Python: an object with `name`, `same_at`, `different_at`, `_judge`, `_recall` and `_meter`.
struct PythonVerifier {
    name: String,
    same_at: f32,
    different_at: f32,
    most_at_once: usize,
    meter: Option<SpentMeter>,
    object: Py<PyAny>,
}

impl PythonVerifier {
    fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let meter = object.getattr("_meter")?;
        Ok(Self {
            name: object.getattr("name")?.extract()?,
            same_at: object.getattr("same_at")?.extract()?,
            different_at: object.getattr("different_at")?.extract()?,
            most_at_once: object.getattr("_most_at_once")?.extract()?,
            meter: meter.cast::<PySpentMeter>().ok().map(|meter| meter.get().core.clone()),
            object: object.clone().unbind(),
        })
    }

    fn ask(&self, method: &str, pairs: &[QuestionPair<'_>]) -> headrace::Result<Vec<Judgement>> {
        if crate::runtime::is_exiting() {
            return Err(Error::Config("the interpreter is about to end: nothing is verified any more".into()));
        }
        Python::attach(|py| {
            let asked = PyList::new(py, pairs.iter().map(|pair| (pair.asked, pair.stored)))?;
            let said = self.object.bind(py).call_method1(method, (asked,))?;
            said.try_iter()?.map(|one| self.judgement(&one?)).collect::<PyResult<Vec<_>>>()
        })
        .map_err(|error| self.failed(&error))
    }

    /// True and False are certain, None is unsure, and a number is a probability.
    fn judgement(&self, said: &Bound<'_, PyAny>) -> PyResult<Judgement> {
        if said.is_none() {
            return Ok(Judgement::UNSURE);
        }
        if let Ok(same) = said.cast::<PyBool>() {
            return Ok(if same.is_true() {
                Judgement { probability: 1.0, ruling: Ruling::Same }
            } else {
                Judgement { probability: 0.0, ruling: Ruling::Different }
            });
        }
        let probability: f32 = said.extract()?;
        if !(0.0..=1.0).contains(&probability) {
            return Err(PyValueError::new_err(format!(
                "{probability} is no probability: give True, False, None or a number from 0 to 1"
            )));
        }
        Ok(Judgement::of(probability, self.same_at, self.different_at))
    }

    fn failed(&self, error: &PyErr) -> Error {
        Python::attach(|py| {
            // The lookup goes on as a miss; what was pressed is told to whoever waits for it.
            if error.is_instance_of::<PyKeyboardInterrupt>(py)
                && let Ok(thread) = py.import("_thread")
            {
                let _ = thread.call_method0("interrupt_main");
            }
            // What it says may quote a question, which belongs in no log.
            let kind = error.get_type(py).name().map_or_else(|_| "an error".into(), |name| name.to_string());
            Error::RequestFailed(format!("the verifier {} raised {kind}", self.name))
        })
    }
}

impl Verifier for PythonVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn verify(&self, pairs: &[QuestionPair<'_>]) -> headrace::Result<Vec<Judgement>> {
        self.ask("_judge", pairs)
    }

    fn most_at_once(&self) -> usize {
        self.most_at_once
    }

    fn recall(&self, pairs: &[QuestionPair<'_>]) -> headrace::Result<Vec<Judgement>> {
        self.ask("_recall", pairs)
    }

    fn spending(&self) -> VerifierSpending {
        self.meter.as_ref().map_or_else(VerifierSpending::default, SpentMeter::read)
    }
}

impl Debug for PythonVerifier {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "PythonVerifier({})", self.name)
    }
}

/// `verifier=`.
pub(crate) enum VerifierArgument<'py> {
    /// Not given.
    Default,
    /// None, a name, a verifier, a function, or a list of these.
    Given(Bound<'py, PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for VerifierArgument<'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self::Given(given.to_owned()))
    }
}

impl<'py> VerifierArgument<'py> {
    /// The verifiers that it names, cheap to dear: `headrace.verifiers` puts them in a line.
    pub(crate) fn verifiers(&self, py: Python<'py>, has_guards: bool) -> Result<Vec<Arc<dyn Verifier>>> {
        let line = match self {
            Self::Given(given) if given.is_none() => return Ok(Vec::new()),
            Self::Given(given) => in_line(given)?,
            Self::Default if has_guards => in_line(&py.import("headrace.verifiers")?.getattr("_DEFAULT")?)?,
            Self::Default => return Ok(Vec::new()),
        };
        let one = |object: PyResult<Bound<'_, PyAny>>| -> Result<Arc<dyn Verifier>> {
            let object = object?;
            Ok(match object.cast::<PyLocalVerifier>() {
                Ok(local) => Arc::new(local.get().core.clone()),
                Err(_) => Arc::new(PythonVerifier::of(&object)?),
            })
        };
        line.try_iter()?.map(one).collect()
    }
}

/// The verifiers that an object names, as `headrace.verifiers` puts them in a line.
fn in_line<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    given.py().import("headrace.verifiers")?.call_method1("_line", (given,))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("IS_OPTIMISED", !cfg!(debug_assertions))?;
    module.add_class::<PyLocalVerifier>()?;
    module.add_class::<PySpentMeter>()
}
