//! `headrace._core.cache`: the semantic cache for Python. The asyncio twins are in `headrace/cache.py`.

#![allow(clippy::doc_markdown, reason = "docstrings of Python")]

pub(crate) mod arguments;
mod calibration;
pub(crate) mod explanation;
mod flight;
mod hit;

use crate::error::Result;
use crate::payload;
use crate::verify::VerifierArgument;
use arguments::{Matrix, Vector, cost_from_py, cost_to_py, duration, scope_from_py};
use calibration::Calibration;
use explanation::{Explanation, Explanations};
use flight::{Flight, PyFlights};
use headrace::cache::policy::PolicyConfig;
use headrace::cache::{self, CacheConfig, EntryKey, InsertRequest, LabelledPair, LookupRequest, Selection};
use headrace::{Error, Payload};
use hit::CacheHit;
use numpy::PyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// Answers by question: exact repeats, and similar questions that ask the same.
///
/// A lookup first looks for the same prompt. Otherwise the prompt's vector is compared with all of the same tenant
/// and scope, exactly and not approximately; of the entries at or above the threshold, nearest first, the first that
/// passes the guards serves. Where a verifier reads, the guards compare the facts alone, and of the nearest that pass,
/// the best verified one serves. All methods can be called from many threads at once.
///
/// Args:
///     embedder: A callable ``list[str] -> array (n, dim)``, plain or async, or one of `headrace.embedders`. None
///         finds exact repeats only, unless ``embedding=`` is given.
///     threshold: The least cosine similarity of a candidate, -1 to 1. None is what the embedder recommends where
///         guards are on, else 0.85; with a verifier, less.
///     max_error_rate: Of the answers served for similar questions at most this share is wrong, with a confidence
///         of 95 %: nothing is served until the evidence says so. None serves every candidate that passes the guards.
///     guards: True for the standard guards, False for none, or a `Guards`.
///     verifier: What reads the questions whose facts agree: ``"local"`` for the small model in the package, one of
///         `headrace.verifiers`, a function of a list of pairs, or a list of these, cheap to dear. Where it is not
///         given: ``"local"`` with guards in an optimised build, else none. None for none: the guards then compare the
///         wording too.
///     ttl: Seconds that an entry serves, or a timedelta. None is for ever.
///     stale_while_revalidate: Seconds after its end that an entry still serves, with ``hit.is_stale``.
///     max_entries: The most entries.
///     max_bytes: The most bytes that entries take in memory, vectors included.
///     url: ``memory://``; ``sqlite:///FILE`` for a cache that opens with what it held; ``redis://HOST``, ``rediss://``,
///         ``redis+cluster://``, ``redis+sentinel://`` or ``upstash://`` for one that processes on many machines share
///         (see docs/redis.md).
///
/// Raises:
///     ConfigError: A setting is unknown or out of its range.
///     StoreError: The file cannot be opened, or was written by something else.
///
/// Example:
///     >>> cache = headrace.SemanticCache(headrace.embedders.static())
///     >>> key = cache.put("What were the Scope 1 emissions in 2023?", "12,400 tCO2e")
///     >>> cache.get("Scope 1 emissions 2023, what were they?").response
///     '12,400 tCO2e'
///     >>> cache.get("What were the Scope 1 emissions in 2024?") is None
///     True
#[pyclass(frozen, subclass, module = "headrace._core.cache")]
pub(crate) struct SemanticCache {
    pub(crate) core: cache::SemanticCache,
    flights: PyFlights,
}

