//! The configuration file, read for Python.

use crate::error::Result;
use crate::payload::json_to_py;
use headrace::gateway::config::FileConfig;
use pyo3::prelude::*;

/// Read a configuration file.
///
/// Args:
///     text: what the file holds, as TOML.
///     name: the file's name, for messages.
///
/// Returns:
///     Every section as a dict, with the defaults of what is not given.
///
/// Raises:
///     ConfigError: a key is unknown or has no valid value: with its line and column.
#[pyfunction]
pub(super) fn read_config<'py>(py: Python<'py>, text: &str, name: &str) -> Result<Bound<'py, PyAny>> {
    Ok(json_to_py(py, &FileConfig::read(text, name)?.to_json())?)
}
