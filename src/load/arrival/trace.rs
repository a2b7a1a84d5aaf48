//! Recorded traffic: Azure's CSV (TIMESTAMP,ContextTokens,GeneratedTokens) and Mooncake's JSON lines.

use super::Arrival;
use crate::{Error, Result};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A recording of when requests came and how long they were.
#[derive(Debug, Clone)]
pub struct Trace {
    arrivals: Arc<[Arrival]>,
}

#[derive(Deserialize)]
struct MooncakeLine {
    timestamp: u64,
    input_length: u64,
    output_length: u64,
}

impl Trace {
    /// Reads a file in one of the two formats.
    ///
    /// # Errors
    /// The file cannot be read, or a line is in neither format.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Config(format!("the trace {} cannot be read: {error}", path.display())))?;
        Self::parse(&text)
    }

    /// Reads text in one of the two formats; the first request is at 0, all are put in order of time.
    ///
    /// ```
    /// use headrace::load::arrival::Trace;
    /// let trace = Trace::parse("TIMESTAMP,ContextTokens,GeneratedTokens\n\
    ///     2023-11-16 18:15:46.5,374,44\n2023-11-16 18:15:50.0,396,109\n")?;
    /// assert_eq!(trace.length().as_millis(), 3500);
    /// # Ok::<(), headrace::Error>(())
    /// ```
    ///
    /// # Errors
    /// A line is in neither format, or there is none.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || (number == 0 && line.starts_with("TIMESTAMP")) {
                continue;
            }
            let row = if line.starts_with('{') { mooncake(line) } else { azure(line) };
            rows.push(row.ok_or_else(|| {
                Error::Config(format!(
                    "line {} of the trace is {line:?}: give TIMESTAMP,ContextTokens,GeneratedTokens, \
                     or JSON with timestamp (ms), input_length and output_length",
                    number + 1
                ))
            })?);
        }
        rows.sort_unstable();
        let Some(&(first, _)) = rows.first() else {
            return Err(Error::Config("the trace is empty: give at least one line".into()));
        };
        let arrivals = rows
            .into_iter()
            .map(|(at, tokens)| Arrival { at: Duration::from_nanos(at.abs_diff(first)), tokens: Some(tokens) })
            .collect();
        Ok(Self { arrivals })
    }

    /// From the first request to the last.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.arrivals.last().map(|last| last.at).unwrap_or_default()
    }

    /// How many requests.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether there is none; never true, as an empty trace is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    pub(super) fn get(&self, at: usize, speed: f64) -> Option<Arrival> {
        self.arrivals.get(at).map(|arrival| Arrival { at: arrival.at.div_f64(speed), ..*arrival })
    }
}

/// Nanoseconds, and tokens in and out.
type Row = (i64, (u64, u64));

fn azure(line: &str) -> Option<Row> {
    let mut fields = line.split(',');
    let time: jiff::civil::DateTime = fields.next()?.trim().parse().ok()?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    let tokens = (fields.next()?.trim().parse().ok()?, fields.next()?.trim().parse().ok()?);
    Some((i64::try_from(zoned.timestamp().as_nanosecond()).ok()?, tokens))
}

fn mooncake(line: &str) -> Option<Row> {
    let line: MooncakeLine = serde_json::from_str(line).ok()?;
    Some((i64::try_from(line.timestamp.checked_mul(1_000_000)?).ok()?, (line.input_length, line.output_length)))
}
