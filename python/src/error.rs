//! Core errors as Python exceptions: one conversion, a row an exception.

use headrace::{Error, ProviderError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub(crate) type Result<T, E = BindError> = std::result::Result<T, E>;

/// What a bound function may fail with: `?` takes core errors and Python errors alike.
#[derive(Debug)]
pub(crate) enum BindError {
    Core(Error),
    Python(PyErr),
}

impl From<Error> for BindError {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<PyErr> for BindError {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<BindError> for PyErr {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Core(error) => to_py(&error),
            BindError::Python(error) => error,
        }
    }
}

/// The Python exception for a core error.
pub(crate) fn to_py(error: &Error) -> PyErr {
    let name = match error {
        Error::QueueFull(_) => "QueueFull",
        Error::QueueClosed(_) => "QueueClosed",
        Error::LeaseLost(_) => "LeaseLost",
        Error::RequestFailed(_) => "RequestFailed",
        Error::RequestCancelled(_) => "RequestCancelled",
        Error::BudgetExceeded(_) => "BudgetExceeded",
        Error::UnknownModel(_) => "UnknownModel",
        Error::Provider(inner) => return provider_error(inner),
        Error::Embedding(_) => "EmbeddingError",
        Error::Timeout(_) => "Timeout",
        Error::Store(_) => "StoreError",
        Error::Config(_) => "ConfigError",
        Error::InvalidArgument(message) => return PyValueError::new_err(message.clone()),
        _ => "HeadraceError",
    };
    Python::attach(|py| exception(py, name, &error.to_string(), None).unwrap_or_else(|failure| failure))
}

fn provider_error(error: &ProviderError) -> PyErr {
    let name = error.exception();
    Python::attach(|py| {
        let build = || {
            let fields = PyDict::new(py);
            fields.set_item("status_code", error.status_code)?;
            fields.set_item("retry_after", error.retry_after.map(|wait| wait.as_secs_f64()))?;
            fields.set_item("request_id", &error.request_id)?;
            fields.set_item("is_retryable", error.is_retryable)?;
            exception(py, name, &error.to_string(), Some(&fields))
        };
        build().unwrap_or_else(|failure: PyErr| failure)
    })
}

fn exception(py: Python<'_>, name: &str, message: &str, fields: Option<&Bound<'_, PyDict>>) -> PyResult<PyErr> {
    let class = py.import("headrace.errors")?.getattr(name)?;
    Ok(PyErr::from_value(class.call((message,), fields)?))
}
