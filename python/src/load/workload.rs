//! The ESG workload and its requests.

use crate::error::Result;
use headrace::Error;
use headrace::load::request::{HistoryMessage, LoadRequest};
use headrace::load::workload::{Esg, EsgConfig, WorkloadLanguage, tenant_names};
use headrace::queue::Priority;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// One request of a workload, and what is known about its right answer.
///
/// Args:
///     prompt: The user message.
///     messages: The turns before it, as role and content.
///     model: The model to ask; None leaves it to the target.
///     tenant: On whose behalf.
///     priority: How urgent.
///     answer_key: Two requests with the same key may share an answer; by default the prompt.
///     output_tokens: How many tokens are to come out; 0 is not said.
///
/// Raises:
///     ValueError: The priority or a role is unknown.
///
/// Example:
///     >>> Request("Scope 1 in 2023?", tenant="audit").messages
///     [{'role': 'user', 'content': 'Scope 1 in 2023?'}]
#[pyclass(frozen, module = "headrace._core.load", name = "Request")]
pub(crate) struct PyRequest {
    pub(crate) core: Arc<LoadRequest>,
}

impl From<LoadRequest> for PyRequest {
    fn from(core: LoadRequest) -> Self {
        Self { core: Arc::new(core) }
    }
}

#[pymethods]
impl PyRequest {
    #[new]
    #[pyo3(signature = (prompt, *, messages=None, model=None, tenant="default", priority="normal", answer_key=None,
                        output_tokens=0))]
    fn new(
        prompt: String,
        messages: Option<Vec<Bound<'_, PyDict>>>,
        model: Option<String>,
        tenant: &str,
        priority: &str,
        answer_key: Option<String>,
        output_tokens: u64,
    ) -> Result<Self> {
        let mut core = LoadRequest::new(prompt);
        core.history = messages.map_or_else(|| Ok(Vec::new()), |given| history(&given))?;
        core.model = model;
        tenant.clone_into(&mut core.tenant);
        core.priority = Priority::from_name(priority)?;
        core.answer_key = answer_key.unwrap_or(core.answer_key);
        core.output_tokens = output_tokens;
        Ok(core.into())
    }

    /// Its place in the workload, from 0.
    #[getter]
    fn index(&self) -> u64 {
        self.core.index
    }

    /// The last user message.
    #[getter]
    fn prompt(&self) -> &str {
        &self.core.prompt
    }

    /// The whole conversation, the prompt last.
    #[getter]
    fn messages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (role, content) in self.core.messages() {
            let message = PyDict::new(py);
            message.set_item("role", role)?;
            message.set_item("content", content)?;
            list.append(message)?;
        }
        Ok(list)
    }

    /// The model to ask, where the workload says one.
    #[getter]
    fn model(&self) -> Option<&str> {
        self.core.model.as_deref()
    }

    /// On whose behalf.
    #[getter]
    fn tenant(&self) -> &str {
        &self.core.tenant
    }

    /// How urgent.
    #[getter]
    fn priority(&self) -> &'static str {
        self.core.priority.name()
    }

    /// What tells its answer from all others.
    #[getter]
    fn answer_key(&self) -> &str {
        &self.core.answer_key
    }

    /// What the request is to a cache.
    #[getter]
    fn kind(&self) -> &'static str {
        self.core.kind.name()
    }

    /// Whether the question differs from a more popular one in exactly one slot.
    #[getter]
    fn near_miss(&self) -> bool {
        self.core.near_miss
    }

    /// What is asked about, as in ``scope1``.
    #[getter]
    fn topic(&self) -> &str {
        &self.core.topic
    }

    /// The ISO 639-1 code.
    #[getter]
    fn language(&self) -> &str {
        &self.core.language
    }

    /// The conversation it belongs to.
    #[getter]
    fn session(&self) -> Option<u64> {
        self.core.session
    }

    /// Its turn in the conversation, from 0.
    #[getter]
    fn turn(&self) -> u32 {
        self.core.turn
    }

    /// About how many tokens go in, at four bytes a token.
    #[getter]
    fn input_tokens(&self) -> u64 {
        self.core.input_tokens
    }

    /// How many tokens are to come out.
    #[getter]
    fn output_tokens(&self) -> u64 {
        self.core.output_tokens
    }

    /// One line of JSON.
    fn to_json(&self) -> String {
        self.core.to_json()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core == other.core
    }

    fn __hash__(&self) -> u64 {
        let hash = headrace::load::request::digest([&*self.core]);
        hash.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
    }

    fn __repr__(&self) -> String {
        let LoadRequest { prompt, tenant, priority, answer_key, .. } = &*self.core;
        let priority = priority.name();
        format!("Request({prompt:?}, tenant={tenant:?}, priority={priority:?}, answer_key={answer_key:?})")
    }
}

