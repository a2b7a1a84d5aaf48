//! `headrace._core.embed`: the static embedder, and any Python callable as an embedder of the core.

#![allow(clippy::doc_markdown, reason = "docstrings of Python")]

use crate::error::{Result, to_py};
use headrace::Error;
use headrace::embed::{Embedder, StaticEmbedder, WordVectors};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Static word vectors from two local files: the mean of a text's token rows, of unit length.
///
/// Reads the formats of wordllama and Model2Vec. Works without the GIL, in threads and after a fork, and can be
/// pickled (by the paths of its files). :func:`headrace.embedders.static` finds the files for you.
///
/// Args:
///     weights: A safetensors file with the rows.
///     tokenizer: The tokenizer's JSON file.
///
/// Raises:
///     ConfigError: A file is missing, or of another format.
#[pyclass(frozen, module = "headrace._core.embed", name = "StaticEmbedder")]
pub(crate) struct PyStaticEmbedder {
    pub(crate) core: StaticEmbedder,
    weights: PathBuf,
    tokenizer: PathBuf,
}

#[pymethods]
impl PyStaticEmbedder {
    #[new]
    fn new(py: Python<'_>, weights: PathBuf, tokenizer: PathBuf) -> Result<Self> {
        let core = py.detach(|| StaticEmbedder::open(&weights, &tokenizer))?;
        Ok(Self { core, weights, tokenizer })
    }

    /// What tells these vectors from others.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// How many numbers a vector has.
    #[getter]
    fn dimension(&self) -> usize {
        self.core.dimension()
    }

    /// The cosine from which a cache with guards takes an entry for a candidate.
    #[getter]
    fn recommended_threshold(&self) -> Option<f32> {
        self.core.recommended_threshold()
    }

    /// A row of unit length for each text; zeros for a text without a token.
    ///
    /// Raises:
    ///     EmbeddingError: The tokenizer cannot read a text.
    fn __call__<'py>(&self, py: Python<'py>, texts: Vec<String>) -> Result<Bound<'py, PyArray2<f32>>> {
        let dimension = self.core.dimension();
        let flat = py.detach(|| {
            let mut flat = vec![0.0; texts.len() * dimension];
            for (text, row) in texts.iter().zip(flat.chunks_exact_mut(dimension)) {
                self.core.embed_into(text, row)?;
            }
            Ok::<_, Error>(flat)
        })?;
        Ok(PyArray1::from_vec(py, flat).reshape([texts.len(), dimension])?)
    }

    fn __repr__(&self) -> String {
        format!("StaticEmbedder({:?}, dimension={})", self.core.name(), self.core.dimension())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (PathBuf, PathBuf)) {
        let this = slf.get();
        (slf.get_type().into_any(), (this.weights.clone(), this.tokenizer.clone()))
    }
}

/// A Python callable `list[str] -> array (n, dim)`, plain or async.
struct Callable {
    name: String,
    recommended: Option<f32>,
    function: Py<PyAny>,
}

/// The embedder behind a Python object: the static one without a way through Python, any other callable by calling it.
pub(crate) fn embedder(object: &Bound<'_, PyAny>) -> PyResult<Arc<dyn Embedder>> {
    if let Ok(known) = object.cast::<PyStaticEmbedder>() {
        return Ok(Arc::new(known.get().core.clone()));
    }
    if !object.is_callable() {
        let kind = object.get_type();
        return Err(to_py(&Error::Config(format!(
            "the embedder is a {}: give a callable that takes a list of texts and returns an array (n, dim), \
             or one of headrace.embedders",
            kind.name()?
        ))));
    }
    let name = match object.getattr("name").and_then(|name| name.extract()) {
        Ok(name) => name,
        Err(_) => object.getattr("__qualname__").and_then(|name| name.extract()).unwrap_or_else(|_| "callable".into()),
    };
    let recommended = object.getattr("recommended_threshold").ok().and_then(|value| value.extract().ok());
    Ok(Arc::new(Callable { name, recommended, function: object.clone().unbind() }))
}

/// The word vectors of the static embedder where its files are installed, read at their first use: the guards' own
/// beside any other embedder.
#[derive(Debug)]
pub(crate) struct InstalledVectors;

impl InstalledVectors {
    fn find() -> Option<&'static Arc<dyn WordVectors>> {
        static FOUND: OnceLock<Option<Arc<dyn WordVectors>>> = OnceLock::new();
        let find = |py: Python<'_>| {
            let found = py.import("headrace.embedders").and_then(|module| module.call_method0("static")).ok()?;
            embedder(&found).ok()?.word_vectors()
        };
        // Whoever waits for the first use must not hold the GIL that the first use needs.
        FOUND
            .get()
            .unwrap_or_else(|| {
                Python::attach(|py| {
                    let found = find(py);
                    py.detach(|| FOUND.get_or_init(|| found))
                })
            })
            .as_ref()
    }
}

impl WordVectors for InstalledVectors {
    fn is_available(&self) -> bool {
        Self::find().is_some()
    }

    fn vector(&self, word: &str) -> Option<Box<[f32]>> {
        Self::find()?.vector(word)
    }

    fn weight(&self, word: &str) -> Option<f32> {
        Self::find()?.weight(word)
    }
}

impl Callable {
    fn call(&self, py: Python<'_>, texts: &[&str]) -> PyResult<Vec<Vec<f32>>> {
        let returned = self.function.bind(py).call1((PyList::new(py, texts)?,))?;
        let array = py.import("headrace.embedders")?.getattr("as_rows")?.call1((returned, texts.len()))?;
        let rows: PyReadonlyArray2<'_, f32> = array.cast::<PyArray2<f32>>().map_err(PyErr::from)?.readonly();
        Ok(rows.as_array().rows().into_iter().map(|row| row.to_vec()).collect())
    }
}

impl Embedder for Callable {
    fn name(&self) -> &str {
        &self.name
    }

    fn embed(&self, texts: &[&str]) -> headrace::Result<Vec<Vec<f32>>> {
        Python::attach(|py| self.call(py, texts))
            .map_err(|error| Error::Embedding(format!("the embedder {} failed: {error}", self.name)))
    }

    fn recommended_threshold(&self) -> Option<f32> {
        self.recommended
    }
}

impl Debug for Callable {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "Callable({})", self.name)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyStaticEmbedder>()
}
