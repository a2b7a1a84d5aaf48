//! `headrace._core.guard`: the guards, to look at and to extend.

use crate::embed::embedder;
use crate::error::Result;
use headrace::cache::guard::{Guards, Verdict};
use pyo3::prelude::*;

/// What two questions are compared by.
#[pyclass(frozen, module = "headrace._core.guard", name = "Guards")]
pub(crate) struct PyGuards {
    pub(crate) core: Guards,
}

#[pymethods]
impl PyGuards {
    #[new]
    #[pyo3(signature = (embedder=None))]
    fn new(embedder: Option<&Bound<'_, PyAny>>) -> Result<Self> {
        let vectors = embedder.map(self::embedder).transpose()?.and_then(|known| known.word_vectors());
        Ok(Self { core: Guards::standard().with_vectors(vectors) })
    }

    /// None where nothing speaks against it, otherwise what differs.
    fn compare(&self, py: Python<'_>, asked: &str, stored: &str) -> (f32, Option<String>) {
        let verdict = py.detach(|| self.core.compare(&self.core.signature(asked), &self.core.signature(stored)));
        match verdict {
            Verdict::Pass { agreement } => (agreement, None),
            Verdict::Blocked { reason } => (0.0, Some(reason)),
        }
    }
    /// For people.
    fn describe(&self, text: &str) -> String {
        self.core.signature(text).describe().join(" · ")
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyGuards>()
}
