//! `Calibration`: what labelled pairs say about serving.

use headrace::cache::policy;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The threshold that labelled pairs support, as `SemanticCache.calibrate` returns it.
#[pyclass(frozen, module = "headrace._core.cache")]
pub(crate) struct Calibration {
    pub(crate) core: policy::Calibration,
}

#[pymethods]
impl Calibration {
    #[new]
    #[pyo3(signature = (threshold, interval, pairs, served, wrong, max_error_rate, confidence))]
    fn new(
        threshold: Option<f64>,
        interval: (f64, f64),
        pairs: usize,
        served: usize,
        wrong: usize,
        max_error_rate: f64,
        confidence: f64,
    ) -> Self {
        let core = policy::Calibration { threshold, pairs, served, wrong, interval, max_error_rate, confidence };
        Self { core }
    }

    /// Serve from this cosine on; None where the pairs support no threshold.
    #[getter]
    fn threshold(&self) -> Option<f64> {
        self.core.threshold
    }

    /// The interval of the share of wrong answers among those served, at the confidence asked for.
    #[getter]
    fn interval(&self) -> (f64, f64) {
        self.core.interval
    }

    /// The share of wrong answers among those served.
    #[getter]
    fn error_rate(&self) -> f64 {
        self.core.error_rate()
    }

    /// How many pairs passed the guards.
    #[getter]
    fn pairs(&self) -> usize {
        self.core.pairs
    }

    /// How many of them the threshold serves.
    #[getter]
    fn served(&self) -> usize {
        self.core.served
    }

    /// How many of those are wrong.
    #[getter]
    fn wrong(&self) -> usize {
        self.core.wrong
    }

    /// The bound asked for.
    #[getter]
    fn max_error_rate(&self) -> f64 {
        self.core.max_error_rate
    }

    /// The confidence asked for.
    #[getter]
    fn confidence(&self) -> f64 {
        self.core.confidence
    }

    /// The calibration as a dict, by the names of its attributes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("threshold", self.threshold())?;
        dict.set_item("interval", self.interval())?;
        dict.set_item("error_rate", self.error_rate())?;
        dict.set_item("pairs", self.pairs())?;
        dict.set_item("served", self.served())?;
        dict.set_item("wrong", self.wrong())?;
        dict.set_item("max_error_rate", self.max_error_rate())?;
        dict.set_item("confidence", self.confidence())?;
        Ok(dict)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core == other.core
    }

    fn __hash__(&self) -> usize {
        self.core.pairs ^ self.core.served.rotate_left(20) ^ self.core.wrong.rotate_left(40)
    }

    #[expect(clippy::type_complexity, reason = "what it holds")]
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (Bound<'py, PyAny>, (Option<f64>, (f64, f64), usize, usize, usize, f64, f64)) {
        let policy::Calibration { threshold, pairs, served, wrong, interval, max_error_rate, confidence } =
            slf.get().core;
        (slf.get_type().into_any(), (threshold, interval, pairs, served, wrong, max_error_rate, confidence))
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
