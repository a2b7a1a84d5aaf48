//! Money as `decimal.Decimal`; floats are refused.

use headrace::cost::money::Money;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFloat, PyInt, PyString, PyType};

static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `Decimal("0.000056")` for an amount, with every digit.
pub(crate) fn to_py(py: Python<'_>, money: Money) -> PyResult<Bound<'_, PyAny>> {
    DECIMAL.import(py, "decimal", "Decimal")?.call1((money.to_string(),))
}

/// An amount of dollars from a `Decimal`, an integer or a string.
pub(crate) fn from_py(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Money> {
    let decimal = DECIMAL.import(value.py(), "decimal", "Decimal")?;
    let exact = value.is_instance_of::<PyInt>() || value.is_instance_of::<PyString>() || value.is_instance(decimal)?;
    if !exact {
        let hint = if value.is_instance_of::<PyFloat>() { ": a float is not exact" } else { "" };
        let kind = value.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!(
            "{name} is of type {kind}{hint}: give a Decimal, an integer or a string such as \"0.05\""
        )));
    }
    value.str()?.to_str()?.parse::<Money>().map_err(|error| crate::error::to_py(&error))
}
