//! Many calls at once, their outcomes as they come.

use super::call;
use super::response::Response;
use crate::awaitable::awaitable;
use crate::error::{BindError, Result};
use crate::runtime::{runtime, wait};
use headrace::client::Client;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinSet;

type Outcome = (usize, Result<Response>);

/// Many calls under way. Closed or dropped, those that run are cancelled.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct MapRun {
    client: Client,
    sender: mpsc::UnboundedSender<Outcome>,
    outcomes: Arc<AsyncMutex<mpsc::UnboundedReceiver<Outcome>>>,
    /// Dropped, it cancels what runs.
    tasks: Mutex<JoinSet<()>>,
}

impl MapRun {
    pub(super) fn new(client: Client) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { client, sender, outcomes: Arc::new(AsyncMutex::new(receiver)), tasks: Mutex::default() }
    }
}

#[pymethods]
impl MapRun {
    /// Sends the call of a place.
    fn ask(&self, place: usize, call: &Bound<'_, PyDict>) -> Result<()> {
        let (call, client, sender) = (call::chat_call(call)?, self.client.clone(), self.sender.clone());
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        let _inside = runtime().enter();
        tasks.spawn(async move {
            let outcome = client.chat(call).await.map(Response::from).map_err(BindError::from);
            let _ = sender.send((place, outcome));
        });
        Ok(())
    }

    /// The next outcome: the place of its call, and the response or the exception. Ask first: it waits for what was asked.
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

    /// All outcomes that are there, at most so many, waiting for the first.
    fn take(&self, py: Python<'_>, most: usize) -> Result<Vec<(usize, Py<PyAny>)>> {
        let outcomes = Arc::clone(&self.outcomes);
        let there = wait(py, async move { Ok(all_there(&outcomes, most).await) })?;
        there.into_iter().map(|outcome| told(py, outcome)).collect()
    }

    /// As `take`, to be awaited.
    fn atake<'py>(&self, py: Python<'py>, most: usize) -> Result<Bound<'py, PyAny>> {
        let outcomes = Arc::clone(&self.outcomes);
        Ok(awaitable(py, async move {
            let there = all_there(&outcomes, most).await;
            Python::attach(|py| there.into_iter().map(|outcome| told(py, outcome)).collect::<Result<Vec<_>>>())
        })?)
    }

    /// The outcomes that are there, without waiting.
    fn rest(&self, py: Python<'_>) -> Result<Vec<(usize, Py<PyAny>)>> {
        let mut there = Vec::new();
        if let Ok(mut outcomes) = self.outcomes.try_lock() {
            while let Ok(outcome) = outcomes.try_recv() {
                there.push(outcome);
            }
        }
        there.into_iter().map(|outcome| told(py, outcome)).collect()
    }

    /// Cancels what runs.
    fn close(&self) {
        self.tasks.lock().abort_all();
    }
}

async fn all_there(outcomes: &AsyncMutex<mpsc::UnboundedReceiver<Outcome>>, most: usize) -> Vec<Outcome> {
    let mut there = Vec::new();
    outcomes.lock().await.recv_many(&mut there, most.max(1)).await;
    there
}

fn told(py: Python<'_>, (place, outcome): Outcome) -> Result<(usize, Py<PyAny>)> {
    let told = match outcome {
        Ok(response) => response.into_pyobject(py)?.into_any().unbind(),
        Err(error) => PyErr::from(error).into_value(py).into_any(),
    };
    Ok((place, told))
}
