//! One computation shared by threads and tasks.

use crate::error::Result;
use crate::{payload, runtime};
use headrace::Payload;
use headrace::cache::{Flights, Joined, Waiter};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::Arc;

/// What a computation came to: its value, or what it raised.
#[derive(Clone)]
pub(crate) enum Landed {
    Value(Payload),
    Raised(Arc<PyErr>),
}

pub(crate) type PyFlights = Flights<Landed>;

/// One caller's part in a computation: it leads, or it waits.
#[pyclass(frozen, module = "headrace._core.cache")]
pub(crate) struct Flight {
    part: Mutex<Option<Joined<Landed>>>,
    leads: bool,
    number: u64,
}

impl Flight {
    pub fn new(part: Joined<Landed>) -> Self {
        let (leads, number) = match &part {
            Joined::Leader(flight) => (true, flight.number()),
            Joined::Waiter(waiter) => (false, waiter.number()),
        };
        Self { part: Mutex::new(Some(part)), leads, number }
    }

    fn land_with(&self, outcome: Landed) {
        if let Some(Joined::Leader(flight)) = self.part.lock().take() {
            flight.land(outcome);
        }
    }

    fn waiter(&self) -> PyResult<Waiter<Landed>> {
        match &*self.part.lock() {
            Some(Joined::Waiter(waiter)) => Ok(waiter.clone()),
            _ => Err(PyRuntimeError::new_err("the leader of a computation has nothing to wait for")),
        }
    }
}

/// `(value,)`, what was raised, or None where the leader left.
fn settle(py: Python<'_>, outcome: Option<Landed>) -> PyResult<Option<(Py<PyAny>,)>> {
    match outcome {
        None => Ok(None),
        Some(Landed::Value(value)) => Ok(Some((payload::to_py(py, &value)?.unbind(),))),
        Some(Landed::Raised(error)) => Err(error.clone_ref(py)),
    }
}

#[pymethods]
impl Flight {
    /// Whether this caller computes.
    #[getter]
    fn leads(&self) -> bool {
        self.leads
    }

    /// What tells the computation from all others of this process: the same for the leader and those who wait.
    #[getter]
    fn number(&self) -> u64 {
        self.number
    }

    /// Gives the value to all who wait.
    fn land(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.land_with(Landed::Value(payload::from_py(value)?));
        Ok(())
    }

    /// Raises `error` for all who wait.
    fn fail(&self, error: &Bound<'_, PyAny>) {
        self.land_with(Landed::Raised(Arc::new(PyErr::from_value(error.clone()))));
    }

    /// Lets another take the lead, unless it has landed or failed.
    fn leave(&self) {
        drop(self.part.lock().take());
    }

    /// The leader's value in a tuple; None where it left.
    fn wait(&self, py: Python<'_>) -> Result<Option<(Py<PyAny>,)>> {
        let mut waiter = self.waiter()?;
        let outcome = runtime::wait(py, async move { Ok(waiter.wait().await) })?;
        Ok(settle(py, outcome)?)
    }

    /// The asyncio twin of `wait`.
    fn await_result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut waiter = self.waiter()?;
        crate::awaitable::awaitable(py, async move {
            let outcome = waiter.wait().await;
            Ok(Python::attach(|py| settle(py, outcome))?)
        })
    }
}
