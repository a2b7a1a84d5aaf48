//! The batches of one model: calls are collected, handed in together, looked after, and settled as their results come.

use super::call;
use super::response::Response;
use crate::awaitable::awaitable;
use crate::cost::decimal;
use crate::cost::reservation::Reservation;
use crate::error::{BindError, Result};
use crate::runtime::wait;
use futures_util::StreamExt;
use futures_util::future::join_all;
use headrace::client::{BatchDraft, ChatCall, ModelBatches, Prepared};
use headrace::cost::{DEFAULT_LEASE, Together, money::Money};
use headrace::provider::{BatchLimits, BatchLine, BatchLines, BatchState};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Mutex as AsyncMutex;

type Outcome = (String, Result<Response>);

/// The batches of one model: the calls that the next is made of, and the results that are read.
#[pyclass(frozen, module = "headrace._core.client")]
pub(crate) struct BatchRun(Arc<Desk>);

struct Desk {
    batches: ModelBatches,
    limits: BatchLimits,
    drafts: Mutex<Drafts>,
    results: AsyncMutex<Option<BatchLines>>,
    /// The results that were read and are not settled.
    read: Mutex<HashMap<String, BatchLine>>,
}

/// The calls of the next batch.
#[derive(Default)]
struct Drafts {
    calls: Vec<BatchDraft>,
    bytes: usize,
}

impl BatchRun {
    pub(super) fn new(batches: ModelBatches) -> headrace::Result<Self> {
        let limits = batches.limits()?;
        Ok(Self(Arc::new(Desk {
            batches,
            limits,
            drafts: Mutex::default(),
            results: AsyncMutex::default(),
            read: Mutex::default(),
        })))
    }

    /// A method of the desk, waited for.
    fn now<T: Send, F: Future<Output = Result<T>> + Send>(
        &self,
        py: Python<'_>,
        method: impl FnOnce(Arc<Desk>) -> F,
    ) -> Result<T> {
        wait(py, method(Arc::clone(&self.0)))
    }

    /// The same, to be awaited.
    fn later<'py, T, F>(&self, py: Python<'py>, method: impl FnOnce(Arc<Desk>) -> F) -> Result<Bound<'py, PyAny>>
    where
        T: for<'a> IntoPyObject<'a> + Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        Ok(awaitable(py, method(Arc::clone(&self.0)))?)
    }
}

impl Desk {
    async fn add(self: Arc<Self>, id: String, call: ChatCall, is_kept: bool) -> Result<Py<PyAny>> {
        let prepared = self.batches.prepare(&id, &call).await?;
        Python::attach(|py| match prepared {
            Prepared::There(response) => Ok(Response::from(*response).into_pyobject(py)?.into_any().unbind()),
            Prepared::Draft(_) if !is_kept => Ok(py.None()),
            Prepared::Draft(draft) => {
                let worst = decimal::to_py(py, draft.worst)?.unbind();
                let mut drafts = self.drafts.lock();
                drafts.bytes += draft.line.len() + 1;
                drafts.calls.push(draft);
                Ok(worst)
            }
        })
    }

    async fn hold(self: Arc<Self>) -> Result<(usize, Option<Reservation>)> {
        let drafts = self.drafts.lock().calls.clone();
        let held = self.batches.hold(&drafts, DEFAULT_LEASE).await?;
        self.drafts.lock().calls.truncate(held.count);
        Ok(told(held))
    }

    async fn hold_again(self: Arc<Self>, worst: Money, call: ChatCall) -> Result<(usize, Option<Reservation>)> {
        Ok(told(self.batches.hold_again(worst, &call, DEFAULT_LEASE).await?))
    }

    async fn upload(self: Arc<Self>, token: String) -> Result<Option<String>> {
        let drafts = self.drafts.lock().calls.clone();
        Ok(self.batches.upload(&token, &drafts).await?)
    }

    async fn submit(self: Arc<Self>, token: String, file: Option<String>) -> Result<String> {
        let drafts = self.drafts.lock().calls.clone();
        Ok(self.batches.submit(&token, file.as_deref(), &drafts).await?)
    }

