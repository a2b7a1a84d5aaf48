//! A checksum over the fields of a row: SQLite looks for no flipped bit inside one.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use std::ops::Range;

/// The sum of a table's name and of fields in their order, each with its type and length.
///
/// CRC-32: a change of up to 32 bits in a row, next to each other, is always found, any other but for one in 2^32.
///
/// ```
/// use headrace::store::Checksum;
/// let sum = |tenant, key| Checksum::of("requests").text(tenant).maybe_text(key).int(7).finish();
/// assert_eq!(sum("a", Some("b")), sum("a", Some("b")));
/// assert_ne!(sum("a", Some("b")), sum("ab", Some("")));
/// assert_ne!(sum("a", Some("")), sum("a", None));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Checksum {
    hasher: crc32fast::Hasher,
}

impl Checksum {
    /// Begins with the name of the table, so that a row of another is not taken for one of this.
    pub fn of(table: &str) -> Self {
        Self { hasher: crc32fast::Hasher::new() }.text(table)
    }

    fn field(mut self, tag: u8, bytes: &[u8]) -> Self {
        self.hasher.update(&[tag]);
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
        self
    }

    /// A field that is NULL.
    pub fn null(self) -> Self {
        self.field(0, &[])
    }

    /// An integer; a boolean is 0 or 1, as SQLite keeps it.
    pub fn int(self, value: i64) -> Self {
        self.field(1, &value.to_le_bytes())
    }

    /// A number with a fraction, bit for bit.
    pub fn real(self, value: f64) -> Self {
        // SQLite keeps -0.0 as 0.0.
        self.field(2, &(value + 0.0).to_bits().to_le_bytes())
    }

    /// A text.
    pub fn text(self, value: &str) -> Self {
        self.field(3, value.as_bytes())
    }

    /// Bytes.
    pub fn bytes(self, value: &[u8]) -> Self {
        self.field(4, value)
    }

    /// An integer, or NULL.
    pub fn maybe_int(self, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    /// A text, or NULL.
    pub fn maybe_text(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// Bytes, or NULL.
    pub fn maybe_bytes(self, value: Option<&[u8]>) -> Self {
        match value {
            Some(value) => self.bytes(value),
            None => self.null(),
        }
    }

    /// Columns as they stand in the file, whatever their types: a type that changed is found as well. A REAL column
    /// gives a float back for what was written as an integer; there, sum what is read.
    ///
    /// # Errors
    /// Where the row has no such column.
    pub fn columns(mut self, row: &Row<'_>, columns: Range<usize>) -> rusqlite::Result<Self> {
        for column in columns {
            self = self.value(row.get_ref(column)?);
        }
        Ok(self)
    }

    /// A value, whatever its type.
    pub(crate) fn value(self, value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => self.null(),
            ValueRef::Integer(value) => self.int(value),
            ValueRef::Real(value) => self.real(value),
            ValueRef::Text(value) => self.field(3, value),
            ValueRef::Blob(value) => self.bytes(value),
        }
    }

    /// The sum.
    #[must_use]
    pub fn finish(self) -> u32 {
        self.hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rusqlite::Connection;

    fn sum(a: i64, b: &str, c: Option<&[u8]>) -> u32 {
        Checksum::of("t").int(a).text(b).maybe_bytes(c).finish()
    }

    proptest! {
        #[test]
        fn a_row_has_the_sum_of_its_fields(a: i64, b in ".{0,40}", c: Option<Vec<u8>>) {
            let connection = Connection::open_in_memory().unwrap();
            let read = connection
                .query_row("SELECT ?1, ?2, ?3", (a, &b, &c), |row| Checksum::of("t").columns(row, 0..3))
                .unwrap();
            // A text with a zero byte in it is a text to SQLite all the same.
            prop_assert_eq!(read.finish(), sum(a, &b, c.as_deref()));
        }

        #[test]
        fn a_flipped_byte_changes_it(a: i64, c in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, flip in 1u8..) {
            let mut changed = c.clone();
            changed[at.index(c.len())] ^= flip;
            prop_assert_ne!(sum(a, "", Some(&c)), sum(a, "", Some(&changed)));
            let mut number = a.to_le_bytes();
            number[at.index(8)] ^= flip;
            prop_assert_ne!(sum(a, "", None), sum(i64::from_le_bytes(number), "", None));
        }
    }
}
