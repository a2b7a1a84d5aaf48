//! What a check of a file reports.

/// A row, or something else in a table, that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The table that it stands in.
    pub table: &'static str,
    /// Its `rowid` there; None where the table has none, as one of sums, which is worked out anew.
    pub rowid: Option<i64>,
    /// What is wrong with it.
    pub what: String,
}

impl Damage {
    /// The row `rowid` of `table`, and what is wrong with it.
    pub fn new(table: &'static str, rowid: i64, what: impl Into<String>) -> Self {
        Self { table, rowid: Some(rowid), what: what.into() }
    }

    /// Something in `table` that is no row of its own.
    pub fn of_table(table: &'static str, what: impl Into<String>) -> Self {
        Self { table, rowid: None, what: what.into() }
    }
}
