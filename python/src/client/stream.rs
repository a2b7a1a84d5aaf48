//! An answer as it comes.

use super::chunk::Chunk;
use super::response::Response;
use crate::awaitable::awaitable;
use crate::error::{BindError, Result};
use crate::runtime::wait;
use headrace::Error;
use headrace::chat::Event;
use headrace::client as core;
use headrace::wire::{EventWriter, Protocol, WriterOptions, openai_chat};
use parking_lot::Mutex;
use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use serde_json::Value;
use std::sync::Arc;

/// An answer as it comes: iterate over its chunks, with `for` or `async for`.
///
/// Afterwards `response` has the whole answer with its cost. Left before its end (`break`, `close`), the provider is told to
/// stop and what was sent so far is booked.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct ChatStream {
    inner: Arc<tokio::sync::Mutex<Reading>>,
    ends: Arc<Mutex<Ends>>,
    /// The process that reads it: a forked child has a copy of it, and not its task.
    process: u32,
}

struct Reading {
    stream: core::ChatStream,
    writer: Box<dyn EventWriter>,
}

/// What Python has of a stream.
#[derive(Default)]
struct Ends {
    /// Told how the stream ended; what it gives back is the response.
    finish: Option<Py<PyAny>>,
    response: Option<Py<PyAny>>,
}

impl ChatStream {
    pub(super) fn new(stream: core::ChatStream, model: String, finish: Py<PyAny>) -> Self {
        let writer = openai_chat::PROTOCOL.event_writer(WriterOptions { model, include_usage: false });
        let ends = Ends { finish: Some(finish), response: None };
        Self {
            inner: Arc::new(tokio::sync::Mutex::new(Reading { stream, writer })),
            ends: Arc::new(Mutex::new(ends)),
            process: headrace::process::id(),
        }
    }

    fn check_process(&self) -> Result<()> {
        if self.process == headrace::process::id() {
            return Ok(());
        }
        Err(Error::invalid("this stream was opened before a fork, and its parent reads it: open one here").into())
    }
}

/// Tells the call's `finish` that it was left, where it has not heard yet how the stream ended.
fn tell_left(py: Python<'_>, ends: &Mutex<Ends>) -> Result<()> {
    let Some(finish) = ends.lock().finish.take() else { return Ok(()) };
    let left = Error::RequestCancelled("the stream was left before its end: what was sent until then is booked".into());
    finish.call1(py, (PyErr::from(BindError::from(left)).value(py),))?;
    Ok(())
}

impl Drop for ChatStream {
    fn drop(&mut self) {
        if self.process != headrace::process::id() || self.ends.lock().finish.is_none() {
            return;
        }
        let ends = Arc::clone(&self.ends);
        let _ = Python::try_attach(|py| {
            // It may be dropped while an exception is on its way, which is another's.
            let pending = PyErr::take(py);
            if let Err(error) = tell_left(py, &ends) {
                PyErr::from(error).write_unraisable(py, None);
            }
            if let Some(pending) = pending {
                pending.restore(py);
            }
        });
    }
}

impl Reading {
    /// The next chunk; what opens a stream and what tells its usage is no chunk.
    async fn next(&mut self) -> Result<Option<Chunk>> {
        while let Some(event) = self.stream.next().await? {
            let frames = self.writer.write(&event);
            if matches!(event, Event::Start { .. } | Event::Usage(_)) {
                continue;
            }
            let raw = frames.last().and_then(|frame| serde_json::from_str(&frame.data).ok()).unwrap_or(Value::Null);
            return Ok(Some(Chunk::of(event, raw)));
        }
        Ok(None)
    }
}

/// The next chunk; at the end of the stream its response is made, and its caller's `finish` is told.
async fn next(inner: Arc<tokio::sync::Mutex<Reading>>, ends: Arc<Mutex<Ends>>) -> Result<Option<Chunk>> {
    let mut reading = inner.lock().await;
    let next = reading.next().await;
    let finish = if matches!(next, Ok(Some(_))) { None } else { ends.lock().finish.take() };
    if let Some(finish) = finish {
        return Python::attach(|py| match (next, reading.stream.response()) {
            (Ok(_), Some(core)) => {
                let response = finish.call1(py, (Response::from(core.clone()),))?;
                ends.lock().response = Some(response);
                Ok(None)
            }
            (Err(error), _) => {
                let error = PyErr::from(error);
                finish.call1(py, (error.value(py),))?;
                Err(error.into())
            }
            (other, None) => other,
        });
    }
    next
}

#[pymethods]
impl ChatStream {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Result<Option<Chunk>> {
        self.check_process()?;
        wait(py, next(Arc::clone(&self.inner), Arc::clone(&self.ends)))
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        self.check_process()?;
        let next = next(Arc::clone(&self.inner), Arc::clone(&self.ends));
        Ok(awaitable(py, async move { next.await?.ok_or_else(|| PyStopAsyncIteration::new_err(()).into()) })?)
    }

    /// The whole answer with its cost, after the last chunk; None before.
    #[getter]
    fn response(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.ends.lock().response.as_ref().map(|response| response.clone_ref(py))
    }

    /// Stops here: the provider is told to stop, and what was sent is booked.
    fn close(&self, py: Python<'_>) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        wait(py, async move {
            inner.lock().await.stream.close();
            Ok(())
        })?;
        tell_left(py, &self.ends)
    }

    /// As `close`.
    fn aclose<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let (inner, ends) = (Arc::clone(&self.inner), Arc::clone(&self.ends));
        Ok(awaitable(py, async move {
            inner.lock().await.stream.close();
            Python::attach(|py| tell_left(py, &ends))
        })?)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        let Some(ends) = self.ends.try_lock() else { return Ok(()) };
        visit.call(&ends.finish)?;
        visit.call(&ends.response)
    }

    fn __clear__(&self) {
        let ends = self.ends.try_lock().map(|mut ends| std::mem::take(&mut *ends));
        drop(ends);
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) -> Result<()> {
        self.close(py)
    }

    fn __aenter__(slf: Bound<'_, Self>) -> Result<Bound<'_, PyAny>> {
        let (py, me) = (slf.py(), slf.unbind());
        Ok(awaitable(py, async move { Ok(me) })?)
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(
        &self,
        py: Python<'py>,
        _exception: &Bound<'py, pyo3::types::PyTuple>,
    ) -> Result<Bound<'py, PyAny>> {
        self.aclose(py)
    }
}
