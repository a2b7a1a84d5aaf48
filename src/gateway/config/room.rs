//! The sections of `headrace.toml`.

use crate::cost::money::Money;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU64;

/// Where and how the endpoint listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// The name or address; one that others can reach needs `keys`.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The file of the keys that may ask, `sqlite:///FILE`.
    pub keys: Option<String>,
    /// The largest request.
    pub max_body_bytes: NonZeroU64,
    /// The most connections at once.
    pub max_connections: NonZeroU64,
    /// Seconds that the headers of a request may take.
    pub header_timeout: f64,
    /// Seconds that the body of a request may take.
    pub body_timeout: f64,
    /// Seconds that an answer may take in all.
    pub answer_timeout: f64,
    /// Seconds that a stop waits for what runs.
    pub stop_timeout: f64,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
            keys: None,
            max_body_bytes: const { NonZeroU64::new(32 << 20).unwrap() },
            max_connections: const { NonZeroU64::new(4096).unwrap() },
            header_timeout: 60.0,
            body_timeout: 30.0,
            answer_timeout: 600.0,
            stop_timeout: 30.0,
        }
    }
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSection {
    /// What stands before the slash of its models.
    pub name: String,
    /// The name of a provider that is known by name, where `name` is another.
    pub known_as: Option<String>,
    /// Its address, where it is another than the known one.
    pub base_url: Option<String>,
    /// The environment variable that holds its key, where it is another than the known one.
    pub key_variable: Option<String>,
    /// Sent with every request: `{header = "environment variable that holds its value"}`.
    pub header_variables: BTreeMap<String, String>,
    /// Seconds until a connection must be made.
    pub connect_timeout: Option<f64>,
    /// Seconds that it may send nothing.
    pub read_timeout: Option<f64>,
    /// Seconds that a stream may take to its first word.
    pub first_token_timeout: Option<f64>,
}

/// How calls are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSection {
    /// How often one provider is asked for one answer.
    pub max_attempts: u16,
    /// The most of a provider's calls in a minute that may be retries.
    pub max_retry_share: f64,
}

impl Default for ClientSection {
    fn default() -> Self {
        Self { max_attempts: 3, max_retry_share: 0.1 }
    }
}

/// What finds questions that mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbedderName {
    /// Nothing: equal questions alone.
    #[default]
    None,
    /// `headrace.embedders.static()`.
    Static,
    /// `headrace.embedders.minilm()`.
    Minilm,
}

/// What reads the questions whose facts agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifierName {
    /// Nothing: the guards compare the wording too.
    #[default]
    None,
    /// `headrace.verifiers.local()`.
    Local,
}

/// When a model is asked about the pairs that the verifier is unsure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifierMode {
    /// While the lookup waits.
    #[default]
    Now,
    /// Behind it, for the next time.
    Later,
}

/// What answers again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSection {
    /// Where it is kept.
    pub url: String,
    /// What finds questions that mean the same: none, static or minilm.
    pub embedder: EmbedderName,
    /// How near such a question must be, 0 to 1.
    pub threshold: Option<f64>,
    /// What reads the questions whose facts agree: none or local.
    pub verifier: VerifierName,
    /// The model that is asked about what it is unsure of, as `provider/model`.
    pub verifier_model: Option<String>,
    /// The most dollars a month that asking it may cost.
    pub verifier_budget: Option<String>,
    /// Whether it is asked now, while the lookup waits, or later.
    pub verifier_mode: VerifierMode,
    /// Seconds that an answer is kept.
    pub ttl: Option<f64>,
    /// The most answers.
    pub max_entries: Option<NonZeroU64>,
    /// The most memory.
    pub max_bytes: Option<NonZeroU64>,
}

impl Default for CacheSection {
    fn default() -> Self {
        Self {
            url: "memory://".into(),
            embedder: EmbedderName::default(),
            threshold: None,
            verifier: VerifierName::default(),
            verifier_model: None,
            verifier_budget: None,
            verifier_mode: VerifierMode::default(),
            ttl: None,
            max_entries: None,
            max_bytes: None,
        }
    }
}

/// Where calls wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSection {
    /// Where it is kept.
    pub url: String,
    /// Its name there.
    pub name: String,
    /// The most that wait; more are refused.
    pub max_size: Option<NonZeroU64>,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self { url: "memory://".into(), name: "default".into(), max_size: None }
    }
}

/// What counts the money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CostsSection {
    /// Where the ledger is kept.
    pub url: String,
    /// A file of prices over the built-in ones.
    pub prices: Option<String>,
}

impl Default for CostsSection {
    fn default() -> Self {
        Self { url: "memory://".into(), prices: None }
    }
}

/// A limit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSection {
    /// The most calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroU64>,
    /// The most calls in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU64>,
    /// The most tokens in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<NonZeroU64>,
}

/// What may leave the queue at once and in a minute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// The most calls at once.
    pub concurrency: Option<NonZeroU64>,
    /// The most calls in any 60 seconds.
    pub requests_per_minute: Option<NonZeroU64>,
    /// The most tokens in any 60 seconds.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// By provider.
    pub provider: BTreeMap<String, LimitSection>,
    /// By model, without its provider.
    pub model: BTreeMap<String, LimitSection>,
    /// By tenant.
    pub tenant: BTreeMap<String, LimitSection>,
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSection {
    /// The most that may be spent in a period, in dollars, as text: `"50.00"`.
    pub limit: Money,
    /// Whose calls it covers; `*` for each tenant the same.
    pub tenant: Option<String>,
    /// The calls of which provider.
    pub provider: Option<String>,
    /// The calls with which tag.
    pub tag: Option<String>,
    /// hour, day, week, month or ever.
    pub period: Option<String>,
    /// reject or warn.
    pub on_exceed: Option<String>,
}

/// A name of one's own for several models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSection {
    /// The models.
    pub models: Vec<String>,
    /// Which is asked first: first, cheapest or fastest.
    #[serde(default = "first")]
    pub pick: String,
    /// What a model must be able to do.
    #[serde(default)]
    pub needs: Vec<String>,
}

fn first() -> String {
    "first".into()
}
