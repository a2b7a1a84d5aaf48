//! What an ESG workload may be told.

use super::catalogue::WorkloadLanguage;
use crate::queue::Priority;
use crate::{Error, Result};

/// The settings of an ESG workload; every share is a probability.
#[derive(Debug, Clone)]
pub struct EsgConfig {
    /// The same seed gives the same requests, byte for byte.
    pub seed: u64,
    /// How many different questions there are.
    pub questions: usize,
    /// The exponent of their popularity (Zipf); 0 is uniform. Web and search queries lie between 0.6 and 1.2.
    pub zipf: f64,
    /// Who asks; the popularity of tenants is equal.
    pub tenants: Vec<String>,
    /// The languages of the questions, each as likely.
    pub languages: Vec<WorkloadLanguage>,
    /// The model that the requests name, if any.
    pub model: Option<String>,
    /// How many requests word a question in another than the plain way.
    pub paraphrase_share: f64,
    /// How many questions differ from another in exactly one slot.
    pub near_miss_share: f64,
    /// How many requests begin a session of follow-up questions.
    pub session_share: f64,
    /// The mean number of follow-ups of a session (geometric).
    pub session_turns: f64,
    /// How many requests bring a document.
    pub document_share: f64,
    /// The weights of the priorities, most urgent first.
    pub priorities: [f64; 4],
    /// Tokens of a document: mu and sigma of a lognormal, here that of Azure's conversation trace of 2023.
    pub input_lognormal: (f64, f64),
    /// Tokens of an answer, likewise.
    pub output_lognormal: (f64, f64),
    /// No length goes above this many tokens.
    pub max_tokens: u64,
}

impl Default for EsgConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            questions: 1_000,
            zipf: 1.1,
            tenants: vec!["reporting".into(), "procurement".into(), "facilities".into()],
            languages: vec![WorkloadLanguage::En],
            model: None,
            paraphrase_share: 0.5,
            near_miss_share: 0.4,
            session_share: 0.0,
            session_turns: 2.0,
            document_share: 0.0,
            priorities: [0.05, 0.15, 0.6, 0.2],
            input_lognormal: (6.63, 0.99),
            output_lognormal: (5.02, 0.86),
            max_tokens: 8_192,
        }
    }
}

impl EsgConfig {
    pub(super) fn check(&self) -> Result<()> {
        let shares = [
            ("paraphrase_share", self.paraphrase_share),
            ("near_miss_share", self.near_miss_share),
            ("session_share", self.session_share),
            ("document_share", self.document_share),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::invalid(format!("{name} is {share}: give a share from 0 to 1")));
            }
        }
        let others = [
            ("zipf", self.zipf),
            ("session_turns", self.session_turns),
            ("input_lognormal's sigma", self.input_lognormal.1),
            ("output_lognormal's sigma", self.output_lognormal.1),
        ];
        for (name, value) in others {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::invalid(format!("{name} is {value}: give a finite number, not negative")));
            }
        }
        if !(1..=100_000).contains(&self.questions) {
            return Err(Error::invalid(format!("questions is {}: give 1 to 100000", self.questions)));
        }
        if self.tenants.is_empty() || self.languages.is_empty() || self.max_tokens == 0 {
            return Err(Error::invalid("tenants, languages and max_tokens must not be empty or 0"));
        }
        let weights = &self.priorities;
        if weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0)) || weights.iter().sum::<f64>() <= 0.0 {
            return Err(Error::invalid(format!(
                "priorities are {weights:?}: give four weights for critical, high, normal and low, not all 0"
            )));
        }
        Ok(())
    }

    /// The priority at `at`, from 0 to 1, of the weights laid end to end.
    pub(super) fn priority(&self, at: f64) -> Priority {
        let mut left = at * self.priorities.iter().sum::<f64>();
        for (priority, weight) in Priority::ALL.into_iter().zip(self.priorities) {
            if left < weight {
                return priority;
            }
            left -= weight;
        }
        Priority::Low
    }
}

/// The first `n` of the workload's tenant names, numbered ones after those.
///
/// # Errors
/// The data files are damaged.
pub fn tenant_names(n: usize) -> Result<Vec<String>> {
    let names = &super::catalogue::catalogue()?.names.tenant;
    Ok((0..n).map(|at| names.get(at).cloned().unwrap_or_else(|| format!("tenant-{at}"))).collect())
}