#[pymethods]
impl SemanticCache {
    #[new]
    #[pyo3(signature = (embedder=None, *, threshold=None, max_error_rate=None, guards=None,
                        verifier=VerifierArgument::Default, ttl=None, stale_while_revalidate=None, max_entries=None, max_bytes=None, url="memory://"))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one constructor")]
    fn new(
        py: Python<'_>,
        embedder: Option<&Bound<'_, PyAny>>,
        threshold: Option<f64>,
        max_error_rate: Option<f64>,
        guards: Option<&Bound<'_, PyAny>>,
        verifier: VerifierArgument<'_>,
        ttl: Option<&Bound<'_, PyAny>>,
        stale_while_revalidate: Option<&Bound<'_, PyAny>>,
        max_entries: Option<usize>,
        max_bytes: Option<usize>,
        url: &str,
    ) -> Result<Self> {
        let mut config = CacheConfig {
            url: url.to_owned(),
            threshold,
            policy: max_error_rate.map(|max_error_rate| PolicyConfig { max_error_rate, ..PolicyConfig::default() }),
            ttl: duration(ttl, "ttl")?,
            stale_while_revalidate: duration(stale_while_revalidate, "stale_while_revalidate")?.unwrap_or_default(),
            max_entries,
            max_bytes,
            clock: crate::clock::current(),
            ..CacheConfig::default()
        };
        config.embedder = embedder.filter(|object| !object.is_none()).map(crate::embed::embedder).transpose()?;
        config.guards = guards_from_py(guards, &config)?;
        config.verifiers = verifier.verifiers(py, config.guards.is_some())?;
        let core = py.detach(|| cache::SemanticCache::open(config))?;
        Ok(Self { core, flights: PyFlights::default() })
    }

    /// Stores an answer, in place of one for the same prompt, tenant and scope.
    ///
    /// Args:
    ///     prompt: The question. An empty one is not stored.
    ///     response: The answer: any JSON value, or bytes.
    ///     embedding: The prompt's vector, instead of the embedder's. Need not be of unit length; a contiguous
    ///         float32 array is not copied.
    ///     scope: What must be equal for the answer to serve: a string or a JSON value.
    ///     tenant: Whose it is: two tenants never share an entry.
    ///     tags: Names by which it can be invalidated.
    ///     ttl: Seconds that it serves, or a timedelta, instead of the cache's own.
    ///     cost: What the answer cost, in dollars: what a hit saves, and a weight at eviction.
    ///
    /// Returns:
    ///     The entry's key: 64 hexadecimal digits. None for an empty prompt.
    ///
    /// Raises:
    ///     EmbeddingError: The vector is zero, not finite, not one-dimensional or of another dimension, or the
    ///         embedder failed. Nothing has changed.
    ///     StoreError: A durable cache's file did not take it.
    #[pyo3(signature = (prompt, response, *, embedding=None, scope=None, tenant="default", tags=Vec::new(), ttl=None,
                        cost=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn put(
        &self,
        py: Python<'_>,
        prompt: &str,
        response: &Bound<'_, PyAny>,
        embedding: Option<&Bound<'_, PyAny>>,
        scope: Option<&Bound<'_, PyAny>>,
        tenant: &str,
        tags: Vec<String>,
        ttl: Option<&Bound<'_, PyAny>>,
        cost: Option<&Bound<'_, PyAny>>,
    ) -> Result<Option<String>> {
        let vector = embedding.map(Vector::from_py).transpose()?;
        let scope = scope_from_py(scope)?;
        let request = InsertRequest {
            prompt,
            response: payload::from_py(response)?,
            embedding: vector.as_ref().map(Vector::as_slice),
            scope: scope.as_deref(),
            tenant,
            tags: &tags,
            ttl: duration(ttl, "ttl")?,
            cost: cost_from_py(cost)?,
        };
        let keys = py.detach(|| self.core.insert_and_keep(vec![request]))?;
        Ok(keys.into_iter().flatten().next().map(|key| key.to_string()))
    }

    /// `put` for many: all are stored, or none.
    ///
    /// Args:
    ///     prompts: The questions.
    ///     responses: An answer for each.
    ///     embeddings: An array of shape (n, dim), instead of the embedder's.
    ///     scope: Of all.
    ///     tenant: Of all.
    ///     tags: Of all.
    ///     ttl: Of all.
    ///     cost: Of each.
    #[pyo3(signature = (prompts, responses, *, embeddings=None, scope=None, tenant="default", tags=Vec::new(), ttl=None,
                        cost=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn put_many(
        &self,
        py: Python<'_>,
        prompts: Vec<String>,
        responses: &Bound<'_, PyAny>,
        embeddings: Option<&Bound<'_, PyAny>>,
        scope: Option<&Bound<'_, PyAny>>,
        tenant: &str,
        tags: Vec<String>,
        ttl: Option<&Bound<'_, PyAny>>,
        cost: Option<&Bound<'_, PyAny>>,
    ) -> Result<Vec<Option<String>>> {
        let matrix = embeddings.map(Matrix::from_py).transpose()?;
        let responses = responses.try_iter()?.map(|item| payload::from_py(&item?)).collect::<PyResult<Vec<_>>>()?;
        same_length(prompts.len(), "responses", responses.len())?;
        let rows = matrix.as_ref().map(Matrix::rows);
        if let Some(rows) = &rows {
            same_length(prompts.len(), "embeddings", rows.len())?;
        }
        let scope = scope_from_py(scope)?;
        let (ttl, cost) = (duration(ttl, "ttl")?, cost_from_py(cost)?);
        let request = |(place, response): (usize, Payload)| InsertRequest {
            prompt: &prompts[place],
            response,
            embedding: rows.as_ref().map(|rows| rows[place]),
            scope: scope.as_deref(),
            tenant,
            tags: &tags,
            ttl,
            cost,
        };
        let requests = responses.into_iter().enumerate().map(request).collect();
        let keys = py.detach(|| self.core.insert_and_keep(requests))?;
        Ok(keys.into_iter().map(|key| key.map(|key| key.to_string())).collect())
    }

    /// The entry that serves, or None.
    ///
    /// Args:
    ///     prompt: The question. An empty one is a miss.
    ///     embedding: Its vector, instead of the embedder's.
    ///     scope: What must be equal.
    ///     tenant: Who asks.
    ///     threshold: The least cosine, instead of the cache's own.
    ///
    /// Raises:
    ///     EmbeddingError: As for `put`.
    #[pyo3(signature = (prompt, *, embedding=None, scope=None, tenant="default", threshold=None))]
    fn get(
        &self,
        py: Python<'_>,
        prompt: &str,
        embedding: Option<&Bound<'_, PyAny>>,
        scope: Option<&Bound<'_, PyAny>>,
        tenant: &str,
        threshold: Option<f64>,
    ) -> Result<Option<CacheHit>> {
        let vector = embedding.map(Vector::from_py).transpose()?;
        let scope = scope_from_py(scope)?;
        let embedding = vector.as_ref().map(Vector::as_slice);
        let request = LookupRequest { prompt, embedding, scope: scope.as_deref(), tenant, threshold };
        if let Some(embedding) = embedding {
            self.core.check_embedding(embedding)?;
        }
        self.catch_up(py);
        if let Some(core) = self.core.lookup_exact(&request) {
            return Ok(Some(CacheHit { core }));
        }
        let hit = py.detach(|| self.core.lookup(&request))?;
        Ok(hit.map(|core| CacheHit { core }))
    }

    /// `get` for many, faster than one by one.
    ///
    /// Args:
    ///     prompts: The questions. None: nothing is known but their vectors, so that similarity decides alone.
    ///     embeddings: An array of shape (n, dim), instead of the embedder's.
    ///     scope: Of all.
    ///     tenant: Of all.
    ///     threshold: Of all.
    #[pyo3(signature = (prompts=None, *, embeddings=None, scope=None, tenant="default", threshold=None))]
    fn get_many(
        &self,
        py: Python<'_>,
        prompts: Option<Vec<String>>,
        embeddings: Option<&Bound<'_, PyAny>>,
        scope: Option<&Bound<'_, PyAny>>,
        tenant: &str,
        threshold: Option<f64>,
    ) -> Result<Vec<Option<CacheHit>>> {
        let matrix = embeddings.map(Matrix::from_py).transpose()?;
        let rows = matrix.as_ref().map(Matrix::rows);
        let scope = scope_from_py(scope)?;
        let wrap = |hits: Vec<Option<cache::CacheHit>>| {
            hits.into_iter().map(|hit| hit.map(|core| CacheHit { core })).collect()
        };
        let prompts = match (&prompts, &rows) {
            (None, None) => return Err(PyTypeError::new_err("get_many needs prompts, embeddings, or both").into()),
            (None, Some(rows)) => {
                let look = || self.core.lookup_vectors(rows, scope.as_deref(), tenant, threshold);
                return Ok(wrap(py.detach(look)?));
            }
            (Some(prompts), _) => prompts,
        };
        if let Some(rows) = &rows {
            same_length(prompts.len(), "embeddings", rows.len())?;
        }
        let request = |(place, prompt)| LookupRequest {
            prompt,
            embedding: rows.as_ref().map(|rows| rows[place]),
            scope: scope.as_deref(),
            tenant,
            threshold,
        };
        let requests: Vec<_> = prompts.iter().map(String::as_str).enumerate().map(request).collect();
        let hits = py.detach(|| self.core.lookup_many(&requests))?;
        Ok(wrap(hits))
    }

    /// The nearest entries, and what each judge says of them: threshold, guard, verifier, policy, expiry, feedback.
    ///
    /// Counts nothing, and asks no model that costs money: of such a verifier it says what it has found before.
    ///
    /// Where the tenant has no entry in the scope asked for, it says how many other scopes hold.
    ///
    /// Args:
    ///     prompt: As for `get`.
    ///     embedding: As for `get`.
    ///     scope: As for `get`.
    ///     tenant: As for `get`.
    ///     threshold: As for `get`.
    ///     limit: How many entries.
    #[pyo3(signature = (prompt, *, embedding=None, scope=None, tenant="default", threshold=None, limit=5))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one method")]
    fn explain(
        &self,
        py: Python<'_>,
        prompt: &str,
        embedding: Option<&Bound<'_, PyAny>>,
        scope: Option<&Bound<'_, PyAny>>,
        tenant: &str,
        threshold: Option<f64>,
        limit: usize,
    ) -> Result<Explanations> {
        let vector = embedding.map(Vector::from_py).transpose()?;
        let scope = scope_from_py(scope)?;
        let embedding = vector.as_ref().map(Vector::as_slice);
        let request = LookupRequest { prompt, embedding, scope: scope.as_deref(), tenant, threshold };
        Ok(py.detach(|| self.core.explain(&request, limit))?.into())
    }

    /// Learns whether a hit answered rightly. A wrong entry serves no more, until it is stored anew.
    ///
    /// Args:
    ///     hit: What `get` returned.
    ///     correct: Whether it was right.
    #[pyo3(signature = (hit, correct))]
    fn feedback(&self, py: Python<'_>, hit: &CacheHit, correct: bool) -> Result<()> {
        Ok(py.detach(|| self.core.feedback(&hit.core, correct).and_then(|()| self.core.flush()))?)
    }

    /// The threshold that labelled pairs support. Changes nothing.
    ///
    /// Args:
    ///     pairs: Two questions, and whether one answer serves both.
    ///     max_error_rate: The largest allowed share of wrong answers among those served.
    ///     confidence: How sure that must be.
    ///
    /// Raises:
    ///     ConfigError: The cache has no embedder.
    ///     ValueError: A rate is not between 0 and 1.
    #[pyo3(signature = (pairs, max_error_rate=0.01, *, confidence=0.95))]
    fn calibrate(
        &self,
        py: Python<'_>,
        pairs: Vec<(String, String, bool)>,
        max_error_rate: f64,
        confidence: f64,
    ) -> Result<Calibration> {
        let labelled: Vec<_> =
            pairs.iter().map(|(asked, stored, same)| LabelledPair { asked, stored, same: *same }).collect();
        let core = py.detach(|| self.core.calibrate(&labelled, max_error_rate, confidence))?;
        Ok(Calibration { core })
    }

    /// Writes all entries to a file, and returns how many those were. `SemanticCache.load` reads it.
    ///
    /// Args:
    ///     path: The file; one that is there is replaced.
    fn save(&self, py: Python<'_>, path: PathBuf) -> Result<usize> {
        Ok(py.detach(|| self.core.save(&path))?)
    }

    /// Adds the entries of a saved cache.
    fn _load(&self, py: Python<'_>, path: PathBuf) -> Result<usize> {
        Ok(py.detach(|| self.core.load(&path))?)
    }

    /// Writes a durable cache's file anew, so that nothing is left in it of what was dropped.
    fn compact(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.core.compact())?)
    }

    /// Drops the entries whose time is over, and returns how many those were.
    fn purge_expired(&self, py: Python<'_>) -> Result<usize> {
        Ok(py.detach(|| {
            let count = self.core.purge_expired();
            self.core.flush().map(|()| count)
        })?)
    }

    /// Drops an entry; False where there is none of that key.
    ///
    /// Args:
    ///     key: What `put` returned.
    fn delete(&self, py: Python<'_>, key: &str) -> Result<bool> {
        let key = EntryKey::parse(key)?;
        Ok(py.detach(|| self.core.delete(&key))?)
    }

    /// Drops the entries for which all that is given holds, and returns how many those were.
    ///
    /// Args:
    ///     tenant: Of this tenant.
    ///     tag: With this tag.
    ///     scope: Of this scope.
    ///     older_than: Stored at least so many seconds ago.
    ///
    /// Raises:
    ///     ValueError: Nothing is given: see `clear`.
    #[pyo3(signature = (*, tenant=None, tag=None, scope=None, older_than=None))]
    fn invalidate(
        &self,
        py: Python<'_>,
        tenant: Option<&str>,
        tag: Option<&str>,
        scope: Option<&Bound<'_, PyAny>>,
        older_than: Option<&Bound<'_, PyAny>>,
    ) -> Result<usize> {
        let scope = scope_from_py(scope)?;
        let older_than = duration(older_than, "older_than")?;
        let selection = Selection { tenant, tag, scope: scope.as_deref(), older_than };
        Ok(py.detach(|| self.core.invalidate(&selection))?)
    }

    /// Drops everything; the next vector may have another dimension.
    fn clear(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.core.clear())?)
    }

    /// What was counted since the cache was opened: entries, bytes, hits, misses, hit rate, saved cost, and more.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.catch_up(py);
        let stats = self.core.stats();
        let counts = PyDict::new(py);
        for (name, count) in [
            ("entries", stats.entries),
            ("bytes", stats.bytes),
            ("partitions", stats.partitions),
            ("exact_hits", stats.exact_hits),
            ("semantic_hits", stats.semantic_hits),
            ("stale_hits", stats.stale_hits),
            ("misses", stats.misses),
            ("blocked", stats.blocked),
            ("inserts", stats.inserts),
            ("evictions", stats.evictions),
            ("expirations", stats.expirations),
            ("rejections", stats.rejections),
            ("damaged", stats.damaged),
            ("unkept", stats.unkept),
            ("verifications", stats.verifications()),
            ("verified_same", stats.verified_same),
            ("verified_different", stats.verified_different),
            ("verified_unsure", stats.verified_unsure),
            ("verified_hits", stats.verified_hits),
            ("verifier_failures", stats.verifier_failures),
            ("verifier_calls", stats.verifier_calls),
        ] {
            counts.set_item(name, count)?;
        }
        let hits = stats.exact_hits + stats.semantic_hits;
        let asked = hits + stats.misses;
        counts.set_item("hit_rate", if asked == 0 { 0.0 } else { hits as f64 / asked as f64 })?;
        counts.set_item("saved_cost", cost_to_py(py, i128::from(stats.saved_nanodollars) * 1_000_000_000)?)?;
        counts.set_item("verifier_seconds", stats.verifier_time.as_secs_f64())?;
        counts.set_item("verifier_cost", cost_to_py(py, stats.verifier_cost)?)?;
        let saved = i128::from(stats.verified_saved_nanodollars) * 1_000_000_000;
        counts.set_item("verified_saved_cost", cost_to_py(py, saved)?)?;
        Ok(counts)
    }

    /// The least cosine of a candidate, where a lookup names none.
    #[getter]
    fn threshold(&self) -> f64 {
        self.core.config().effective_threshold()
    }

    /// The names of the verifiers, in the order in which they are asked.
    #[getter]
    fn verifiers(&self) -> Vec<String> {
        self.core.config().verifiers.iter().map(|verifier| verifier.name().to_owned()).collect()
    }

    /// The dimension of the vectors; None before the first.
    #[getter]
    fn dimension(&self) -> Option<usize> {
        self.core.dimension()
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.catch_up(py);
        self.core.len()
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> String {
        let stats = self.core.stats();
        let hits = stats.exact_hits + stats.semantic_hits;
        format!(
            "SemanticCache({} entries, {:.1} MB, {hits} hits, {} misses, threshold {}, {}{})",
            stats.entries,
            stats.bytes as f64 / 1e6,
            stats.misses,
            self.core.config().effective_threshold(),
            self.core.config().embedder.as_ref().map_or("no embedder", |embedder| embedder.name()),
            self.verifiers().iter().map(|name| format!(", verifier {name}")).collect::<String>(),
        )
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let mut rows = String::new();
        for (name, value) in self.stats(py)? {
            let name: String = name.extract()?;
            rows += &format!("<tr><td>{}</td><td style=\"text-align:right\">{value}</td></tr>", name.replace('_', " "));
        }
        Ok(format!("<table><caption>SemanticCache</caption>{rows}</table>"))
    }

    /// Whether the exact repeat of a prompt would be served; counts nothing.
    #[pyo3(signature = (prompt, scope, tenant))]
    fn _holds(&self, py: Python<'_>, prompt: &str, scope: Option<&Bound<'_, PyAny>>, tenant: &str) -> Result<bool> {
        self.catch_up(py);
        let scope = scope_from_py(scope)?;
        let request = LookupRequest { scope: scope.as_deref(), tenant, ..LookupRequest::new(prompt) };
        Ok(self.core.holds(&request))
    }

    /// The exact repeat of a prompt; counts no miss.
    #[pyo3(signature = (prompt, scope, tenant))]
    fn _exact(
        &self,
        py: Python<'_>,
        prompt: &str,
        scope: Option<&Bound<'_, PyAny>>,
        tenant: &str,
    ) -> Result<Option<CacheHit>> {
        self.catch_up(py);
        let scope = scope_from_py(scope)?;
        let request = LookupRequest { scope: scope.as_deref(), tenant, ..LookupRequest::new(prompt) };
        Ok(self.core.lookup_exact(&request).map(|core| CacheHit { core }))
    }

    /// The prompt's vector; None without an embedder.
    fn _embed<'py>(&self, py: Python<'py>, prompt: &str) -> Result<Option<Bound<'py, PyArray1<f32>>>> {
        let vector = py.detach(|| self.core.embed(prompt))?;
        Ok(vector.map(|vector| PyArray1::from_vec(py, vector)))
    }

    /// This caller's part in computing an answer.
    #[pyo3(signature = (prompt, scope, tenant))]
    fn _join(&self, prompt: &str, scope: Option<&Bound<'_, PyAny>>, tenant: &str) -> PyResult<Flight> {
        let scope = scope_from_py(scope)?;
        Ok(Flight::new(self.flights.join(EntryKey::of(tenant, scope.as_deref(), prompt))))
    }
}

