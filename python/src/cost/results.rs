//! What the tracker's methods give, on its way to Python.

use super::arguments::time_to_py;
use super::record::CostRecord;
use super::{budget, carbon, decimal};
use headrace::cost::budget::BudgetStatus;
use headrace::cost::money::Money;
use headrace::cost::{self as core, Aggregate, SummaryRow};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// An amount, as a `Decimal`.
pub(crate) struct Dollars(pub(crate) Money);

/// Budgets, as a list of dictionaries.
pub(crate) struct Statuses(pub(crate) Vec<BudgetStatus>);

/// A summary, as a list of dictionaries, with the names of its dimensions.
pub(crate) struct Summary {
    pub(crate) by: Vec<String>,
    pub(crate) rows: Vec<SummaryRow>,
}

/// Records, as a list.
pub(crate) struct Records(pub(crate) Vec<core::CostRecord>);

impl<'py> IntoPyObject<'py> for Dollars {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        decimal::to_py(py, self.0)
    }
}

impl<'py> IntoPyObject<'py> for Statuses {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let statuses: Vec<_> = self.0.iter().map(|status| budget::status_to_py(py, status)).collect::<PyResult<_>>()?;
        Ok(PyList::new(py, statuses)?.into_any())
    }
}

impl<'py> IntoPyObject<'py> for Summary {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let row = |row: &SummaryRow| {
            let fields = PyDict::new(py);
            if let Some(start) = row.start {
                fields.set_item("start", time_to_py(py, start)?)?;
            }
            for (name, key) in self.by.iter().zip(&row.keys) {
                fields.set_item(name, key)?;
            }
            sum_to_py(&fields, &row.sum)?;
            Ok(fields)
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect::<PyResult<_>>()?;
        Ok(PyList::new(py, rows)?.into_any())
    }
}

impl<'py> IntoPyObject<'py> for Records {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let records = self.0.into_iter().map(|core| CostRecord { core });
        records.collect::<Vec<_>>().into_pyobject(py)
    }
}

fn sum_to_py(fields: &Bound<'_, PyDict>, sum: &Aggregate) -> PyResult<()> {
    let py = fields.py();
    fields.set_item("calls", sum.calls)?;
    fields.set_item("cache_hits", sum.cache_hits)?;
    fields.set_item("estimated_calls", sum.estimated)?;
    fields.set_item("input_tokens", sum.input_tokens)?;
    fields.set_item("cached_input_tokens", sum.cached_input_tokens)?;
    fields.set_item("output_tokens", sum.output_tokens)?;
    fields.set_item("cost", decimal::to_py(py, sum.cost)?)?;
    fields.set_item("saved", decimal::to_py(py, sum.saved)?)?;
    fields.set_item("energy_wh", carbon::range_to_py(py, sum.energy_wh)?)?;
    fields.set_item("co2e_g", carbon::range_to_py(py, sum.co2e_g)?)?;
    fields.set_item("avoided_co2e_g", carbon::range_to_py(py, sum.avoided_co2e_g)?)?;
    fields.set_item("calls_of_unknown_footprint", sum.unknown_footprint)
}
