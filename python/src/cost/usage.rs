//! What a call used.

use super::arguments::{Count, optional_count};
use crate::error::Result;
use headrace::Error;
use headrace::cost::price::PriceTable;
use headrace::cost::tokens;
use headrace::usage as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};

/// What a call used.
#[pyclass(frozen, eq, hash, from_py_object, module = "headrace._core.cost")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Usage {
    pub(crate) core: core::Usage,
}

#[pymethods]
impl Usage {
    #[new]
    #[pyo3(
        signature = (
            input_tokens=Count::Good(0),
            output_tokens=Count::Good(0),
            cached_input_tokens=Count::Good(0),
            cache_write_tokens=Count::Good(0),
            reasoning_tokens=Count::Good(0),
            input_audio_tokens=Count::Good(0),
            output_audio_tokens=Count::Good(0),
            service_tier=None,
            batch=false,
            requests=Count::Good(1),
            *,
            cache_write_1h_tokens=Count::Good(0),
            input_image_tokens=Count::Good(0),
            output_image_tokens=Count::Good(0),
            images=Count::Good(0),
            searches=Count::Good(0),
        ),
        text_signature = "(input_tokens=0, output_tokens=0, cached_input_tokens=0, cache_write_tokens=0, reasoning_tokens=0, input_audio_tokens=0, output_audio_tokens=0, service_tier=None, batch=False, requests=1, *, cache_write_1h_tokens=0, input_image_tokens=0, output_image_tokens=0, images=0, searches=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords of one constructor")]
    fn new(
        input_tokens: Count,
        output_tokens: Count,
        cached_input_tokens: Count,
        cache_write_tokens: Count,
        reasoning_tokens: Count,
        input_audio_tokens: Count,
        output_audio_tokens: Count,
        service_tier: Option<&str>,
        batch: bool,
        requests: Count,
        cache_write_1h_tokens: Count,
        input_image_tokens: Count,
        output_image_tokens: Count,
        images: Count,
        searches: Count,
    ) -> Result<Self> {
        let tier = service_tier.map_or(Ok(None), core::ServiceTier::parse)?;
        let core = core::Usage {
            input_tokens: input_tokens.named("input_tokens")?,
            output_tokens: output_tokens.named("output_tokens")?,
            cached_input_tokens: cached_input_tokens.named("cached_input_tokens")?,
            cache_write_tokens: cache_write_tokens.named("cache_write_tokens")?,
            reasoning_tokens: reasoning_tokens.named("reasoning_tokens")?,
            input_audio_tokens: input_audio_tokens.named("input_audio_tokens")?,
            output_audio_tokens: output_audio_tokens.named("output_audio_tokens")?,
            requests: requests.named("requests")?,
            cache_write_1h_tokens: cache_write_1h_tokens.named("cache_write_1h_tokens")?,
            input_image_tokens: input_image_tokens.named("input_image_tokens")?,
            output_image_tokens: output_image_tokens.named("output_image_tokens")?,
            images: images.named("images")?,
            searches: searches.named("searches")?,
            service_tier: if batch { Some(core::ServiceTier::Batch) } else { tier },
        };
        core.check()?;
        Ok(Self { core })
    }

    #[staticmethod]
    fn from_response(response: &Bound<'_, PyAny>) -> Result<Self> {
        let core = match text(response)? {
            Some(text) => core::Usage::from_text(&text)?,
            None => core::Usage::from_response(&reply(response)?)?,
        };
        Ok(Self { core })
    }

    #[staticmethod]
    #[pyo3(signature = (model, messages, *, max_output_tokens=None))]
    fn estimate(model: &str, messages: &Bound<'_, PyAny>, max_output_tokens: Option<Count>) -> Result<Self> {
        let messages = text_or_messages(messages)?;
        let max_output_tokens = optional_count(max_output_tokens.as_ref(), "max_output_tokens")?.unwrap_or(0);
        Ok(Self { core: tokens::estimate_usage(model, &messages, max_output_tokens) })
    }

    #[getter]
    fn total_tokens(&self) -> u64 {
        self.core.total_tokens()
    }

    #[getter]
    fn input_tokens(&self) -> u64 {
        self.core.input_tokens
    }

    #[getter]
    fn output_tokens(&self) -> u64 {
        self.core.output_tokens
    }

    #[getter]
    fn cached_input_tokens(&self) -> u64 {
        self.core.cached_input_tokens
    }

    #[getter]
    fn cache_write_tokens(&self) -> u64 {
        self.core.cache_write_tokens
    }

    #[getter]
    fn cache_write_1h_tokens(&self) -> u64 {
        self.core.cache_write_1h_tokens
    }

    #[getter]
    fn reasoning_tokens(&self) -> u64 {
        self.core.reasoning_tokens
    }

    #[getter]
    fn input_audio_tokens(&self) -> u64 {
        self.core.input_audio_tokens
    }

    #[getter]
    fn output_audio_tokens(&self) -> u64 {
        self.core.output_audio_tokens
    }

    #[getter]
    fn input_image_tokens(&self) -> u64 {
        self.core.input_image_tokens
    }

    #[getter]
    fn output_image_tokens(&self) -> u64 {
        self.core.output_image_tokens
    }

    #[getter]
    fn images(&self) -> u64 {
        self.core.images
    }

    #[getter]
    fn searches(&self) -> u64 {
        self.core.searches
    }

    #[getter]
    fn requests(&self) -> u64 {
        self.core.requests
    }

    #[getter]
    fn service_tier(&self) -> Option<&'static str> {
        self.core.service_tier.map(core::ServiceTier::as_str)
    }

    /// What `pickle` and `copy` make it of again.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let fields = PyDict::new(py);
        fields.set_item("input_tokens", self.core.input_tokens)?;
        fields.set_item("output_tokens", self.core.output_tokens)?;
        fields.set_item("cached_input_tokens", self.core.cached_input_tokens)?;
        fields.set_item("cache_write_tokens", self.core.cache_write_tokens)?;
        fields.set_item("reasoning_tokens", self.core.reasoning_tokens)?;
        fields.set_item("input_audio_tokens", self.core.input_audio_tokens)?;
        fields.set_item("output_audio_tokens", self.core.output_audio_tokens)?;
        fields.set_item("requests", self.core.requests)?;
        fields.set_item("cache_write_1h_tokens", self.core.cache_write_1h_tokens)?;
        fields.set_item("input_image_tokens", self.core.input_image_tokens)?;
        fields.set_item("output_image_tokens", self.core.output_image_tokens)?;
        fields.set_item("images", self.core.images)?;
        fields.set_item("searches", self.core.searches)?;
        fields.set_item("service_tier", self.service_tier())?;
        Ok((PyTuple::empty(py), fields))
    }

    /// The counts by name, and the tier.
    fn to_dict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(slf.py());
        for name in [
            "input_tokens",
            "output_tokens",
            "cached_input_tokens",
            "cache_write_tokens",
            "cache_write_1h_tokens",
            "reasoning_tokens",
            "input_audio_tokens",
            "output_audio_tokens",
            "input_image_tokens",
            "output_image_tokens",
            "images",
            "searches",
            "requests",
            "service_tier",
        ] {
            fields.set_item(name, slf.getattr(name)?)?;
        }
        Ok(fields)
    }

    fn __repr__(&self) -> String {
        let core = &self.core;
        let mut parts =
            vec![format!("input_tokens={}", core.input_tokens), format!("output_tokens={}", core.output_tokens)];
        let more = [
            ("cached_input_tokens", core.cached_input_tokens),
            ("cache_write_tokens", core.cache_write_tokens),
            ("cache_write_1h_tokens", core.cache_write_1h_tokens),
            ("reasoning_tokens", core.reasoning_tokens),
            ("input_audio_tokens", core.input_audio_tokens),
            ("output_audio_tokens", core.output_audio_tokens),
            ("input_image_tokens", core.input_image_tokens),
            ("output_image_tokens", core.output_image_tokens),
            ("images", core.images),
            ("searches", core.searches),
        ];
        parts.extend(more.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}={count}")));
        parts.extend((core.requests != 1).then(|| format!("requests={}", core.requests)));
        parts.extend(self.service_tier().map(|tier| format!("service_tier='{tier}'")));
        format!("Usage({})", parts.join(", "))
    }
}

