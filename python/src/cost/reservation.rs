//! Money set aside for a call that runs.

use super::arguments::Count;
use super::record::{CostRecord, settlement};
use super::usage::Usage;
use super::{arguments, decimal, tracker};
use crate::error::Result;
use headrace::cost as core;
use pyo3::prelude::*;
use std::sync::Arc;

/// Money set aside for a call that runs.
#[pyclass(frozen, module = "headrace._core.cost")]
pub(crate) struct Reservation {
    pub(crate) core: Arc<core::Reservation>,
}

#[pymethods]
impl Reservation {
    #[getter]
    fn reserved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.worst_case().amount)
    }

    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    #[pyo3(signature = (usage, *, model=None, cache=None, latency=None, attempts=None,
                        usage_estimated=false, told_cost=None))]
    fn settle(
        &self,
        py: Python<'_>,
        usage: &Usage,
        model: Option<&str>,
        cache: Option<&str>,
        latency: Option<&Bound<'_, PyAny>>,
        attempts: Option<Count>,
        usage_estimated: bool,
        told_cost: Option<&Bound<'_, PyAny>>,
    ) -> Result<CostRecord> {
        let outcome = settlement(cache, latency, attempts.as_ref(), usage_estimated, told_cost)?;
        let core = tracker::answer(py, self.core.settle_as(model, &usage.core, outcome))?;
        Ok(CostRecord { core })
    }

    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    #[pyo3(signature = (usage, *, model=None, cache=None, latency=None, attempts=None,
                        usage_estimated=false, told_cost=None))]
    fn asettle<'py>(
        &self,
        py: Python<'py>,
        usage: &Usage,
        model: Option<&str>,
        cache: Option<&str>,
        latency: Option<&Bound<'_, PyAny>>,
        attempts: Option<Count>,
        usage_estimated: bool,
        told_cost: Option<&Bound<'_, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let outcome = settlement(cache, latency, attempts.as_ref(), usage_estimated, told_cost)?;
        let pending = self.core.settle_as(model, &usage.core, outcome);
        Ok(crate::awaitable::awaitable(py, async move { Ok(CostRecord { core: pending.finish().await? }) })?)
    }

    fn release(&self, py: Python<'_>) -> Result<bool> {
        tracker::answer(py, self.core.release())
    }

    /// Gives the money back without waiting until that is on disk.
    fn forget(&self) {
        drop(self.core.release());
    }

    fn extend(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> Result<()> {
        let lease = arguments::lease(seconds, "seconds")?;
        Ok(py.detach(|| self.core.extend(lease))?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, pyo3::types::PyTuple>) -> Result<()> {
        tracker::answer(py, self.core.release()).map(drop)
    }

    fn __repr__(&self) -> String {
        let (worst, over) = (self.core.worst_case(), if self.core.is_over() { ", over" } else { "" });
        format!("Reservation({}/{}, reserved=Decimal('{}'){over})", worst.card.provider, worst.card.model, worst.amount)
    }
}
