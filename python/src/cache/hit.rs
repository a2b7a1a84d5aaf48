//! `CacheHit` and `Explanation`.

use super::arguments::cost_to_py;
use crate::payload;
use headrace::Payload;
use headrace::cache::{self, HitKind, HitParts};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyTuple};
use std::time::Duration;

/// An entry that serves. It can be pickled, and compared: equal hits hold the same of the same entry.
///
/// Example:
///     >>> cache = headrace.SemanticCache()
///     >>> key = cache.put("What is scope 2?", "Purchased energy.", cost="0.002")
///     >>> hit = cache.get("What is scope 2?")
///     >>> hit.response, hit.kind, hit.saved_cost
///     ('Purchased energy.', 'exact', Decimal('0.002'))
#[pyclass(frozen, module = "headrace._core.cache")]
pub(crate) struct CacheHit {
    pub(crate) core: cache::CacheHit,
}

#[pymethods]
impl CacheHit {
    /// The answer as it was put; decoded at each access, so that changing it changes nothing here.
    #[getter]
    fn response<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        payload::to_py(py, self.core.response())
    }

    /// ``exact`` for the same prompt, ``semantic`` for a similar one.
    #[getter]
    fn kind(&self) -> &'static str {
        self.core.kind().name()
    }

    /// The cosine of the two questions; 1.0 for the same prompt.
    #[getter]
    fn similarity(&self) -> f64 {
        f64::from(self.core.similarity())
    }

    /// The prompt under which the answer was stored.
    #[getter]
    fn prompt(&self) -> &str {
        self.core.prompt()
    }

    /// The entry's key, as `SemanticCache.put` returned it.
    #[getter]
    fn key(&self) -> String {
        self.core.key().to_string()
    }

    /// Seconds since it was stored.
    #[getter]
    fn age(&self) -> f64 {
        self.core.age().as_secs_f64()
    }

    /// Dollars that the hit saved; None where `cost` was not given.
    #[getter]
    fn saved_cost<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.saved_cost().map(|cost| cost_to_py(py, cost)).transpose()
    }

    /// Whether its time is over, and it serves until a fresh answer is there.
    #[getter]
    fn is_stale(&self) -> bool {
        self.core.is_stale()
    }

    /// How often the entry has served.
    #[getter]
    fn hits(&self) -> u64 {
        self.core.hits()
    }

    /// The hit as a dict, by the names of its attributes; JSON can hold it but for ``saved_cost``, a Decimal.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("response", self.response(py)?)?;
        dict.set_item("kind", self.kind())?;
        dict.set_item("similarity", self.similarity())?;
        dict.set_item("prompt", self.prompt())?;
        dict.set_item("key", self.key())?;
        dict.set_item("age", self.age())?;
        dict.set_item("saved_cost", self.saved_cost(py)?)?;
        dict.set_item("is_stale", self.is_stale())?;
        dict.set_item("hits", self.hits())?;
        Ok(dict)
    }

    fn __eq__(&self, other: &Self) -> bool {
        // How often it served may have changed since one of them was sent here.
        let facts = |hit: &Self| HitParts { hits: 0, ..HitParts::from(&hit.core) };
        facts(self) == facts(other)
    }

    fn __hash__(&self) -> u64 {
        HitParts::from(&self.core).id
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyDict>,))> {
        let parts = HitParts::from(&self.core);
        let dict = PyDict::new(py);
        dict.set_item("id", parts.id)?;
        dict.set_item("kind", parts.kind.name())?;
        dict.set_item("is_json", matches!(parts.response, Payload::Json(_)))?;
        dict.set_item("response", PyBytes::new(py, parts.response.as_bytes()))?;
        dict.set_item("similarity", parts.similarity)?;
        dict.set_item("prompt", parts.prompt)?;
        dict.set_item("asked", parts.asked)?;
        dict.set_item("tenant", parts.tenant)?;
        dict.set_item("scope", parts.scope)?;
        dict.set_item("created", nanos(parts.created))?;
        dict.set_item("age", nanos(parts.age))?;
        dict.set_item("cost", parts.cost.map(|cost| cost.to_string()))?;
        dict.set_item("is_stale", parts.is_stale)?;
        dict.set_item("hits", parts.hits)?;
        dict.set_item("agreement", parts.agreement)?;
        Ok((py.import("headrace._core.cache")?.getattr("_rebuild_hit")?, (dict,)))
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

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes a hit of what `CacheHit.__reduce__` gave.
#[pyfunction]
pub(super) fn _rebuild_hit(parts: &Bound<'_, PyDict>) -> PyResult<CacheHit> {
    let item = |name: &str| {
        parts.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("a pickled CacheHit has no {name:?}")))
    };
    let bytes: Vec<u8> = item("response")?.extract()?;
    let response = if item("is_json")?.extract()? { Payload::Json(bytes.into()) } else { Payload::Bytes(bytes.into()) };
    let kind: String = item("kind")?.extract()?;
    let cost: Option<String> = item("cost")?.extract()?;
    let bad = |what: &str| PyValueError::new_err(format!("a pickled CacheHit has a {what} that cannot be read"));
    let parts = HitParts {
        id: item("id")?.extract()?,
        kind: HitKind::of_name(&kind).ok_or_else(|| bad("kind"))?,
        response,
        similarity: item("similarity")?.extract()?,
        prompt: item("prompt")?.extract()?,
        asked: item("asked")?.extract()?,
        tenant: item("tenant")?.extract()?,
        scope: item("scope")?.extract()?,
        created: Duration::from_nanos(item("created")?.extract()?),
        age: Duration::from_nanos(item("age")?.extract()?),
        cost: cost.map(|cost| cost.parse().map_err(|_| bad("cost"))).transpose()?,
        is_stale: item("is_stale")?.extract()?,
        hits: item("hits")?.extract()?,
        agreement: item("agreement")?.extract()?,
    };
    Ok(CacheHit { core: parts.into() })
}

