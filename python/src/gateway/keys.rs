//! Keys of tenants.

use crate::cost::decimal;
use crate::duration::datetime;
use crate::error::Result;
use headrace::Error;
use headrace::cost::budget::Period;
use headrace::gateway::{self as core, KeyTerms};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::time::Duration;

/// The keys that may ask an endpoint, in a file: their digests and terms, never the keys themselves.
///
/// Args:
///     url: `sqlite:///FILE`.
///
/// Raises:
///     ConfigError: the URL names no file.
///     StoreError: the file cannot be opened, or was written by something else.
///
/// Example:
///     >>> ring = headrace.keys.KeyRing("sqlite:///keys.db")
///     >>> kept, key = ring.create("reporting", budget="50", priority="high")
///     >>> key.startswith("hr_" + kept.id), [found.tenant for found in ring.list()]
///     (True, ['reporting'])
#[pyclass(frozen, module = "headrace._core.gateway")]
pub(crate) struct KeyRing {
    core: core::KeyRing,
}

#[pymethods]
impl KeyRing {
    #[new]
    fn new(py: Python<'_>, url: &str) -> Result<Self> {
        Ok(Self { core: py.detach(|| core::KeyRing::open(url))? })
    }

    /// Make a key.
    ///
    /// Args:
    ///     tenant: whose calls are made with it.
    ///     name: what people call it; None for the tenant's name.
    ///     priority: the most urgent that it may ask for: critical, high, normal or low, or 0 to 3.
    ///     models: the models that it may name, `openai/*` for all of a provider; empty for any.
    ///     budget: the most that its calls may cost in a period, in dollars: a Decimal, an integer or a string.
    ///     period: of the budget: hour, day, week, month or ever.
    ///     requests_per_minute: the most requests in any 60 seconds.
    ///     concurrency: the most requests at once.
    ///     admin: whether it may see what belongs to other tenants.
    ///
    /// Returns:
    ///     What is kept, and the key, which nobody can be shown again.
    ///
    /// Raises:
    ///     ValueError: an argument is none of a key.
    ///     StoreError: the file cannot be written.
    #[pyo3(signature = (tenant, *, name=None, priority=None, models=Vec::new(), budget=None, period="month",
        requests_per_minute=None, concurrency=None, admin=false))]
    #[allow(clippy::too_many_arguments)]
    fn create<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        name: Option<&str>,
        priority: Option<&Bound<'py, PyAny>>,
        models: Vec<String>,
        budget: Option<&Bound<'py, PyAny>>,
        period: &str,
        requests_per_minute: Option<u64>,
        concurrency: Option<u64>,
        admin: bool,
    ) -> Result<(AccessKey, String)> {
        let mut terms = KeyTerms { models, requests_per_minute, concurrency, is_admin: admin, ..KeyTerms::of(tenant) };
        if let Some(given) = priority {
            terms.priority = crate::queue::priority(Some(given))?;
        }
        if let Some(name) = name {
            name.clone_into(&mut terms.name);
        }
        let period = Period::parse(period)?;
        if let Some(given) = budget {
            let limit = decimal::from_py(given, "budget")?;
            if limit < headrace::cost::money::Money::ZERO {
                return Err(Error::invalid(format!("budget is {limit}: give 0 or more")).into());
            }
            terms.budget = Some((limit, period));
        }
        let (kept, key) = py.detach(|| self.core.create(terms))?;
        Ok((AccessKey(kept), key))
    }

    /// Revoke a key. Endpoints that run take it no more within about a second.
    ///
    /// Args:
    ///     id: the key's id, as `list()` has it.
    ///
    /// Returns:
    ///     Whether there was such a key that was good.
    fn revoke(&self, py: Python<'_>, id: &str) -> Result<bool> {
        Ok(py.detach(|| self.core.revoke(id))?)
    }

    /// Every key that was made, the oldest first, those that were revoked too.
    fn list(&self, py: Python<'_>) -> Result<Vec<AccessKey>> {
        Ok(py.detach(|| self.core.list())?.into_iter().map(AccessKey).collect())
    }
}

/// A key as it is kept: what it may do, and not the key itself.
#[pyclass(frozen, module = "headrace._core.gateway")]
pub(crate) struct AccessKey(core::AccessKey);

#[pymethods]
impl AccessKey {
    /// What it is called by in lists, and in the ledger, as the tag `key=ID`.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// What people call it.
    #[getter]
    fn name(&self) -> &str {
        &self.0.terms.name
    }

    /// Whose calls are made with it.
    #[getter]
    fn tenant(&self) -> &str {
        &self.0.terms.tenant
    }

    /// The most urgent that it may ask for.
    #[getter]
    fn priority(&self) -> &'static str {
        self.0.terms.priority.name()
    }

    /// The models that it may name; empty for any.
    #[getter]
    fn models<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.terms.models)
    }

    /// The most that its calls may cost in a period, as a Decimal; None for no budget.
    #[getter]
    fn budget<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.terms.budget.map(|(limit, _)| decimal::to_py(py, limit)).transpose()
    }

    /// The period of the budget; None for no budget.
    #[getter]
    fn period(&self) -> Option<String> {
        self.0.terms.budget.map(|(_, period)| period.to_string())
    }

    /// The most requests in any 60 seconds.
    #[getter]
    fn requests_per_minute(&self) -> Option<u64> {
        self.0.terms.requests_per_minute
    }

    /// The most requests at once.
    #[getter]
    fn concurrency(&self) -> Option<u64> {
        self.0.terms.concurrency
    }

    /// Whether it may see what belongs to other tenants.
    #[getter]
    fn admin(&self) -> bool {
        self.0.terms.is_admin
    }

    /// When it was made, in UTC.
    #[getter]
    fn created<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.created)
    }

    /// When it was revoked, in UTC; None for one that is good.
    #[getter]
    fn revoked<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.revoked.map(|micros| moment(py, micros)).transpose()
    }

    /// All of it as a dict.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        fields.set_item("id", self.id())?;
        fields.set_item("name", self.name())?;
        fields.set_item("tenant", self.tenant())?;
        fields.set_item("priority", self.priority())?;
        fields.set_item("models", &self.0.terms.models)?;
        fields.set_item("budget", self.budget(py)?)?;
        fields.set_item("period", self.period())?;
        fields.set_item("requests_per_minute", self.requests_per_minute())?;
        fields.set_item("concurrency", self.concurrency())?;
        fields.set_item("admin", self.admin())?;
        fields.set_item("created", self.created(py)?)?;
        fields.set_item("revoked", self.revoked(py)?)?;
        Ok(fields)
    }

    fn __repr__(&self) -> String {
        let state = if self.0.revoked.is_some() { ", revoked" } else { "" };
        format!("<AccessKey {} of {:?}{state}>", self.0.id, &*self.0.terms.tenant)
    }
}

fn moment(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    datetime(py, Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}
