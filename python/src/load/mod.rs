//! `headrace._core.load`: the load generator.

mod arrival;
mod generator;
mod process;
mod stats;
mod target;
mod workload;

use headrace::{Error, Result};
use pyo3::prelude::*;
use std::time::Duration;

/// A time in seconds.
fn seconds(name: &str, given: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(given)
        .map_err(|_| Error::invalid(format!("{name} is {given}: give seconds, finite, not negative")))
}

/// A time in seconds, or none.
fn optional_seconds(name: &str, given: Option<f64>) -> Result<Option<Duration>> {
    given.map(|given| seconds(name, given)).transpose()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    workload::register(module)?;
    module.add_class::<arrival::PyArrivals>()?;
    module.add_class::<target::PyTarget>()?;
    generator::register(module)?;
    stats::register(module)?;
    process::register(module)
}
