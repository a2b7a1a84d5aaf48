//! The checksum of a row as a function of SQL, for tables whose rows are written and added up by statements.

use crate::store::Checksum;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// Lets a connection use `row_sum('table', column, ...)`: the sum of these values as a row of that table.
pub(crate) fn install(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("row_sum", -1, flags, |call| {
        let sum = Checksum::of(call.get_raw(0).as_str()?);
        Ok(i64::from((1..call.len()).fold(sum, |sum, at| sum.value(call.get_raw(at))).finish()))
    })
}