impl SemanticCache {
    /// Reads what other processes changed, where it is time to: without the GIL, for it may wait for a disk.
    fn catch_up(&self, py: Python<'_>) {
        if self.core.is_behind() {
            py.detach(|| self.core.catch_up());
        }
    }
}

fn same_length(prompts: usize, name: &str, given: usize) -> Result<()> {
    if prompts == given {
        return Ok(());
    }
    Err(Error::invalid(format!("{prompts} prompts and {given} {name}: give one a prompt")).into())
}

/// `True` or nothing: the standard guards; `False`: none; a `Guards`: those.
fn guards_from_py(given: Option<&Bound<'_, PyAny>>, config: &CacheConfig) -> PyResult<Option<cache::guard::Guards>> {
    let standard = || {
        let own = config.embedder.as_ref().and_then(|embedder| embedder.word_vectors());
        let vectors = own.unwrap_or_else(|| std::sync::Arc::new(crate::embed::InstalledVectors));
        cache::guard::Guards::standard().with_vectors(Some(vectors))
    };
    let Some(given) = given.filter(|given| !given.is_none()) else { return Ok(Some(standard())) };
    if let Ok(on) = given.extract::<bool>() {
        return Ok(on.then(standard));
    }
    match given.cast::<crate::guard::PyGuards>() {
        Ok(own) => Ok(Some(own.get().core.clone())),
        Err(_) => Err(PyTypeError::new_err(format!(
            "guards must be True, False or a Guards, not {}",
            given.get_type().name()?
        ))),
    }
}

