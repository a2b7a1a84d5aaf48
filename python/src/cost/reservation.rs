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
    /// The worst case that was set aside, in dollars.
    #[getter]
    fn reserved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal::to_py(py, self.core.worst_case().amount)
    }

    /// Books what the call did use, at the time at which it was reserved, and gives the rest back.
    ///
    /// Where the ledger cannot be written, the record has no `id`, is kept in memory and written later.
    ///
    /// Args:
    ///     usage: What it did use.
    ///     model: Where another model than the reserved one answered.
    ///     cache: `exact` or `semantic` where the cache answered.
    ///     latency: Seconds that the provider took, or a timedelta.
    ///     attempts: How often the provider was asked.
    ///     usage_estimated: Whether the usage is an estimate: the record says so.
    ///     told_cost: What the provider says that the call cost, in dollars.
    ///
    /// Raises:
    ///     ValueError: An argument is not possible, or the reservation is over.
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

    /// The same as `settle`, to be awaited.
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

    /// Gives the money back: the call failed or was not made. Whether it was still set aside.
    fn release(&self, py: Python<'_>) -> Result<bool> {
        tracker::answer(py, self.core.release())
    }

    /// The same as `release`, to be awaited.
    fn arelease<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let released = self.core.release();
        Ok(crate::awaitable::awaitable(py, async move { Ok(released.await?) })?)
    }

    /// Gives the money back without waiting until that is on disk.
    fn forget(&self) {
        drop(self.core.release());
    }

    /// Makes the money stay aside for so many seconds from now (or a timedelta).
    ///
    /// Raises:
    ///     LeaseLost: It was settled, given back, or its time was over.
    fn extend(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> Result<()> {
        tracker::answer(py, self.core.extend(arguments::lease(seconds, "seconds")?))
    }

    /// The same as `extend`, to be awaited.
    fn aextend<'py>(&self, py: Python<'py>, seconds: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
        let extended = self.core.extend(arguments::lease(seconds, "seconds")?);
        Ok(crate::awaitable::awaitable(py, async move { Ok(extended.await?) })?)
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
