//! What a call used.

use crate::error::Result;
use headrace::Error;
use headrace::cost::price::PriceTable;
use headrace::cost::{tokens, usage as core};
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
    #[pyo3(signature = (input_tokens=0, output_tokens=0, cached_input_tokens=0, cache_write_tokens=0, reasoning_tokens=0,
                        input_audio_tokens=0, output_audio_tokens=0, service_tier=None, batch=false, requests=1, *,
                        cache_write_1h_tokens=0, input_image_tokens=0, output_image_tokens=0, images=0, searches=0))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one constructor")]
    fn new(
        input_tokens: u64,
        output_tokens: u64,
        cached_input_tokens: u64,
        cache_write_tokens: u64,
        reasoning_tokens: u64,
        input_audio_tokens: u64,
        output_audio_tokens: u64,
        service_tier: Option<&str>,
        batch: bool,
        requests: u64,
        cache_write_1h_tokens: u64,
        input_image_tokens: u64,
        output_image_tokens: u64,
        images: u64,
        searches: u64,
    ) -> Result<Self> {
        let tier = service_tier.map_or(Ok(None), core::ServiceTier::parse)?;
        let core = core::Usage {
            input_tokens,
            output_tokens,
            cached_input_tokens,
            cache_write_tokens,
            cache_write_1h_tokens,
            reasoning_tokens,
            input_audio_tokens,
            output_audio_tokens,
            input_image_tokens,
            output_image_tokens,
            images,
            searches,
            requests,
            service_tier: if batch { Some(core::ServiceTier::Batch) } else { tier },
        };
        core.check()?;
        Ok(Self { core })
    }

    #[staticmethod]
    fn from_response(response: &Bound<'_, PyAny>) -> Result<Self> {
        Ok(Self { core: core::Usage::from_response(&reply(response)?)? })
    }

    #[staticmethod]
    #[pyo3(signature = (model, messages, *, max_output_tokens=0))]
    fn estimate(model: &str, messages: &Bound<'_, PyAny>, max_output_tokens: u64) -> Result<Self> {
        let messages = text_or_messages(messages)?;
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
        parts.extend(self.service_tier().map(|tier| format!("service_tier='{tier}'")));
        format!("Usage({})", parts.join(", "))
    }
}

/// A usage, or the text or messages of a call whose usage is estimated.
pub(crate) fn of_call(
    given: &Bound<'_, PyAny>,
    model: &str,
    max_output_tokens: Option<u64>,
    prices: &PriceTable,
) -> Result<core::Usage> {
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

/// A reply as JSON: a dict, a list of chunks, JSON text, or an object of a provider's SDK.
fn reply(response: &Bound<'_, PyAny>) -> Result<serde_json::Value> {
    let wrong = |error: serde_json::Error| {
        Error::invalid(format!("the reply is no JSON ({error}): give a reply of a provider"))
    };
    if let Ok(text) = response.cast::<PyString>() {
        return Ok(serde_json::from_str(text.to_str()?).map_err(wrong)?);
    }
    if response.is_instance_of::<PyBytes>() || response.is_instance_of::<PyByteArray>() {
        return Ok(serde_json::from_slice(&response.extract::<Vec<u8>>()?).map_err(wrong)?);
    }
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