/// The turns before the prompt; the last user message given is the prompt itself.
fn history(given: &[Bound<'_, PyDict>]) -> Result<Vec<HistoryMessage>> {
    let mut turns = Vec::with_capacity(given.len());
    for message in given {
        let field = |name: &str| -> Result<String> {
            let value = message.get_item(name)?;
            let text = value.and_then(|value| value.cast_into::<PyString>().ok());
            let missing = || Error::invalid(format!("a message needs a string {name:?}"));
            Ok(text.ok_or_else(missing)?.to_str()?.to_owned())
        };
        let role = match field("role")?.as_str() {
            "system" => "system",
            "user" => "user",
            "assistant" => "assistant",
            other => {
                let text = format!("role {other:?} is unknown: give system, user or assistant");
                return Err(Error::invalid(text).into());
            }
        };
        turns.push(HistoryMessage { role, content: field("content")? });
    }
    Ok(turns)
}

/// Names given one by one, or how many.
#[derive(FromPyObject)]
enum Tenants {
    Count(usize),
    Names(Vec<String>),
}

/// An endless, seeded stream of ESG questions; iterating begins anew each time.
///
/// Args:
///     seed: The same seed gives the same requests, byte for byte.
///     questions: How many different questions there are, 1 to 100,000.
///     zipf: The exponent of their popularity; 0 is uniform. Web and search queries lie between 0.6 and 1.2.
///     tenants: Their names, or how many.
///     languages: Of en, de, fr and pt, each as likely.
///     model: The model that the requests name.
///     paraphrase_share: How many requests word a question in another than the plain way.
///     near_miss_share: How many questions differ from another in exactly one slot.
///     session_share: How many requests begin a conversation.
///     session_turns: The mean number of follow-ups in one.
///     document_share: How many requests bring a document.
///     priorities: The weights of critical, high, normal and low.
///     input_lognormal: mu and sigma of a document's tokens; by default those of Azure's conversation trace of 2023.
///     output_lognormal: mu and sigma of an answer's tokens, likewise.
///     max_tokens: No length goes above this.
///
/// Raises:
///     ValueError: A setting is out of its range.
///
/// Example:
///     >>> [request.index for request in ESG(seed=7).take(3)]
///     [0, 1, 2]
#[pyclass(frozen, module = "headrace._core.load", name = "ESG")]
pub(crate) struct PyEsg {
    start: Esg,
    seed: u64,
}

impl PyEsg {
    pub(crate) fn stream(&self) -> Esg {
        self.start.clone()
    }
}

#[pymethods]
impl PyEsg {
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // one for each keyword, as Python gives them
    #[new]
    #[pyo3(signature = (*, seed=0, questions=1000, zipf=1.1, tenants=Tenants::Count(3), languages=vec!["en".to_owned()],
                        model=None, paraphrase_share=0.5, near_miss_share=0.4, session_share=0.0, session_turns=2.0,
                        document_share=0.0, priorities=(0.05, 0.15, 0.6, 0.2), input_lognormal=(6.63, 0.99),
                        output_lognormal=(5.02, 0.86), max_tokens=8192))]
    fn new(
        seed: u64,
        questions: usize,
        zipf: f64,
        tenants: Tenants,
        languages: Vec<String>,
        model: Option<String>,
        paraphrase_share: f64,
        near_miss_share: f64,
        session_share: f64,
        session_turns: f64,
        document_share: f64,
        priorities: (f64, f64, f64, f64),
        input_lognormal: (f64, f64),
        output_lognormal: (f64, f64),
        max_tokens: u64,
    ) -> Result<Self> {
        let tenants = match tenants {
            Tenants::Count(count) => tenant_names(count)?,
            Tenants::Names(names) => names,
        };
        let languages = languages.iter().map(|code| WorkloadLanguage::parse(code)).collect::<headrace::Result<_>>()?;
        let config = EsgConfig {
            seed,
            questions,
            zipf,
            tenants,
            languages,
            model,
            paraphrase_share,
            near_miss_share,
            session_share,
            session_turns,
            document_share,
            priorities: [priorities.0, priorities.1, priorities.2, priorities.3],
            input_lognormal,
            output_lognormal,
            max_tokens,
        };
        Ok(Self { start: Esg::new(config)?, seed })
    }

    /// The seed.
    #[getter]
    fn seed(&self) -> u64 {
        self.seed
    }

    fn __iter__(&self) -> EsgIterator {
        EsgIterator { stream: Mutex::new(self.stream()) }
    }

    /// The first ``n`` requests.
    fn take(&self, py: Python<'_>, n: usize) -> Vec<PyRequest> {
        py.detach(|| self.stream().take(n).map(PyRequest::from).collect())
    }

    /// The BLAKE3 digest of the first ``n`` requests as JSON lines.
    fn digest(&self, py: Python<'_>, n: usize) -> String {
        py.detach(|| headrace::load::request::digest(self.stream().take(n).collect::<Vec<_>>().iter()))
    }

    /// Writes the first ``n`` requests as JSON lines.
    fn to_jsonl(&self, py: Python<'_>, path: PathBuf, n: usize) -> PyResult<()> {
        py.detach(|| {
            let mut file = BufWriter::new(File::create(path)?);
            for request in self.stream().take(n) {
                writeln!(file, "{}", request.to_json())?;
            }
            Ok(file.flush()?)
        })
    }
}

