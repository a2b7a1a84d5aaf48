//! `headrace._core.guard`: the guards, to look at and to extend.

#![allow(clippy::doc_markdown, reason = "docstrings of Python")]

use crate::embed::embedder;
use crate::error::Result;
use headrace::Error;
use headrace::cache::guard::{self, Guards};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// What two questions are compared by; :func:`headrace.guards.guards` makes one with what you add.
///
/// Args:
///     embedder: Whose word vectors tell a synonym from another thing; None for none.
///     synonyms: Groups of phrases that are one thing.
///     terms: Slots, each with terms of which two questions must name the same.
///     patterns: Slots, each with a regular expression whose matches must be the same.
///     checks: Functions of the asked and the stored question that return what differs, or None. One that raises
///         blocks.
///
/// Raises:
///     ConfigError: A pattern is no regular expression, or the embedder no embedder.
#[pyclass(frozen, module = "headrace._core.guard", name = "Guards")]
pub(crate) struct PyGuards {
    pub(crate) core: Guards,
    /// What it was made of, for pickle.
    embedder: Option<Py<PyAny>>,
    options: Py<PyDict>,
}

/// Whether a stored answer may serve, and what speaks against it. True where it may.
#[pyclass(frozen, get_all, module = "headrace._core.guard", name = "Verdict")]
struct PyVerdict {
    passed: bool,
    agreement: f32,
    reason: Option<String>,
}

/// A check written in Python.
struct Callable(Py<PyAny>);

impl guard::FactCheck for Callable {
    fn differs(&self, asked: &str, stored: &str) -> Option<String> {
        let called = Python::attach(|py| self.0.call1(py, (asked, stored))?.extract::<Option<String>>(py));
        // A check that fails has not said that the answer may serve.
        called.unwrap_or_else(|error| Some(format!("a check failed: {error}")))
    }
}

impl Debug for Callable {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("check in Python")
    }
}

#[pymethods]
impl PyGuards {
    #[new]
    #[pyo3(signature = (embedder=None, *, synonyms=None, terms=None, patterns=None, checks=None))]
    fn new(
        py: Python<'_>,
        embedder: Option<Bound<'_, PyAny>>,
        synonyms: Option<Vec<Vec<String>>>,
        terms: Option<Vec<(String, Vec<String>)>>,
        patterns: Option<Vec<(String, String)>>,
        checks: Option<Vec<Py<PyAny>>>,
    ) -> Result<Self> {
        let empty = |text: &String| text.trim().is_empty();
        let phrases = synonyms.iter().flatten().flatten().chain(terms.iter().flatten().flat_map(|(_, terms)| terms));
        if phrases.clone().any(empty) || patterns.iter().flatten().any(|(slot, pattern)| empty(slot) || empty(pattern))
        {
            return Err(
                Error::Config("synonyms, terms or patterns hold an empty text: give texts with words".into()).into()
            );
        }
        for check in checks.iter().flatten() {
            if !check.bind(py).is_callable() {
                return Err(Error::Config(format!("the check {check} is no function of two questions")).into());
            }
        }
        let options = PyDict::new(py);
        options.set_item("synonyms", &synonyms)?;
        options.set_item("terms", &terms)?;
        options.set_item("patterns", &patterns)?;
        options.set_item("checks", &checks)?;
        let vectors = embedder.as_ref().map(self::embedder).transpose()?.and_then(|known| known.word_vectors());
        let mut core = Guards::standard().with_vectors(vectors);
        for phrases in synonyms.iter().flatten() {
            core = core.with_synonyms(&phrases.iter().map(String::as_str).collect::<Vec<_>>());
        }
        for (slot, terms) in terms.iter().flatten() {
            core = core.with_terms(slot, &terms.iter().map(String::as_str).collect::<Vec<_>>());
        }
        for (slot, pattern) in patterns.iter().flatten() {
            core = core.with_pattern(slot, pattern)?;
        }
        for check in checks.into_iter().flatten() {
            core = core.with_check(Arc::new(Callable(check)));
        }
        Ok(Self { core, embedder: embedder.map(Bound::unbind), options: options.unbind() })
    }

    /// Whether the answer to ``stored`` may serve ``asked``.
    fn compare(&self, py: Python<'_>, asked: &str, stored: &str) -> PyVerdict {
        let verdict = py.detach(|| self.core.compare(&self.core.signature(asked), &self.core.signature(stored)));
        let agreement = match verdict {
            guard::Verdict::Pass { agreement } => agreement,
            guard::Verdict::Blocked { .. } => 0.0,
        };
        PyVerdict { passed: verdict.is_pass(), agreement, reason: verdict.reason().map(Into::into) }
    }

    /// What the weighing of two wordings looks at, for fitting it; None where something else parts them.
    fn _evidence(&self, py: Python<'_>, asked: &str, stored: &str) -> Option<Vec<f32>> {
        py.detach(|| self.core.evidence(&self.core.signature(asked), &self.core.signature(stored)))
    }

    /// What the facts part where somebody reads the wording, and every slot in which the two differ, for measuring.
    fn _facts(&self, py: Python<'_>, asked: &str, stored: &str) -> (Option<String>, Vec<(String, &'static str)>) {
        py.detach(|| {
            let (asked, stored) = (self.core.signature(asked), self.core.signature(stored));
            let verdict = self.core.compare_facts(&asked, &stored);
            (verdict.reason().map(str::to_owned), self.core.differences(&asked, &stored))
        })
    }

    /// What the guards read in a question, as in ``["scope 1", "year 2023", "name Acme"]``.
    fn describe(&self, py: Python<'_>, text: &str) -> Vec<String> {
        py.detach(|| self.core.signature(text).describe())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut said = Vec::new();
        if let Some(embedder) = &self.embedder {
            said.push(embedder.bind(py).repr()?.to_string());
        }
        for (name, value) in self.options.bind(py).iter().filter(|(_, value)| !value.is_none()) {
            said.push(format!("{name}={}", value.repr()?));
        }
        Ok(format!("Guards({})", said.join(", ")))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let this = slf.get();
        let rebuild = py.import("headrace.guards")?.getattr("_rebuild")?;
        Ok((rebuild, (this.embedder.as_ref(), &this.options).into_pyobject(py)?))
    }
}

#[pymethods]
impl PyVerdict {
    fn __bool__(&self) -> bool {
        self.passed
    }

    fn __repr__(&self) -> String {
        match &self.reason {
            None => format!("Verdict(passed, agreement {:.2})", self.agreement),
            Some(reason) => format!("Verdict(blocked: {reason})"),
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyGuards>()?;
    module.add_class::<PyVerdict>()
}
