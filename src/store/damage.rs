//! What a check of a file reports.

/// A row that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The table that it stands in.
    pub table: &'static str,
    /// Its `rowid` there.
    pub rowid: i64,
    /// What is wrong with it.
    pub what: String,
}

impl Damage {
    /// The row `rowid` of `table`, and what is wrong with it.
    pub fn new(table: &'static str, rowid: i64, what: impl Into<String>) -> Self {
        Self { table, rowid, what: what.into() }
    }
}
