//! The ledger as Arrow, in batches that are made when the reader asks for them; money is `decimal128(38, 18)`, exact.

use super::columns::{Column, ExportRow, columns};
use crate::cost::ledger::{LedgerStore, Page};
use crate::cost::{CostRecord, CostTracker, Filter};
use crate::{Error, Result};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, RecordBatch, RecordBatchIterator, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow_schema::ArrowError;
use std::sync::Arc;

const DOLLAR_DIGITS: (u8, i8) = (38, 18);

impl CostTracker {
    /// The records that pass, for any reader of the Arrow C stream interface. What is written while it is read is not in it.
    ///
    /// # Errors
    /// `Store` where the ledger cannot be read.
    pub fn arrow_stream(&self, filter: Filter) -> Result<FFI_ArrowArrayStream> {
        let schema = batch(Vec::new()).map_err(|error| failed(&error))?.schema();
        let store = Arc::clone(&self.accounts.store);
        let first = store.page(self.first_page(&filter, false)).wait()?;
        let batches = Batches { store, page: Some(first) };
        Ok(FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new(batches, schema))))
    }
}

/// The first page says up to which record the others go.
struct Batches {
    store: Arc<dyn LedgerStore>,
    page: Option<Page>,
}

impl Iterator for Batches {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = self.page.take().filter(|page| !page.records.is_empty())?;
        if let Some(rest) = page.rest {
            match self.store.page(rest).wait() {
                Ok(next) => self.page = Some(next),
                Err(error) => return Some(Err(ArrowError::ExternalError(Box::new(error)))),
            }
        }
        Some(batch(page.records))
    }
}

fn failed(error: &ArrowError) -> Error {
    Error::Store(format!("the ledger cannot be given as Arrow: {error}"))
}

fn batch(records: Vec<CostRecord>) -> std::result::Result<RecordBatch, ArrowError> {
    let rows: Vec<ExportRow> = records.into_iter().map(ExportRow::new).collect();
    let money = |amounts: Decimal128Array| amounts.with_precision_and_scale(DOLLAR_DIGITS.0, DOLLAR_DIGITS.1);
    let array = |column: &Column| -> std::result::Result<ArrayRef, ArrowError> {
        Ok(match column {
            Column::Time(read) => {
                Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(read)).with_timezone("UTC"))
            }
            Column::Count(read) => Arc::new(UInt64Array::from_iter_values(rows.iter().map(read))),
            Column::Text(read) => Arc::new(rows.iter().map(read).collect::<StringArray>()),
            Column::Flag(read) => Arc::new(rows.iter().map(|row| Some(read(row))).collect::<BooleanArray>()),
            Column::Figure(read) => Arc::new(rows.iter().map(read).collect::<Float64Array>()),
            Column::Money(read) => {
                let amounts = rows.iter().map(|row| read(row).map(crate::cost::money::Money::attodollars));
                Arc::new(money(amounts.collect())?)
            }
            Column::Part(kind) => {
                let amounts = rows.iter().map(|row| row.cost_of(*kind).map(crate::cost::money::Money::attodollars));
                Arc::new(money(amounts.collect())?)
            }
        })
    };
    let arrays: Vec<_> = columns()
        .iter()
        // Nullable whatever a batch holds, so that all batches have one schema.
        .map(|(name, column)| Ok((*name, array(column)?, true)))
        .collect::<std::result::Result<_, ArrowError>>()?;
    RecordBatch::try_from_iter_with_nullable(arrays)
}
