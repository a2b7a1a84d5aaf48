//! Prices by model.

use super::arguments::{Count, optional_time};
use super::decimal;
use crate::error::Result;
use headrace::Error;
use headrace::cost::price::{self as core, Condition, PricePeriod, UsageKind};
use jiff::Timestamp;
use parking_lot::RwLock;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};
use std::path::PathBuf;
use std::sync::Arc;

/// Prices by model.
#[pyclass(frozen, module = "headrace._core.cost")]
pub(crate) struct PriceTable {
    pub(crate) core: RwLock<core::PriceTable>,
}

impl PriceTable {
    fn from_core(core: core::PriceTable) -> Self {
        Self { core: RwLock::new(core) }
    }
}

#[pymethods]
impl PriceTable {
    #[staticmethod]
    fn builtin() -> Self {
        Self::from_core(core::PriceTable::builtin())
    }

    #[staticmethod]
    fn empty() -> Self {
        Self::from_core(core::PriceTable::empty())
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> Result<Self> {
        Ok(Self::from_core(py.detach(|| core::PriceTable::load(&path))?))
    }

    #[pyo3(signature = (model, **prices))]
    fn set(&self, model: &str, prices: Option<&Bound<'_, PyDict>>) -> Result<()> {
        let (mut when, mut context, mut words) = (Condition::default(), None, Vec::new());
        for (key, value) in prices.into_iter().flatten() {
            let key: String = key.extract()?;
            match key.as_str() {
                _ if value.is_none() => {}
                "context" => context = Some(value.extract::<Count>()?.named("context")?),
                "since" | "until" | "hours" | "days" => when.set(&key, &moment(&value, &key)?)?,
                _ => words.push(format!("{key}={}", decimal::from_py(&value, &key)?)),
            }
        }
        let period = PricePeriod { when, rates: core::Rates::parse(&words.join(" "))? };
        Ok(self.core.write().set(model, period, context)?)
    }

    #[pyo3(signature = (model, at=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        at: Option<&Bound<'py, PyAny>>,
    ) -> Result<Option<Bound<'py, PyDict>>> {
        let at = optional_time(at, "at")?.unwrap_or_else(|| Timestamp::now().as_microsecond());
        let Some(found) = self.core.read().find(model) else { return Ok(None) };
        let fields = info(py, &found)?;
        let Some(period) = found.periods.get(found.period_at(at)) else { return Ok(Some(fields)) };
        fields.set_item("since", period.when.since)?;
        fields.set_item("until", until(&found, period))?;
        fields.set_item("hours", period.when.hours())?;
        fields.set_item("days", period.when.days())?;
        let usage = headrace::usage::Usage::default();
        for kind in UsageKind::ALL {
            let price =
                period.rates.unit_price(kind, &usage).map(|price| decimal::to_py(py, core::listed(kind, price)));
            fields.set_item(kind.as_str(), price.transpose()?)?;
        }
        for rate in period.rates.published().iter().filter(|rate| rate.above > 0 || rate.tier.is_some()) {
            let above = if rate.above > 0 { format!(">{}", rate.above) } else { String::new() };
            let tier = rate.tier.map_or_else(String::new, |tier| format!("@{}", tier.as_str()));
            let name = format!("{}{above}{tier}", rate.kind.as_str());
            fields.set_item(name, decimal::to_py(py, core::listed(rate.kind, rate.price))?)?;
        }
        Ok(Some(fields))
    }

    fn info<'py>(&self, py: Python<'py>, model: &str) -> Result<Bound<'py, PyDict>> {
        Ok(info(py, &*self.core.read().get(model)?)?)
    }

    fn models(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.core.read().names())
    }

    fn __contains__(&self, model: &str) -> bool {
        self.core.read().find(model).is_some()
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.models(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("PriceTable(models={})", self.__len__(py))
    }
}

/// What an unknown model costs, as `CostTracker(fallback=...)` takes it.
pub(crate) enum Fallback<'py> {
    Name(String),
    Prices(Bound<'py, PyDict>),
}

impl<'py> FromPyObject<'_, 'py> for Fallback<'py> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(name) = value.extract() {
            return Ok(Self::Name(name));
        }
        value.cast::<PyDict>().map(|prices| Self::Prices(prices.to_owned())).map_err(|_| {
            let kind = value.get_type().qualname().map_or_else(|_| "?".into(), |name| name.to_string());
            PyTypeError::new_err(format!(
                "it is a {kind}: give \"estimate\", \"raise\", a model's name or a dict of prices"
            ))
        })
    }
}

impl Fallback<'_> {
    pub(crate) fn read(&self) -> Result<core::Fallback> {
        match self {
            Self::Name(name) if name == "estimate" => Ok(core::Fallback::Estimate),
            Self::Name(name) if name == "raise" => Ok(core::Fallback::Raise),
            Self::Name(name) if name.contains('/') => Ok(core::Fallback::Like(name.clone())),
            Self::Name(name) => Err(Error::Config(format!(
                "fallback {name:?} is unknown: give \"estimate\", \"raise\", the name of a model as provider/model, or a \
                 price such as {{\"input\": \"10\", \"output\": \"30\"}}"
            ))
            .into()),
            Self::Prices(prices) => {
                let mut words = Vec::new();
                for (key, value) in prices {
                    let key: String = key.extract()?;
                    words.push(format!("{key}={}", decimal::from_py(&value, &key)?));
                }
                Ok(core::Fallback::Rates(core::Rates::parse(&words.join(" "))?))
            }
        }
    }
}

/// What is known of a model beside its prices.
fn info<'py>(py: Python<'py>, found: &core::ModelPrice) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("provider", &found.provider)?;
    fields.set_item("model", &found.model)?;
    fields.set_item("mode", &found.mode)?;
    fields.set_item("context", found.context)?;
    fields.set_item("max_output", found.max_output)?;
    fields.set_item("abilities", &found.abilities)?;
    fields.set_item("source", &*found.source)?;
    fields.set_item("version", &*found.version)?;
    Ok(fields)
}

/// The end of a period: its own, or where the next one begins.
fn until(found: &Arc<core::ModelPrice>, period: &PricePeriod) -> Option<Timestamp> {
    let later =
        found.periods.iter().filter_map(|other| other.when.since).filter(|since| Some(*since) > period.when.since);
    period.when.until.or_else(|| later.min())
}

/// A date, a time, or text as the table writes it.
fn moment(value: &Bound<'_, PyAny>, key: &str) -> Result<String> {
    if let Ok(text) = value.extract::<String>() {
        return Ok(text);
    }
    if value.is_instance_of::<PyInt>() || !value.hasattr("isoformat")? {
        return Err(
            Error::invalid(format!("{key} is {value}: give a date, a datetime with a time zone, or text")).into()
        );
    }
    Ok(value.call_method0("isoformat")?.extract()?)
}
