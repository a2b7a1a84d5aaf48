//! The ledger as Arrow, in batches; money is `decimal128(38, 18)`, exact.

use crate::cost::carbon::Range;
use crate::cost::{CostRecord, CostTracker, Filter};
use crate::{Error, Result};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, RecordBatch, RecordBatchIterator, StringArray,
    TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::ArrowError;
use std::sync::Arc;

const BATCH: usize = 1 << 16;
const DOLLAR_DIGITS: (u8, i8) = (38, 18);

impl CostTracker {
    /// The records that pass, for any reader of the Arrow C stream interface.
    ///
    /// # Errors
    /// `Store` where the ledger cannot be read.
    pub fn arrow_stream(&self, filter: &Filter) -> Result<FFI_ArrowArrayStream> {
        let mut batches = Vec::new();
        let mut waiting = Vec::with_capacity(BATCH);
        self.each_record(filter, false, |record| {
            waiting.push(record);
            if waiting.len() == BATCH {
                batches.push(batch(&waiting).map_err(|error| failed(&error))?);
                waiting.clear();
            }
            Ok(true)
        })?;
        if !waiting.is_empty() || batches.is_empty() {
            batches.push(batch(&waiting).map_err(|error| failed(&error))?);
        }
        let schema = batches[0].schema();
        Ok(FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new(batches.into_iter().map(Ok), schema))))
    }
}

fn failed(error: &ArrowError) -> Error {
    Error::Store(format!("the ledger cannot be given as Arrow: {error}"))
}

fn batch(records: &[CostRecord]) -> std::result::Result<RecordBatch, ArrowError> {
    let text = |pick: fn(&CostRecord) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(pick)))
    };
    let count = |pick: fn(&CostRecord) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(records.iter().map(pick)))
    };
    let money = |pick: fn(&CostRecord) -> i128| -> std::result::Result<ArrayRef, ArrowError> {
        let amounts = Decimal128Array::from_iter_values(records.iter().map(pick));
        Ok(Arc::new(amounts.with_precision_and_scale(DOLLAR_DIGITS.0, DOLLAR_DIGITS.1)?))
    };
    let impacts: Vec<_> = records.iter().map(CostRecord::impact).collect();
    let figure = |pick: fn(crate::cost::carbon::Impact) -> Range, high: bool| -> ArrayRef {
        let end = |range: Range| if high { range.max } else { range.min };
        Arc::new(Float64Array::from_iter(impacts.iter().map(|impact| impact.map(|impact| end(pick(impact))))))
    };
    let times = TimestampMicrosecondArray::from_iter_values(records.iter().map(|record| record.time));
    let caches = StringArray::from_iter(records.iter().map(|record| record.cache.as_str()));
    let tags = StringArray::from_iter_values(records.iter().map(|record| record.attribution.tags().join(";")));
    let estimated = BooleanArray::from_iter(records.iter().map(|record| Some(record.entry.estimated)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", count(|record| record.id)),
        ("time", Arc::new(times.with_timezone("UTC"))),
        ("provider", text(|record| &record.entry.provider)),
        ("model", text(|record| &record.entry.model)),
        ("tenant", text(|record| record.attribution.tenant())),
        ("tags", Arc::new(tags)),
        ("input_tokens", count(|record| record.usage.input_tokens)),
        ("cached_input_tokens", count(|record| record.usage.cached_input_tokens)),
        ("output_tokens", count(|record| record.usage.output_tokens)),
        ("reasoning_tokens", count(|record| record.usage.reasoning_tokens)),
        ("cost", money(|record| record.cost().attodollars())?),
        ("saved", money(|record| record.saved().attodollars())?),
        ("estimated", Arc::new(estimated)),
        ("price_version", text(|record| &record.entry.version)),
        ("cache", Arc::new(caches)),
        ("latency_s", Arc::new(Float64Array::from_iter(records.iter().map(|record| record.latency_s)))),
        ("attempts", Arc::new(UInt32Array::from_iter_values(records.iter().map(|record| record.attempts)))),
        ("energy_wh_min", figure(|impact| impact.energy_wh, false)),
        ("energy_wh_max", figure(|impact| impact.energy_wh, true)),
        ("co2e_g_min", figure(|impact| impact.co2e_g, false)),
        ("co2e_g_max", figure(|impact| impact.co2e_g, true)),
        ("water_l_min", figure(|impact| impact.water_l, false)),
        ("water_l_max", figure(|impact| impact.water_l, true)),
    ];
    // Nullable whatever a batch holds, so that all batches have one schema.
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
}
