//! Footprints without a tracker.

use crate::error::Result;
use headrace::Error;
use headrace::cost::carbon::{EmissionFactors, Impact, Override, Range};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

static ESTIMATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `headrace.cost.Estimate`: a float that knows its bounds.
pub(crate) fn range_to_py(py: Python<'_>, range: Range) -> PyResult<Bound<'_, PyAny>> {
    ESTIMATE.import(py, "headrace.cost", "Estimate")?.call1((range.min, range.max))
}

pub(crate) fn impact_to_py(py: Python<'_>, impact: Impact) -> PyResult<Bound<'_, PyDict>> {
    let fields = PyDict::new(py);
    let ranges = [
        ("energy_wh", impact.energy_wh),
        ("co2e_g", impact.co2e_g),
        ("co2e_embodied_g", impact.co2e_embodied_g),
        ("water_l", impact.water_l),
        ("depletion_kg_sb", impact.depletion_kg_sb),
        ("primary_energy_mj", impact.primary_energy_mj),
    ];
    for (name, range) in ranges {
        fields.set_item(name, range_to_py(py, range)?)?;
    }
    Ok(fields)
}

/// The footprint of one call of a model.
#[pyfunction]
#[pyo3(signature = (model, output_tokens, *, latency=None, zone=None))]
pub(crate) fn estimate<'py>(
    py: Python<'py>,
    model: &str,
    output_tokens: u64,
    latency: Option<f64>,
    zone: Option<String>,
) -> Result<Option<Bound<'py, PyDict>>> {
    let Some((provider, model)) = model.split_once('/') else {
        return Err(Error::invalid(format!("model {model:?} has no provider: name it provider/model")).into());
    };
    let mut factors = EmissionFactors::default();
    factors.set(Override { zone, ..Override::default() })?;
    let found = factors.of(provider, model).map(|found| found.footprint().impact(output_tokens, latency));
    Ok(found.map(|impact| impact_to_py(py, impact)).transpose()?)
}
