//! `CacheHit` and `Explanation`.

use super::arguments::cost_to_py;
use crate::payload;
use headrace::cache;
use pyo3::prelude::*;

/// An entry that serves.
#[pyclass(frozen, module = "headrace._core.cache")]
pub(crate) struct CacheHit {
    pub(crate) core: cache::CacheHit,
}

#[pymethods]
impl CacheHit {
    #[getter]
    fn response<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        payload::to_py(py, self.core.response())
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.core.kind().name()
    }

    #[getter]
    fn similarity(&self) -> f64 {
        f64::from(self.core.similarity())
    }

    #[getter]
    fn prompt(&self) -> &str {
        self.core.prompt()
    }

    #[getter]
    fn key(&self) -> String {
        self.core.key().to_string()
    }

    #[getter]
    fn age(&self) -> f64 {
        self.core.age().as_secs_f64()
    }

    #[getter]
    fn saved_cost<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.saved_cost().map(|cost| cost_to_py(py, cost)).transpose()
    }

    #[getter]
    fn is_stale(&self) -> bool {
        self.core.is_stale()
    }

    #[getter]
    fn hits(&self) -> u64 {
        self.core.hits()
    }

    fn __repr__(&self) -> String {
        let stale = if self.core.is_stale() { ", stale" } else { "" };
        let short: String = self.core.prompt().chars().take(60).collect();
        format!(
            "CacheHit({}, similarity={:.4}, age={:.1} s{stale}, prompt={short:?})",
            self.core.kind().name(),
            self.core.similarity(),
            self.core.age().as_secs_f64()
        )
    }
}

/// How near a stored entry is, and what keeps it from serving.
#[pyclass(frozen, module = "headrace._core.cache")]
pub(crate) struct Explanation {
    pub(crate) core: cache::Explanation,
}

#[pymethods]
impl Explanation {
    #[getter]
    fn key(&self) -> String {
        self.core.key.to_string()
    }

    #[getter]
    fn prompt(&self) -> &str {
        &self.core.prompt
    }

    #[getter]
    fn similarity(&self) -> f64 {
        f64::from(self.core.similarity)
    }

    #[getter]
    fn serves(&self) -> bool {
        self.core.serves
    }

    #[getter]
    fn blocked(&self) -> Vec<String> {
        self.core.blocked.clone()
    }

    fn __str__(&self) -> String {
        let verdict =
            if self.core.serves { "serves".into() } else { format!("blocked: {}", self.core.blocked.join("; ")) };
        format!("{:.4}  {:?}  {verdict}", self.core.similarity, self.core.prompt)
    }

    fn __repr__(&self) -> String {
        format!("Explanation({})", self.__str__())
    }
}
