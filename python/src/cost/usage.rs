//! What a call used.

use crate::error::Result;
use headrace::cost::usage as core;
use pyo3::prelude::*;

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
                        cache_write_1h_tokens=0, images=0, searches=0))]
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
            images,
            searches,
            requests,
            service_tier: if batch { Some(core::ServiceTier::Batch) } else { tier },
        };
        core.check()?;
        Ok(Self { core })
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
            ("images", core.images),
            ("searches", core.searches),
        ];
        parts.extend(more.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}={count}")));
        parts.extend(self.service_tier().map(|tier| format!("service_tier='{tier}'")));
        format!("Usage({})", parts.join(", "))
    }
}
