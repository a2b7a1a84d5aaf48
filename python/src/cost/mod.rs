//! `headrace._core.cost`: money, budgets, the ledger, carbon. The asyncio twins are in `headrace/costs.py`.

mod arguments;
mod budget;
mod carbon;
pub(crate) mod decimal;
mod export;
mod price;
mod record;
mod reservation;
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
    module.add_function(wrap_pyfunction!(carbon::estimate, module)?)
}