/// A usage, or the text or messages of a call whose usage is estimated.
pub(crate) fn of_call(
    given: &Bound<'_, PyAny>,
    model: &str,
    max_output_tokens: Option<&Count>,
    prices: &PriceTable,
) -> Result<core::Usage> {
    let max_output_tokens: Option<u64> = optional_count(max_output_tokens, "max_output_tokens")?;
    if let Ok(usage) = given.cast::<Usage>() {
        if max_output_tokens.is_some() {
            return Err(Error::invalid("max_output_tokens is for a text: a Usage says how much output there is").into());
        }
        return Ok(usage.get().core);
    }
    let most = max_output_tokens.unwrap_or_else(|| tokens::most_output(prices, model));
    Ok(tokens::estimate_usage(model, &text_or_messages(given)?, most))
}

fn text_or_messages(given: &Bound<'_, PyAny>) -> Result<serde_json::Value> {
    match given.cast::<PyString>() {
        Ok(text) => Ok(serde_json::Value::String(text.to_str()?.to_owned())),
        Err(_) => reply(given),
    }
}

/// The text of a reply: JSON or a stream, as `str` or bytes, whole or in lines.
fn text(response: &Bound<'_, PyAny>) -> Result<Option<String>> {
    if let Ok(text) = response.cast::<PyString>() {
        return Ok(Some(text.to_str()?.to_owned()));
    }
    if response.is_instance_of::<PyBytes>() || response.is_instance_of::<PyByteArray>() {
        return Ok(Some(String::from_utf8_lossy(&response.extract::<Vec<u8>>()?).into_owned()));
    }
    if !response.is_instance_of::<PyList>() && !response.is_instance_of::<PyTuple>() {
        return Ok(None);
    }
    let mut lines = Vec::new();
    for line in response.try_iter()? {
        let line = line?;
        if !line.is_instance_of::<PyString>() && !line.is_instance_of::<PyBytes>() {
            return Ok(None);
        }
        lines.extend(text(&line)?);
    }
    Ok((!lines.is_empty()).then(|| lines.join("\n")))
}