    async fn find(self: Arc<Self>, token: String) -> Result<Option<String>> {
        Ok(self.batches.find(&token).await?)
    }

    async fn poll(self: Arc<Self>, id: String) -> Result<Py<PyAny>> {
        let BatchState { is_over, status, total, done, failed, fault } = self.batches.poll(&id).await?;
        Python::attach(|py| {
            let told = PyDict::new(py);
            told.set_item("is_over", is_over)?;
            told.set_item("status", status)?;
            told.set_item("total", total)?;
            told.set_item("done", done)?;
            told.set_item("failed", failed)?;
            told.set_item("fault", fault)?;
            Ok(told.into_any().unbind())
        })
    }

    async fn open(self: Arc<Self>, id: String) -> Result<()> {
        let opened = self.batches.results(&id).await?;
        *self.results.lock().await = Some(opened);
        Ok(())
    }

    async fn take(self: Arc<Self>, most: usize) -> Result<Vec<String>> {
        let mut results = self.results.lock().await;
        let Some(lines) = results.as_mut() else { return Ok(Vec::new()) };
        let mut read = HashMap::new();
        while read.len() < most {
            match lines.next().await {
                Some(line) => line.map(|line| read.insert(line.id.clone(), line))?,
                None => break,
            };
        }
        let ids = read.keys().cloned().collect();
        *self.read.lock() = read;
        Ok(ids)
    }

    async fn settle(self: Arc<Self>, calls: Vec<(String, ChatCall)>) -> Vec<Outcome> {
        let settled = calls.into_iter().filter_map(|(id, call)| {
            let line = self.read.lock().remove(&id)?;
            let batches = self.batches.clone();
            Some(async move { (id, batches.settle(&call, line).await.map(Response::from).map_err(BindError::from)) })
        });
        join_all(settled).await
    }
}

#[pymethods]
impl BatchRun {
    /// Whether the calls that were added are as many as one batch holds.
    #[getter]
    fn is_full(&self) -> bool {
        let drafts = self.0.drafts.lock();
        drafts.calls.len() >= self.0.limits.requests || drafts.bytes >= self.0.limits.bytes
    }

    /// Adds a call by its name: the response, where the cache has it; the most that it may cost, where it was added; None,
    /// where it is not to be `kept`.
    fn add(&self, py: Python<'_>, id: String, call: &Bound<'_, PyDict>, kept: bool) -> Result<Py<PyAny>> {
        let call = call::chat_call(call)?;
        self.now(py, |desk| desk.add(id, call, kept))
    }