/// The requests of an ESG workload, one by one, without end.
#[pyclass(frozen, module = "headrace._core.load")]
struct EsgIterator {
    stream: Mutex<Esg>,
}

#[pymethods]
impl EsgIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self) -> Option<PyRequest> {
        self.stream.lock().next().map(PyRequest::from)
    }
}

/// Where the requests of a run come from.
pub(crate) fn source(given: &Bound<'_, PyAny>) -> PyResult<Box<dyn Iterator<Item = Arc<LoadRequest>> + Send>> {
    if let Ok(esg) = given.cast::<PyEsg>() {
        return Ok(Box::new(esg.get().stream().map(Arc::new)));
    }
    let mut requests = Vec::new();
    for item in given.try_iter()? {
        let item = item?;
        if let Ok(request) = item.cast::<PyRequest>() {
            requests.push(Arc::clone(&request.get().core));
        } else if let Ok(prompt) = item.cast::<PyString>() {
            requests.push(Arc::new(LoadRequest::new(prompt.to_str()?)));
        } else {
            let kind = item.get_type();
            return Err(PyTypeError::new_err(format!("a request is a {}: give a Request or a str", kind.name()?)));
        }
    }
    if requests.is_empty() {
        return Err(crate::error::to_py(&Error::invalid("the workload is empty: give at least one request")));
    }
    Ok(Box::new(requests.into_iter().cycle()))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRequest>()?;
    module.add_class::<PyEsg>()?;
    module.add_class::<EsgIterator>()
}