/// How near a stored entry is, and what keeps it from serving.
#[pyclass(frozen, eq, hash, module = "headrace._core.cache")]
#[derive(PartialEq, Clone, Hash)]
pub(crate) struct Explanation {
    key: String,
    prompt: String,
    /// As bits, so that it can be compared and hashed.
    similarity: u64,
    serves: bool,
    blocked: Vec<String>,
}

impl From<cache::Explanation> for Explanation {
    fn from(core: cache::Explanation) -> Self {
        let cache::Explanation { key, prompt, similarity, serves, blocked } = core;
        Self { key: key.to_string(), prompt, similarity: f64::from(similarity).to_bits(), serves, blocked }
    }
}

#[pymethods]
impl Explanation {
    #[new]
    #[pyo3(signature = (key, prompt, similarity, serves, blocked))]
    fn new(key: String, prompt: String, similarity: f64, serves: bool, blocked: Vec<String>) -> Self {
        Self { key, prompt, similarity: similarity.to_bits(), serves, blocked }
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

    /// The explanation as a dict, by the names of its attributes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("key", &self.key)?;
        dict.set_item("prompt", &self.prompt)?;
        dict.set_item("similarity", self.similarity())?;
        dict.set_item("serves", self.serves)?;
        dict.set_item("blocked", &self.blocked)?;
        Ok(dict)
    }

    fn __str__(&self) -> String {
        let verdict = if self.serves { "serves".into() } else { format!("blocked: {}", self.blocked.join("; ")) };
        format!("{:.4}  {:?}  {verdict}", self.similarity(), self.prompt)
    }

    fn __repr__(&self) -> String {
        format!("Explanation({})", self.__str__())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (String, String, f64, bool, Vec<String>)) {
        let Self { key, prompt, serves, blocked, .. } = slf.get();
        let parts = (key.clone(), prompt.clone(), slf.get().similarity(), *serves, blocked.clone());
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
        self.entries.iter().map(Explanation::__str__).collect::<Vec<_>>().join("\n")
    }

    fn __repr__(&self) -> String {
        format!("Explanations({})", self.__str__())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyTuple>, usize))> {
        let this = slf.get();
        Ok((slf.get_type().into_any(), (this.entries(slf.py())?, this.in_other_scopes)))
    }
}
