//! The Python binding: one file a core module, same stem.
//!
//! What stands above a class, method or function is its docstring, which Python's `help` shows: Google style, as in the stubs.

// Docstrings are read in Python, where a name needs no backticks and brackets are no links.
#![allow(clippy::doc_lazy_continuation, clippy::doc_link_with_quotes, clippy::doc_markdown)]

mod awaitable;
mod cache;
mod client;
mod clock;
mod cost;
mod doctor;
mod duration;
mod embed;
mod error;
mod gateway;
mod guard;
mod inbox;
mod load;
mod log;
mod payload;
mod polled;
mod provider;
mod queue;
mod runtime;
mod verify;

use pyo3::prelude::*;

/// The compiled core of headrace. Use the package `headrace`, which re-exports what is public.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    log::register();
    runtime::register(module)?;
    submodule(module, "clock", clock::register)?;
    submodule(module, "queue", queue::register)?;
    submodule(module, "cache", cache::register)?;
    submodule(module, "embed", embed::register)?;
    submodule(module, "guard", guard::register)?;
    submodule(module, "verify", verify::register)?;
    submodule(module, "cost", cost::register)?;
    submodule(module, "doctor", doctor::register)?;
    submodule(module, "provider", provider::register)?;
    submodule(module, "client", client::register)?;
    submodule(module, "gateway", gateway::register)?;
    submodule(module, "load", load::register)
}

/// Adds `headrace._core.<name>` and makes it importable by that name.
fn submodule(
    parent: &Bound<'_, PyModule>,
    name: &str,
    register: fn(&Bound<'_, PyModule>) -> PyResult<()>,
) -> PyResult<()> {
    let py = parent.py();
    let qualified = format!("headrace._core.{name}");
    let child = PyModule::new(py, &qualified)?;
    register(&child)?;
    parent.add(name, &child)?;
    py.import("sys")?.getattr("modules")?.set_item(qualified, child)
}
