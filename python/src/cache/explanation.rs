//! `Explanation` and `Explanations`.

use headrace::cache;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyTuple};

/// How near a stored entry is, and what each judge says.
#[pyclass(frozen, eq, hash, module = "headrace._core.cache")]
#[derive(PartialEq, Clone, Hash)]
pub(crate) struct Explanation {
    key: String,
    prompt: String,
    /// As bits, so that it can be compared and hashed.
    similarity: u64,
    serves: bool,
    blocked: Vec<String>,
    judges: Vec<String>,
}

impl From<cache::Explanation> for Explanation {
    fn from(core: cache::Explanation) -> Self {
        let cache::Explanation { key, prompt, similarity, serves, blocked, judges } = core;
        Self { key: key.to_string(), prompt, similarity: f64::from(similarity).to_bits(), serves, blocked, judges }
    }
}

#[pymethods]
impl Explanation {
    #[new]
    #[pyo3(signature = (key, prompt, similarity, serves, blocked, judges=Vec::new()))]
    fn new(
        key: String,
        prompt: String,
        similarity: f64,
        serves: bool,
        blocked: Vec<String>,
        judges: Vec<String>,
    ) -> Self {
        Self { key, prompt, similarity: similarity.to_bits(), serves, blocked, judges }
    }

    /// The entry's key.
    #[getter]
    fn key(&self) -> &str {
        &self.key
    }

    /// The prompt under which it is stored.
    #[getter]
    fn prompt(&self) -> &str {
        &self.prompt
    }

    /// The cosine of the two questions.
    #[getter]
    fn similarity(&self) -> f64 {
        f64::from_bits(self.similarity)
    }

    /// Whether it would be served.
    #[getter]
    fn serves(&self) -> bool {
        self.serves
    }

    /// What keeps it from serving, as in ``guard: year 2023 differs from 2024``.
    #[getter]
    fn blocked(&self) -> Vec<String> {
        self.blocked.clone()
    }

    /// What each judge says, in the order in which they are asked, as in ``expiry: it serves without an end``.
    #[getter]
    fn judges(&self) -> Vec<String> {
        self.judges.clone()
    }

    /// The explanation as a dict, by the names of its attributes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("key", &self.key)?;
        dict.set_item("prompt", &self.prompt)?;
        dict.set_item("similarity", self.similarity())?;
        dict.set_item("serves", self.serves)?;
        dict.set_item("blocked", &self.blocked)?;
        dict.set_item("judges", &self.judges)?;
        Ok(dict)
    }

    fn __str__(&self) -> String {
        let judges = self.judges.iter().map(|line| format!("\n        {line}")).collect::<String>();
        let verdict = if self.serves { "serves" } else { "does not serve" };
        format!("{:.4}  {:?}  {verdict}{judges}", self.similarity(), self.prompt)
    }

    fn __repr__(&self) -> String {
        let verdict = if self.serves { "serves".into() } else { format!("blocked: {}", self.blocked.join("; ")) };
        format!("Explanation({:.4}  {:?}  {verdict})", self.similarity(), self.prompt)
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (Bound<'py, PyAny>, (String, String, f64, bool, Vec<String>, Vec<String>)) {
        let Self { key, prompt, serves, blocked, judges, .. } = slf.get();
        let parts = (key.clone(), prompt.clone(), slf.get().similarity(), *serves, blocked.clone(), judges.clone());
        (slf.get_type().into_any(), parts)
    }
}

/// The entries nearest to a question: a sequence of `Explanation`, nearest first.
///
/// Example:
///     >>> cache = headrace.SemanticCache()
///     >>> key = cache.put("What is scope 2?", "Purchased energy.", scope="energy")
///     >>> print(cache.explain("What is scope 2?"))
///     no entry of this tenant and scope; another scope of the tenant holds 1 entry: is scope= what the entries were put with?
///     >>> print(cache.explain("What is scope 2?", scope="energy")[0])
///     1.0000  "What is scope 2?"  serves
///             exact: it is the same prompt
///             expiry: it serves without an end
#[pyclass(frozen, eq, hash, sequence, module = "headrace._core.cache")]
#[derive(PartialEq, Hash)]
pub(crate) struct Explanations {
    entries: Vec<Explanation>,
    in_other_scopes: usize,
}

impl From<cache::Nearest> for Explanations {
    fn from(core: cache::Nearest) -> Self {
        Self { entries: core.entries.into_iter().map(Into::into).collect(), in_other_scopes: core.in_other_scopes }
    }
}

#[pymethods]
impl Explanations {
    #[new]
    #[pyo3(signature = (entries, in_other_scopes))]
    fn new(entries: Vec<PyRef<'_, Explanation>>, in_other_scopes: usize) -> Self {
        Self { entries: entries.iter().map(|entry| Explanation::clone(entry)).collect(), in_other_scopes }
    }

    /// All of them.
    #[getter]
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.entries.iter().cloned())
    }

    /// How many entries the tenant has in other scopes, none of which can serve.
    #[getter]
    fn in_other_scopes(&self) -> usize {
        self.in_other_scopes
    }

    /// All as a dict of lists and numbers.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        let entries = self.entries.iter().map(|entry| entry.to_dict(py)).collect::<PyResult<Vec<_>>>()?;
        dict.set_item("entries", entries)?;
        dict.set_item("in_other_scopes", self.in_other_scopes)?;
        Ok(dict)
    }

    fn __len__(&self) -> usize {
        self.entries.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.entries(py)?.as_any().get_item(index)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.entries(py)?.as_any().try_iter()
    }

    fn __str__(&self) -> String {
        let others = match self.in_other_scopes {
            1 => "another scope of the tenant holds 1 entry".to_owned(),
            count => format!("other scopes of the tenant hold {count} entries"),
        };
        if self.entries.is_empty() {
            let hint = if self.in_other_scopes == 0 { "" } else { ": is scope= what the entries were put with?" };
            return format!("no entry of this tenant and scope; {others}{hint}");
        }
        let lines = self.entries.iter().map(Explanation::__str__);
        lines.chain((self.in_other_scopes > 0).then_some(others)).collect::<Vec<_>>().join("\n")
    }

    fn __repr__(&self) -> String {
        let entries: Vec<_> = self.entries.iter().map(Explanation::__repr__).collect();
        format!("Explanations([{}], {})", entries.join(", "), self.in_other_scopes)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyTuple>, usize))> {
        let this = slf.get();
        Ok((slf.get_type().into_any(), (this.entries(slf.py())?, this.in_other_scopes)))
    }
}
