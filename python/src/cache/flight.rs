//! One computation shared by threads and tasks.

use crate::error::Result;
use crate::{payload, runtime};
use headrace::Payload;
use headrace::cache::{Flights, Role, Waiter};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::Arc;

/// What a computation came to: its value, or what it raised.
#[derive(Clone)]
pub(crate) enum Outcome {
    Value(Payload),
    Raised(Arc<PyErr>),
}

pub(crate) type PyFlights = Flights<Outcome>;

/// One caller's part in a computation: it leads, or it waits.
#[pyclass(frozen, module = "headrace._core.cache")]
pub(crate) struct Flight {
    role: Mutex<Option<Role<Outcome>>>,
    leads: bool,
}

impl Flight {
    pub fn new(role: Role<Outcome>) -> Self {
        Self { leads: matches!(role, Role::Leader(_)), role: Mutex::new(Some(role)) }
    }

    fn land_with(&self, outcome: Outcome) {
        if let Some(Role::Leader(flight)) = self.role.lock().take() {
            flight.land(outcome);
        }
    }

    fn waiter(&self) -> PyResult<Waiter<Outcome>> {
        match &*self.role.lock() {
            Some(Role::Waiter(waiter)) => Ok(waiter.clone()),
            _ => Err(PyRuntimeError::new_err("the leader of a computation has nothing to wait for")),
        }
    }
}

/// `(value,)`, what was raised, or None where the leader left.
fn settle(py: Python<'_>, outcome: Option<Outcome>) -> PyResult<Option<(Py<PyAny>,)>> {
    match outcome {
        None => Ok(None),
        Some(Outcome::Value(value)) => Ok(Some((payload::to_py(py, &value)?.unbind(),))),
        Some(Outcome::Raised(error)) => Err(error.clone_ref(py)),
    }
}

#[pymethods]
impl Flight {
    #[getter]
    fn leads(&self) -> bool {
        self.leads
    }

    fn land(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.land_with(Outcome::Value(payload::from_py(value)?));
        Ok(())
    }

    fn fail(&self, error: &Bound<'_, PyAny>) {
        self.land_with(Outcome::Raised(Arc::new(PyErr::from_value(error.clone()))));
    }

    fn leave(&self) {
        drop(self.role.lock().take());
    }

    fn wait(&self, py: Python<'_>) -> Result<Option<(Py<PyAny>,)>> {
        let mut waiter = self.waiter()?;
        let outcome = runtime::wait(py, async move { Ok(waiter.wait().await) })?;
        Ok(settle(py, outcome)?)
    }

    fn await_result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut waiter = self.waiter()?;
        crate::awaitable::awaitable(py, async move {
            let outcome = waiter.wait().await;
            Ok(Python::attach(|py| settle(py, outcome))?)
        })
    }
}
