//! The ledger as comma-separated values, a row a call; money with every digit.

use super::columns::{Column, ExportRow, columns};
use super::{line, time, whole_file};
use crate::Result;
use crate::cost::{CostTracker, Filter};
use std::path::Path;

impl CostTracker {
    /// Writes the records that pass to a file; how many there were.
    ///
    /// # Errors
    /// `Store` where the file cannot be written or the ledger not be read.
    pub fn to_csv(&self, path: &Path, filter: &Filter) -> Result<usize> {
        let (mut count, columns) = (0, columns());
        whole_file(path, |file| {
            line(file, columns.iter().map(|(name, column)| title(name, column)))?;
            self.each_record(filter, |record| {
                count += 1;
                let row = ExportRow::new(record);
                line(file, columns.iter().map(|(_, column)| cell(&row, column)))?;
                Ok(true)
            })
        })?;
        Ok(count)
    }
}

/// Money says its currency in the title.
fn title(name: &str, column: &Column) -> String {
    match column {
        Column::Money(_) | Column::Part(_) => format!("{name}_usd"),
        _ => name.to_owned(),
    }
}

fn cell(row: &ExportRow, column: &Column) -> String {
    match column {
        Column::Time(read) => time(read(row)),
        Column::Count(read) => read(row).to_string(),
        Column::Text(read) => read(row).unwrap_or_default(),
        Column::Flag(read) => read(row).to_string(),
        Column::Money(read) => read(row).map_or_else(String::new, |amount| amount.to_string()),
        Column::Figure(read) => read(row).map_or_else(String::new, |figure| figure.to_string()),
        Column::Part(kind) => row.cost_of(*kind).map_or_else(String::new, |amount| amount.to_string()),
    }
}
