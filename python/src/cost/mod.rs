//! `headrace._core.cost`: money, budgets, the ledger, carbon. The asyncio twins are in `headrace/cost/`.

mod arguments;
mod budget;
mod carbon;
pub(crate) mod decimal;
mod export;
mod price;
mod record;
pub(crate) mod reservation;
mod results;
pub(crate) mod tracker;
pub(crate) mod usage;

use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<tracker::CostTracker>()?;
    module.add_class::<record::CostRecord>()?;
    module.add_class::<reservation::Reservation>()?;
    module.add_class::<usage::Usage>()?;
    module.add_class::<export::ArrowRecords>()?;
    module.add_class::<price::PriceTable>()?;
    module.add_function(wrap_pyfunction!(export::to_arrow, module)?)?;
    module.add_function(wrap_pyfunction!(export::to_csv, module)?)?;
    module.add_function(wrap_pyfunction!(export::export_focus, module)?)?;
    module.add_function(wrap_pyfunction!(export::cheapest, module)?)?;
    module.add_function(wrap_pyfunction!(carbon::estimate, module)?)?;
    let at_exit = wrap_pyfunction!(flush_all, module)?;
    module.py().import("atexit")?.call_method1("register", (at_exit,))?;
    Ok(())
}

/// How long the end of the process waits for ledgers that could not be written.
const EXIT_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Writes what the ledgers of this process could not take yet.
#[pyfunction]
fn flush_all(py: Python<'_>) -> usize {
    py.detach(|| headrace::cost::flush_all(EXIT_PATIENCE))
}
