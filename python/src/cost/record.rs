//! One call in the ledger.

use super::arguments::{self, Count, optional_count, time_to_py};
use super::usage::Usage;
use super::{carbon, decimal};
use crate::error::Result;
use headrace::cost::carbon::{Impact, Range};
use headrace::cost::money::Money;
use headrace::cost::{self as core, Settlement};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// One call in the ledger; its fields are worked out when they are read.
#[pyclass(frozen, module = "headrace._core.cost")]
pub(crate) struct CostRecord {
    pub(crate) core: core::CostRecord,
}

impl CostRecord {
    fn figure<'py>(&self, py: Python<'py>, pick: fn(Impact) -> Range) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.impact().map(|impact| carbon::range_to_py(py, pick(impact))).transpose()
    }
}

#[pymethods]
impl CostRecord {
    #[getter]
    fn id(&self) -> Option<String> {
        (self.core.id > 0).then(|| self.core.id.to_string())
    }

    #[getter]
    fn time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        time_to_py(py, self.core.time)
    }

    #[getter]
    fn provider(&self) -> &str {
        &self.core.card.provider
    }

    #[getter]
    fn model(&self) -> &str {
        &self.core.card.model
    }

    #[getter]
    fn tenant(&self) -> &str {
        self.core.attribution.tenant()
    }

    #[getter]
    fn tags(&self) -> Vec<String> {
        self.core.attribution.tags().to_vec()
    }

    #[getter]
    fn usage(&self) -> Usage {
        Usage { core: self.core.usage }
    }

    #[getter]
    fn cost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.cost())
    }

    /// What the provider says that the call cost, in dollars; None where it says nothing.
    #[getter]
    fn told_cost<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.told_cost.map(|cost| decimal::to_py(py, cost)).transpose()
    }

    #[getter]
    fn saved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.saved())
    }

    #[getter]
    fn lines<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let line = |line: &core::price::CostLine| {
            let fields = PyDict::new(py);
            fields.set_item("kind", line.kind.as_str())?;
            fields.set_item("quantity", line.quantity)?;
            fields.set_item("unit_price", decimal::to_py(py, line.unit_price)?)?;
            fields.set_item("amount", decimal::to_py(py, line.amount)?)?;
            Ok(fields)
        };
        self.core.lines().iter().map(line).collect()
    }

    #[getter]
    fn estimated(&self) -> bool {
        self.core.is_estimated()
    }

    #[getter]
    fn price_version(&self) -> &str {
        &self.core.card.version
    }

    #[getter]
    fn zone(&self) -> &str {
        &self.core.card.zone
    }

    #[getter]
    fn cache(&self) -> Option<&'static str> {
        self.core.cache.as_str()
    }

    #[getter]
    fn latency(&self) -> Option<f64> {
        self.core.latency_s
    }

    #[getter]
    fn attempts(&self) -> u32 {
        self.core.attempts
    }

    #[getter]
    fn energy_wh<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.energy_wh)
    }

    #[getter]
    fn co2e_g<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.co2e_g)
    }

    #[getter]
    fn co2e_embodied_g<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.co2e_embodied_g)
    }

    #[getter]
    fn water_l<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.water_l)
    }

    #[getter]
    fn avoided_co2e_g<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.avoided().map(|impact| carbon::range_to_py(py, impact.co2e_g)).transpose()
    }

    fn __repr__(&self) -> String {
        let (core, card) = (&self.core, &self.core.card);
        let guess = if core.is_estimated() { ", estimated=True" } else { "" };
        let tenant = core.attribution.tenant();
        format!(
            "CostRecord({}/{}, cost=Decimal('{}'), tenant='{tenant}'{guess})",
            card.provider,
            card.model,
            core.cost()
        )
    }
}

/// How a call went, from keywords.
pub(crate) fn settlement(
    cache: Option<&str>,
    latency: Option<&Bound<'_, PyAny>>,
    attempts: Option<&Count>,
    is_usage_estimated: bool,
    told_cost: Option<&Bound<'_, PyAny>>,
) -> Result<Settlement> {
    let unknown =
        |text: &str| headrace::Error::invalid(format!("cache {text:?} is unknown: give exact, semantic or None"));
    let cache = match cache {
        None => core::CacheUse::Miss,
        Some(text) => core::CacheUse::parse(text).ok_or_else(|| unknown(text))?,
    };
    let attempts = optional_count(attempts, "attempts")?.unwrap_or(1);
    let told_cost = told_cost.map(|cost| decimal::from_py(cost, "told_cost")).transpose()?;
    if let Some(cost) = told_cost.filter(|cost| *cost < Money::ZERO) {
        return Err(headrace::Error::invalid(format!("told_cost is {cost}: give an amount of at least 0")).into());
    }
    Ok(Settlement { cache, latency_s: arguments::latency(latency)?, attempts, is_usage_estimated, told_cost })
}
