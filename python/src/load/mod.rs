//! `headrace._core.load`: the load generator.

mod workload;

use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    workload::register(module)
}