/// The prompt and the scope of a conversation: see `headrace.scope`.
#[pyfunction]
#[pyo3(signature = (messages, model=None, parameters=None))]
fn scope_of<'py>(
    py: Python<'py>,
    messages: &Bound<'py, PyAny>,
    model: Option<&str>,
    parameters: Option<&Bound<'py, PyAny>>,
) -> Result<(String, Bound<'py, PyAny>)> {
    let list = match payload::body_from_py(messages)? {
        serde_json::Value::Array(list) => list,
        other => return Err(Error::invalid(format!("messages must be a list, not {other}")).into()),
    };
    let parameters = parameters.map_or(Ok(serde_json::Value::Null), |given| payload::body_from_py(given))?;
    let (prompt, scope) = cache::scope::of_messages(&list, model, &parameters)?;
    let scope = payload::to_py(py, &Payload::Json(scope.into()))?;
    Ok((prompt, scope))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SemanticCache>()?;
    module.add_class::<CacheHit>()?;
    module.add_class::<Explanation>()?;
    module.add_class::<Explanations>()?;
    module.add_class::<Calibration>()?;
    module.add_class::<Flight>()?;
    module.add_function(wrap_pyfunction!(hit::_rebuild_hit, module)?)?;
    module.add_function(wrap_pyfunction!(scope_of, module)?)
}