    /// As `add`, to be awaited.
    fn aadd<'py>(
        &self,
        py: Python<'py>,
        id: String,
        call: &Bound<'py, PyDict>,
        kept: bool,
    ) -> Result<Bound<'py, PyAny>> {
        let call = call::chat_call(call)?;
        self.later(py, |desk| desk.add(id, call, kept))
    }

    /// Sets the worst case of the first calls aside that the budgets have room for; the others are dropped.
    fn hold(&self, py: Python<'_>) -> Result<(usize, Option<Reservation>)> {
        self.now(py, Desk::hold)
    }

    /// As `hold`, to be awaited.
    fn ahold<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        self.later(py, Desk::hold)
    }

    /// Sets an amount aside for a batch that is under way: 1 where there is room, else 0.
    fn hold_again(
        &self,
        py: Python<'_>,
        worst: &Bound<'_, PyAny>,
        call: &Bound<'_, PyDict>,
    ) -> Result<(usize, Option<Reservation>)> {
        let (worst, call) = (decimal::from_py(worst, "worst")?, call::chat_call(call)?);
        self.now(py, |desk| desk.hold_again(worst, call))
    }

    /// As `hold_again`, to be awaited.
    fn ahold_again<'py>(
        &self,
        py: Python<'py>,
        worst: &Bound<'py, PyAny>,
        call: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyAny>> {
        let (worst, call) = (decimal::from_py(worst, "worst")?, call::chat_call(call)?);
        self.later(py, |desk| desk.hold_again(worst, call))
    }

    /// Hands the calls in, where that comes before the batch is made: the name of the file.
    fn upload(&self, py: Python<'_>, token: String) -> Result<Option<String>> {
        self.now(py, |desk| desk.upload(token))
    }

    /// As `upload`, to be awaited.
    fn aupload<'py>(&self, py: Python<'py>, token: String) -> Result<Bound<'py, PyAny>> {
        self.later(py, |desk| desk.upload(token))
    }

    /// Makes the batch: its id.
    fn submit(&self, py: Python<'_>, token: String, file: Option<String>) -> Result<String> {
        self.now(py, |desk| desk.submit(token, file))
    }

    /// As `submit`, to be awaited.
    fn asubmit<'py>(&self, py: Python<'py>, token: String, file: Option<String>) -> Result<Bound<'py, PyAny>> {
        self.later(py, |desk| desk.submit(token, file))
    }

    /// Drops the calls that were added.
    fn clear(&self) {
        *self.0.drafts.lock() = Drafts::default();
    }

    /// The id of the batch that was made with a token, where it can be found.
    fn find(&self, py: Python<'_>, token: String) -> Result<Option<String>> {
        self.now(py, |desk| desk.find(token))
    }

    /// As `find`, to be awaited.
    fn afind<'py>(&self, py: Python<'py>, token: String) -> Result<Bound<'py, PyAny>> {
        self.later(py, |desk| desk.find(token))
    }

    /// How far a batch is.
    fn poll(&self, py: Python<'_>, id: String) -> Result<Py<PyAny>> {
        self.now(py, |desk| desk.poll(id))
    }

    /// As `poll`, to be awaited.
    fn apoll<'py>(&self, py: Python<'py>, id: String) -> Result<Bound<'py, PyAny>> {
        self.later(py, |desk| desk.poll(id))
    }

    /// Opens the results of a batch that is over.
    fn open(&self, py: Python<'_>, id: String) -> Result<()> {
        self.now(py, |desk| desk.open(id))
    }

    /// As `open`, to be awaited.
    fn aopen<'py>(&self, py: Python<'py>, id: String) -> Result<Bound<'py, PyAny>> {
        self.later(py, |desk| desk.open(id))
    }

    /// The names of the next results, at most so many; none where all were read. Those before are forgotten.
    fn take(&self, py: Python<'_>, most: usize) -> Result<Vec<String>> {
        self.now(py, |desk| desk.take(most))
    }

    /// As `take`, to be awaited.
    fn atake<'py>(&self, py: Python<'py>, most: usize) -> Result<Bound<'py, PyAny>> {
        self.later(py, |desk| desk.take(most))
    }

    /// Books results that were taken, each with its call: the response or the exception of each.
    fn settle(&self, py: Python<'_>, calls: Vec<(String, Bound<'_, PyDict>)>) -> Result<Vec<(String, Py<PyAny>)>> {
        let calls = read_calls(&calls)?;
        let settled = self.now(py, |desk| async move { Ok(desk.settle(calls).await) })?;
        settled.into_iter().map(|outcome| shown(py, outcome)).collect()
    }

    /// As `settle`, to be awaited.
    fn asettle<'py>(&self, py: Python<'py>, calls: Vec<(String, Bound<'py, PyDict>)>) -> Result<Bound<'py, PyAny>> {
        let calls = read_calls(&calls)?;
        self.later(py, |desk| async move {
            let settled = desk.settle(calls).await;
            Python::attach(|py| settled.into_iter().map(|outcome| shown(py, outcome)).collect::<Result<Vec<_>>>())
        })
    }
}

fn read_calls(calls: &[(String, Bound<'_, PyDict>)]) -> Result<Vec<(String, ChatCall)>> {
    calls.iter().map(|(id, call)| Ok((id.clone(), call::chat_call(call)?))).collect()
}

fn told(held: Together) -> (usize, Option<Reservation>) {
    (held.count, held.hold.map(|hold| Reservation { core: Arc::new(hold) }))
}

fn shown(py: Python<'_>, (id, outcome): Outcome) -> Result<(String, Py<PyAny>)> {
    let shown = match outcome {
        Ok(response) => response.into_pyobject(py)?.into_any().unbind(),
        Err(error) => PyErr::from(error).into_value(py).into_any(),
    };
    Ok((id, shown))
}
