//! Many calls at once, their outcomes as they come.

use super::response::Response;
use crate::awaitable::awaitable;
use crate::error::{BindError, Result};
use crate::runtime::{runtime, wait};
use futures_util::{StreamExt, stream};
use headrace::client::{ChatCall, Client};
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::sync::Arc;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

type Outcome = (usize, Result<Response>);

/// Many calls under way. Closed or dropped, those that run are cancelled.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct MapRun {
    outcomes: Arc<AsyncMutex<mpsc::UnboundedReceiver<Outcome>>>,
    task: Mutex<Option<tokio::task::AbortHandle>>,
}

impl MapRun {
    pub(super) fn start(client: Client, calls: Vec<Result<ChatCall>>, concurrency: usize) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let task = runtime().spawn(async move {
            let ask = |(place, call): (usize, Result<ChatCall>)| {
                let client = client.clone();
                async move {
                    let outcome = match call {
                        Ok(call) => client.chat(call).await.map(Response::from).map_err(BindError::from),
                        Err(error) => Err(error),
                    };
                    (place, outcome)
                }
            };
            let mut outcomes = stream::iter(calls.into_iter().enumerate()).map(ask).buffer_unordered(concurrency);
            while let Some(outcome) = outcomes.next().await {
                if sender.send(outcome).is_err() {
                    return;
                }
            }
        });
        Self { outcomes: Arc::new(AsyncMutex::new(receiver)), task: Mutex::new(Some(task.abort_handle())) }
    }
}

#[pymethods]
impl MapRun {
    /// The next outcome: the place of its call, and the response or the exception; None when all are told.
    fn next(&self, py: Python<'_>) -> Result<Option<(usize, Py<PyAny>)>> {
        let outcomes = Arc::clone(&self.outcomes);
        let next = wait(py, async move { Ok(outcomes.lock().await.recv().await) })?;
        next.map(|outcome| told(py, outcome)).transpose()
    }

    /// As `next`, to be awaited.
    fn anext<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let outcomes = Arc::clone(&self.outcomes);
        Ok(awaitable(py, async move {
            let next = outcomes.lock().await.recv().await;
            Python::attach(|py| next.map(|outcome| told(py, outcome)).transpose())
        })?)
    }

    /// Cancels what runs.
    fn close(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

impl Drop for MapRun {
    fn drop(&mut self) {
        self.close();
    }
}

fn told(py: Python<'_>, (place, outcome): Outcome) -> Result<(usize, Py<PyAny>)> {
    let told = match outcome {
        Ok(response) => response.into_pyobject(py)?.into_any().unbind(),
        Err(error) => PyErr::from(error).into_value(py).into_any(),
    };
    Ok((place, told))
}
