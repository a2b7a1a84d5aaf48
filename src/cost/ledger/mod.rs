//! The ledger: every call a record, kept in memory by columns or in a SQLite file.

pub(crate) mod aggregate;
pub(crate) mod bucket;
pub(crate) mod filter;
pub(crate) mod intern;
pub(crate) mod memory;
pub(crate) mod sqlite;
