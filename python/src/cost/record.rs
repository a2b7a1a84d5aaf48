//! One call in the ledger.

use super::arguments::{self, Count, optional_count, time_to_py};
use super::usage::Usage;
use super::{carbon, decimal};
use crate::error::Result;
use headrace::cost::carbon::{Impact, Range};
use headrace::cost::money::Money;
use headrace::cost::{self as core, Settlement};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};

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
    /// The number in the ledger, as a text; None for a quote, and while the ledger cannot be written.
    #[getter]
    fn id(&self) -> Option<String> {
        (self.core.id > 0).then(|| self.core.id.to_string())
    }

    /// When the call was, in UTC.
    #[getter]
    fn time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        time_to_py(py, self.core.time)
    }

    /// The provider that was paid.
    #[getter]
    fn provider(&self) -> &str {
        &self.core.card.provider
    }

    /// The model, without its provider.
    #[getter]
    fn model(&self) -> &str {
        &self.core.card.model
    }

    /// Who it was for.
    #[getter]
    fn tenant(&self) -> &str {
        self.core.attribution.tenant()
    }

    /// More of who it was for, sorted.
    #[getter]
    fn tags(&self) -> Vec<String> {
        self.core.attribution.tags().to_vec()
    }

    /// What it used.
    #[getter]
    fn usage(&self) -> Usage {
        Usage { core: self.core.usage }
    }

    /// What was paid, in dollars; zero for an answer of the cache.
    #[getter]
    fn cost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.cost())
    }

    /// What the provider says that the call cost, in dollars; None where it says nothing.
    #[getter]
    fn told_cost<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.told_cost.map(|cost| decimal::to_py(py, cost)).transpose()
    }

    /// What was saved, in dollars: what the cache's answer would have cost, or what a route's choice was below its dearest model.
    #[getter]
    fn saved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.saved())
    }

    /// The amount by kind of usage: dictionaries with `kind`, `quantity`, `unit_price`, `amount`.
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

    /// Whether the price or the usage is an estimate: no list has the model, or the provider gave no usage.
    #[getter]
    fn estimated(&self) -> bool {
        self.core.is_estimated()
    }

    /// The price list: its date and sources.
    #[getter]
    fn price_version(&self) -> &str {
        &self.core.card.version
    }

    /// The zone of the electricity.
    #[getter]
    fn zone(&self) -> &str {
        &self.core.card.zone
    }

    /// `exact` or `semantic` where the cache answered.
    #[getter]
    fn cache(&self) -> Option<&'static str> {
        self.core.cache.as_str()
    }

    /// Seconds that the provider took, where measured.
    #[getter]
    fn latency(&self) -> Option<f64> {
        self.core.latency_s
    }

    /// How often the provider was asked.
    #[getter]
    fn attempts(&self) -> u32 {
        self.core.attempts
    }

    /// Watt-hours, with their bounds; None where the model's size is unknown.
    #[getter]
    fn energy_wh<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.energy_wh)
    }

    /// Grams of CO2 equivalent, of use and manufacture.
    #[getter]
    fn co2e_g<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.co2e_g)
    }

    /// The part of `co2e_g` that making the hardware caused.
    #[getter]
    fn co2e_embodied_g<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.co2e_embodied_g)
    }

    /// Litres of water.
    #[getter]
    fn water_l<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.figure(py, |impact| impact.water_l)
    }

    /// Grams of CO2 equivalent that the cache's answer avoided.
    #[getter]
    fn avoided_co2e_g<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.core.avoided().map(|impact| carbon::range_to_py(py, impact.co2e_g)).transpose()
    }

    /// All of the record as a dictionary: its attributes by name, the usage as a dictionary of its own.
    fn to_dict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(slf.py());
        for name in ATTRIBUTES {
            fields.set_item(name, slf.getattr(name)?)?;
        }
        fields.set_item("usage", slf.getattr("usage")?.call_method0("to_dict")?)?;
        Ok(fields)
    }

    /// The names of its fields: a record is a mapping, so that a list of them is a frame with columns.
    fn keys(&self) -> Vec<&'static str> {
        ATTRIBUTES.into_iter().chain(["usage"]).collect()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.keys())?.try_iter()
    }

    fn __len__(&self) -> usize {
        ATTRIBUTES.len() + 1
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match name {
            "usage" => slf.getattr("usage")?.call_method0("to_dict"),
            name if ATTRIBUTES.contains(&name) => slf.getattr(name),
            name => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    /// The record that `__reduce__` wrote.
    #[staticmethod]
    fn _from_json(text: &str) -> Result<Self> {
        Ok(Self { core: core::CostRecord::from_json(text)? })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
        let text = slf.get().core.to_json()?;
        Ok((slf.get_type().getattr("_from_json")?, (text,)))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core.to_json().ok() == other.core.to_json().ok()
    }

    fn __hash__(&self) -> u64 {
        self.core.id ^ self.core.time.unsigned_abs().rotate_left(32)
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

/// What [`CostRecord::to_dict`] gives beside the usage.
const ATTRIBUTES: [&str; 20] = [
    "id",
    "time",
    "provider",
    "model",
    "tenant",
    "tags",
    "cost",
    "told_cost",
    "saved",
    "lines",
    "estimated",
    "price_version",
    "zone",
    "cache",
    "latency",
    "attempts",
    "energy_wh",
    "co2e_g",
    "water_l",
    "avoided_co2e_g",
];

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
    Ok(Settlement {
        cache,
        latency_s: arguments::latency(latency)?,
        attempts,
        is_usage_estimated,
        told_cost,
        ..Settlement::default()
    })
}
