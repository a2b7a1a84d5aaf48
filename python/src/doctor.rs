//! What a file of headrace holds, for `headrace.doctor` and the command of that name.

use crate::error::Result;
use headrace::store::sqlite::{FileReport, RoomReport};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::path::PathBuf;

/// Look at all that a file holds.
///
/// Args:
///     path: The file.
///     repair: Whether damaged rows are set aside, and sums and indexes worked out anew. Without, the file stays as it is.
///
/// Returns:
///     What `headrace.doctor.examine` gives.
///
/// Raises:
///     StoreError: There is no such file, it is not of headrace, or it cannot be read at all.
#[pyfunction]
#[pyo3(signature = (path, repair=false))]
fn diagnose(py: Python<'_>, path: PathBuf, repair: bool) -> Result<Bound<'_, PyDict>> {
    let report = py.detach(|| headrace::doctor::diagnose(&path, repair))?;
    Ok(file(py, &report)?)
}

fn file<'py>(py: Python<'py>, report: &FileReport) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("sound", report.is_sound())?;
    let rooms = report.rooms.iter().map(|report| room(py, report)).collect::<PyResult<Vec<_>>>()?;
    found.set_item("rooms", PyList::new(py, rooms)?)?;
    let tables = PyDict::new(py);
    for (name, rows) in &report.tables {
        tables.set_item(name, rows)?;
    }
    found.set_item("tables", tables)?;
    found.set_item("problems", &report.problems)?;
    found.set_item("set_aside", report.set_aside)?;
    Ok(found)
}

fn room<'py>(py: Python<'py>, report: &RoomReport) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("room", &report.room)?;
    found.set_item("version", report.version)?;
    found.set_item("known", report.known)?;
    let damage = |damage: &headrace::store::Damage| {
        let row = PyDict::new(py);
        row.set_item("table", damage.table)?;
        row.set_item("row", damage.rowid)?;
        row.set_item("what", &damage.what)?;
        PyResult::Ok(row)
    };
    let damaged = report.damaged.as_ref().map(|rows| rows.iter().map(damage).collect::<PyResult<Vec<_>>>());
    found.set_item("damaged", damaged.transpose()?)?;
    Ok(found)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(diagnose, module)?)
}
