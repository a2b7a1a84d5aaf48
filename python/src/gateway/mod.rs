//! The endpoint for Python: a server, a transport without one, and keys.

mod config;
mod exchange;
mod keys;
mod server;

use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<server::Server>()?;
    module.add_class::<exchange::InProcess>()?;
    module.add_class::<exchange::Exchange>()?;
    module.add_class::<keys::KeyRing>()?;
    module.add_class::<keys::AccessKey>()?;
    module.add_function(wrap_pyfunction!(config::read_config, module)?)
}