/// A reply as JSON: a dict, a list of chunks, or an object of a provider's SDK.
fn reply(response: &Bound<'_, PyAny>) -> Result<serde_json::Value> {
    let wrong = |error: serde_json::Error| {
        Error::invalid(format!("the reply is no JSON ({error}): give a reply of a provider"))
    };
    // The json module writes dicts and lists; what it does not know is an SDK's object, and is asked for its fields.
    let py = response.py();
    let is_chunks = response.is_instance_of::<PyList>() || response.is_instance_of::<PyTuple>();
    let plain = if response.is_instance_of::<PyDict>() || is_chunks { response.clone() } else { fields(response)? };
    let keywords = PyDict::new(py);
    keywords.set_item("default", pyo3::wrap_pyfunction!(fields, py)?)?;
    let text = py.import("json")?.call_method("dumps", (plain,), Some(&keywords))?;
    Ok(serde_json::from_str(text.cast::<PyString>().map_err(PyErr::from)?.to_str()?).map_err(wrong)?)
}

/// The fields of an SDK's object.
#[pyfunction]
fn fields<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    for method in ["model_dump", "to_dict", "_asdict", "isoformat"] {
        if object.hasattr(method)? {
            return object.call_method0(method);
        }
    }
    // A message of protocol buffers, as xAI's SDK has them.
    if let Ok(descriptor) = object.getattr("DESCRIPTOR") {
        let found = PyDict::new(object.py());
        for field in descriptor.getattr("fields")?.try_iter()? {
            let name = field?.getattr("name")?.cast_into::<PyString>().map_err(PyErr::from)?;
            let value = object.getattr(&name)?;
            if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyString>() {
                found.set_item(name, value)?;
            }
        }
        return Ok(found.into_any());
    }
    // Where usage is a property, not a field.
    if let Ok(usage) = object.getattr("usage")
        && !usage.is_none()
    {
        let found = PyDict::new(object.py());
        found.set_item("usage", usage)?;
        if let Ok(tier) = object.getattr("service_tier") {
            found.set_item("service_tier", tier)?;
        }
        return Ok(found.into_any());
    }
    if let Ok(found) = object.getattr("__dict__") {
        let public = PyDict::new(object.py());
        for (name, value) in found.cast::<PyDict>().into_iter().flatten() {
            let is_public = name.cast::<PyString>().is_ok_and(|name| !name.to_string_lossy().starts_with('_'));
            if is_public && !value.is_callable() {
                public.set_item(name, value)?;
            }
        }
        return Ok(public.into_any());
    }
    let kind = object.get_type().qualname()?;
    Err(PyTypeError::new_err(format!(
        "a {kind} is no reply of a provider: give a dict, JSON text, an SDK object, or a list of chunks"
    )))
}
