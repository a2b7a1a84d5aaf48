//! `CacheHit`.

use super::arguments::cost_to_py;
use crate::payload;
use headrace::Payload;
use headrace::cache::{self, HitKind, HitParts};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
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

    /// How probable a verifier found it that the answer serves, 0 to 1; None where none has read it.
    #[getter]
    fn verified(&self) -> Option<f64> {
        self.core.verified().map(f64::from)
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
        dict.set_item("verified", self.verified())?;
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
        dict.set_item("verified", parts.verified)?;
        Ok((py.import("headrace._core.cache")?.getattr("_rebuild_hit")?, (dict,)))
    }

    fn __repr__(&self) -> String {
        let stale = if self.core.is_stale() { ", stale" } else { "" };
        let verified = self.core.verified().map_or(String::new(), |verified| format!(", verified={verified:.2}"));
        let short: String = self.core.prompt().chars().take(60).collect();
        format!(
            "CacheHit({}, similarity={:.4}{verified}, age={:.1} s{stale}, prompt={short:?})",
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
        // What an earlier version pickled has none.
        verified: parts.get_item("verified")?.map_or(Ok(None), |verified| verified.extract())?,
    };
    Ok(CacheHit { core: parts.into() })
}
