//! Prices by model.

use super::decimal;
use crate::error::Result;
use headrace::cost::price as core;
use parking_lot::RwLock;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Prices by model.
#[pyclass(frozen, module = "headrace._core.cost")]
pub(crate) struct PriceTable {
    pub(crate) core: RwLock<core::PriceTable>,
}

#[pymethods]
impl PriceTable {
    #[staticmethod]
    fn builtin() -> Self {
        Self { core: RwLock::new(core::PriceTable::builtin()) }
    }

    #[pyo3(signature = (model, *, input=None, output=None, cached_input=None, cache_write=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn set(
        &self,
        model: &str,
        input: Option<&Bound<'_, PyAny>>,
        output: Option<&Bound<'_, PyAny>>,
        cached_input: Option<&Bound<'_, PyAny>>,
        cache_write: Option<&Bound<'_, PyAny>>,
        context: Option<u64>,
    ) -> Result<()> {
        let kinds = [
            (core::Kind::Input, "input", input),
            (core::Kind::Output, "output", output),
            (core::Kind::CachedInput, "cached_input", cached_input),
            (core::Kind::CacheWrite, "cache_write", cache_write),
        ];
        let mut rates = core::Rates::default();
        for (kind, name, price) in kinds {
            if let Some(price) = price {
                rates = rates.with(kind, decimal::from_py(price, name)?);
            }
        }
        Ok(self.core.write().set(model, rates, context)?)
    }

    #[pyo3(signature = (model, at=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        at: Option<&Bound<'py, PyAny>>,
    ) -> Result<Option<Bound<'py, PyDict>>> {
        let _ = at;
        let Some(found) = self.core.read().find(model) else { return Ok(None) };
        let fields = PyDict::new(py);
        fields.set_item("provider", &found.provider)?;
        fields.set_item("model", &found.model)?;
        fields.set_item("context", found.context)?;
        fields.set_item("abilities", &found.abilities)?;
        fields.set_item("version", &*found.version)?;
        for kind in core::Kind::ALL {
            let usage = headrace::cost::usage::Usage::default();
            let price = found.rates.unit_price(kind, &usage).map(|price| decimal::to_py(py, price)).transpose()?;
            fields.set_item(kind.as_str(), price)?;
        }
        Ok(Some(fields))
    }
}
