//! Spans of time to sum by.

use crate::cost::budget::Period;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// What stores keep sums by, in microseconds.
pub(crate) const HOUR: i64 = 3_600_000_000;

/// The start of the span that a time is in; spans once worked out are remembered.
#[derive(Debug)]
pub(crate) struct Buckets {
    span: Option<(Period, TimeZone)>,
    /// End by start.
    known: BTreeMap<i64, i64>,
    last: (i64, i64),
}

impl Buckets {
    /// `None` puts all times into one span.
    pub(crate) fn new(span: Option<(Period, TimeZone)>) -> Self {
        let last = if span.is_none() { (i64::MIN, i64::MAX) } else { (0, 0) };
        Self { span, known: BTreeMap::new(), last }
    }

    pub(crate) fn start(&mut self, time: i64) -> i64 {
        if self.last.0 <= time && time < self.last.1 {
            return self.last.0;
        }
        let known = self.known.range(..=time).next_back().map(|(&start, &end)| (start, end));
        self.last = match (known, &self.span) {
            (Some((start, end)), _) if time < end => (start, end),
            (_, Some((period, zone))) => {
                let start = period.bucket(time, zone);
                let end = period.end(time, zone).unwrap_or(i64::MAX);
                self.known.insert(start, end);
                (start, end)
            }
            (_, None) => (i64::MIN, i64::MAX),
        };
        self.last.0
    }
}
