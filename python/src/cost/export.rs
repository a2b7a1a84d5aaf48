//! The ledger for other programs.

use super::arguments::{Count, Narrow, filter, optional_count};
use super::record::CostRecord;
use super::tracker::CostTracker;
use super::usage::Usage;
use crate::error::Result;
use headrace::cost::{self as core, Filter, Needs};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::path::PathBuf;

/// Records for any reader of the Arrow `PyCapsule` interface: `pyarrow.table(it)`, `polars.DataFrame(it)`.
#[pyclass(frozen, module = "headrace._core.cost")]
pub(crate) struct ArrowRecords {
    tracker: core::CostTracker,
    filter: Filter,
}

#[pymethods]
impl ArrowRecords {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyCapsule>> {
        // The interface lets the producer ignore the wish for another schema.
        let _ = requested_schema;
        let stream = py.detach(|| self.tracker.arrow_stream(self.filter.clone()))?;
        Ok(PyCapsule::new_with_value(py, stream, c"arrow_array_stream")?)
    }
}

#[pyfunction]
#[pyo3(signature = (tracker, *, since=None, until=None, tenant=None, provider=None, model=None, tag=None))]
pub(crate) fn to_arrow(
    tracker: &CostTracker,
    since: Option<&Bound<'_, PyAny>>,
    until: Option<&Bound<'_, PyAny>>,
    tenant: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    tag: Option<String>,
) -> Result<ArrowRecords> {
    let filter = filter(since, until, Narrow { tenant, provider, model, tag })?;
    Ok(ArrowRecords { tracker: tracker.core.clone(), filter })
}

#[pyfunction]
#[pyo3(signature = (tracker, path, *, since=None, until=None, tenant=None))]
pub(crate) fn to_csv(
    tracker: &CostTracker,
    py: Python<'_>,
    path: PathBuf,
    since: Option<&Bound<'_, PyAny>>,
    until: Option<&Bound<'_, PyAny>>,
    tenant: Option<String>,
) -> Result<usize> {
    let filter = filter(since, until, Narrow { tenant, ..Narrow::default() })?;
    Ok(py.detach(|| tracker.core.to_csv(&path, &filter))?)
}

#[pyfunction]
#[pyo3(signature = (tracker, path, *, since=None, until=None, tenant=None))]
pub(crate) fn export_focus(
    tracker: &CostTracker,
    py: Python<'_>,
    path: PathBuf,
    since: Option<&Bound<'_, PyAny>>,
    until: Option<&Bound<'_, PyAny>>,
    tenant: Option<String>,
) -> Result<usize> {
    let filter = filter(since, until, Narrow { tenant, ..Narrow::default() })?;
    Ok(py.detach(|| tracker.core.export_focus(&path, &filter))?)
}

#[pyfunction]
#[pyo3(signature = (tracker, candidates, usage, *, needs=Vec::new(), context=None, allow_estimated=false))]
pub(crate) fn cheapest(
    tracker: &CostTracker,
    candidates: Vec<String>,
    usage: &Usage,
    needs: Vec<String>,
    context: Option<Count>,
    allow_estimated: bool,
) -> Result<Vec<CostRecord>> {
    let context = optional_count(context.as_ref(), "context")?;
    let needs = Needs { context, abilities: needs, allow_estimated };
    let found = tracker.core.cheapest(&candidates, &usage.core, &needs)?;
    Ok(found.into_iter().map(|core| CostRecord { core }).collect())
}
