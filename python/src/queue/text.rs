//! What the queue tells, as Python values.

use crate::duration::datetime;
use crate::error::Result;
use crate::payload;
use headrace::Payload;
use headrace::metrics::DurationSummary;
use headrace::queue::{DeadLetter, Failure, Priority, QueueStats, RequestId};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use std::time::Duration;

pub(super) fn id_text(py: Python<'_>, id: RequestId) -> Bound<'_, PyString> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 16];
    let mut rest = id.0;
    for slot in text.iter_mut().rev() {
        *slot = DIGITS[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    PyString::new(py, std::str::from_utf8(&text).unwrap_or_default())
}

pub(super) fn id_texts<'py>(py: Python<'py>, ids: &[RequestId]) -> Result<Bound<'py, PyList>> {
    Ok(PyList::new(py, ids.iter().map(|id| id_text(py, *id)))?)
}

pub(super) fn optional_payload<'py>(py: Python<'py>, value: Option<&Payload>) -> Result<Bound<'py, PyAny>> {
    Ok(value.map_or_else(|| Ok(py.None().into_bound(py)), |value| payload::to_py(py, value))?)
}

fn failures<'py>(py: Python<'py>, history: &[Failure]) -> PyResult<Bound<'py, PyTuple>> {
    let rows = history
        .iter()
        .map(|failure| {
            let row = PyDict::new(py);
            row.set_item("attempt", failure.attempt)?;
            row.set_item("error", &failure.error)?;
            row.set_item("at", datetime(py, Duration::from_millis(failure.at_ms))?)?;
            Ok(row)
        })
        .collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, rows)
}

pub(super) fn dead_letter<'py>(py: Python<'py>, letter: &DeadLetter) -> Result<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("id", id_text(py, letter.id))?;
    dict.set_item("payload", optional_payload(py, letter.payload.as_ref())?)?;
    dict.set_item("priority", letter.priority.name())?;
    dict.set_item("tenant", &*letter.tenant)?;
    dict.set_item("reason", &letter.reason)?;
    dict.set_item("history", failures(py, &letter.history)?)?;
    Ok(dict)
}

fn summary<'py>(py: Python<'py>, summary: &DurationSummary) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("count", summary.count)?;
    let figures = [
        ("mean", summary.mean),
        ("p50", summary.p50),
        ("p90", summary.p90),
        ("p95", summary.p95),
        ("p99", summary.p99),
        ("max", summary.max),
    ];
    for (name, seconds) in figures {
        dict.set_item(name, seconds)?;
    }
    Ok(dict)
}

/// The figures of a queue by their names.
pub(super) fn stats<'py>(py: Python<'py>, stats: &QueueStats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let states = PyDict::new(py);
    for (status, count) in stats.by_status {
        states.set_item(status.name(), count)?;
    }
    let priorities = PyDict::new(py);
    for (priority, count) in Priority::ALL.iter().zip(stats.by_priority) {
        priorities.set_item(priority.name(), count)?;
    }
    let tenants = PyDict::new(py);
    for (tenant, count) in &stats.by_tenant {
        tenants.set_item(&**tenant, count)?;
    }
    dict.set_item("by_status", states)?;
    dict.set_item("by_priority", priorities)?;
    dict.set_item("by_tenant", tenants)?;
    dict.set_item("bytes", stats.bytes)?;
    let counters = [("put", stats.put), ("acked", stats.acked), ("retried", stats.retried), ("expired", stats.expired)];
    for (name, count) in counters {
        dict.set_item(name, count)?;
    }
    dict.set_item("paused", stats.paused)?;
    dict.set_item("closed", stats.closed)?;
    for (name, histogram) in [("enqueue", stats.enqueue), ("wait", stats.wait), ("run", stats.run)] {
        dict.set_item(name, summary(py, &histogram)?)?;
    }
    Ok(dict)
}

/// The state at a glance.
pub(super) fn glance(stats: &QueueStats) -> String {
    let counts: Vec<_> = stats.by_status.iter().map(|(status, count)| format!("{count} {}", status.name())).collect();
    let state = if stats.closed {
        ", closed"
    } else if stats.paused {
        ", paused"
    } else {
        ""
    };
    format!("{}{state}", counts.join(", "))
}
