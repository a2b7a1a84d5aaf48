//! `Calibration`: what labelled pairs say about serving.

use headrace::cache::policy;
use pyo3::prelude::*;

/// The threshold that labelled pairs support.
#[pyclass(frozen, module = "headrace._core.cache")]
pub(crate) struct Calibration {
    pub(crate) core: policy::Calibration,
}

#[pymethods]
impl Calibration {
    #[getter]
    fn threshold(&self) -> Option<f64> {
        self.core.threshold
    }

    #[getter]
    fn interval(&self) -> (f64, f64) {
        self.core.interval
    }

    #[getter]
    fn error_rate(&self) -> f64 {
        self.core.error_rate()
    }

    #[getter]
    fn pairs(&self) -> usize {
        self.core.pairs
    }

    #[getter]
    fn served(&self) -> usize {
        self.core.served
    }

    #[getter]
    fn wrong(&self) -> usize {
        self.core.wrong
    }

    #[getter]
    fn max_error_rate(&self) -> f64 {
        self.core.max_error_rate
    }

    #[getter]
    fn confidence(&self) -> f64 {
        self.core.confidence
    }

    fn __repr__(&self) -> String {
        let core = &self.core;
        let threshold = core.threshold.map_or_else(|| "None".into(), |threshold| format!("{threshold:.4}"));
        format!(
            "Calibration(threshold={threshold}, serves {} of {} pairs, {} wrongly: {:.2} % to {:.2} % with confidence {})",
            core.served,
            core.pairs,
            core.wrong,
            core.interval.0 * 100.0,
            core.interval.1 * 100.0,
            core.confidence
        )
    }
}
