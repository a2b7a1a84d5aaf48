//! What a key may do.

use crate::cost::budget::Period;
use crate::cost::money::Money;
use crate::queue::Priority;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a key may do.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyTerms {
    /// A name for people.
    pub name: String,
    /// Whose calls are made with it.
    pub tenant: Arc<str>,
    /// The most urgent that it may ask for.
    pub priority: Priority,
    /// The models that it may name, `openai/*` for all of a provider; empty for any.
    pub models: Vec<String>,
    /// The most that its calls may cost, in a period.
    pub budget: Option<(Money, Period)>,
    /// The most requests in any 60 seconds.
    pub requests_per_minute: Option<u64>,
    /// The most requests at once.
    pub concurrency: Option<u64>,
    /// Whether it may see what belongs to other tenants.
    pub is_admin: bool,
}

impl KeyTerms {
    /// Terms without any bound.
    #[must_use]
    pub fn of(tenant: &str) -> Self {
        Self {
            name: tenant.to_owned(),
            tenant: tenant.into(),
            priority: Priority::Critical,
            models: Vec::new(),
            budget: None,
            requests_per_minute: None,
            concurrency: None,
            is_admin: false,
        }
    }

    /// Refuses what no key can be.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the field.
    pub fn check(&self) -> Result<()> {
        if self.tenant.is_empty() || self.models.iter().any(String::is_empty) {
            return Err(Error::invalid("a key's tenant or a model of it is empty: name it"));
        }
        if self.requests_per_minute == Some(0) || self.concurrency == Some(0) {
            return Err(Error::invalid("a limit of a key is 0: give 1 or more, or leave it out for no limit"));
        }
        Ok(())
    }

    /// Whether a model may be named.
    ///
    /// ```
    /// use headrace::gateway::KeyTerms;
    /// let terms = KeyTerms { models: vec!["openai/*".into(), "report".into()], ..KeyTerms::of("acme") };
    /// assert!(terms.allows("openai/gpt-4o") && terms.allows("report") && !terms.allows("openai-eu/gpt-4o"));
    /// ```
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        self.models.is_empty()
            || self.models.iter().any(|allowed| match allowed.strip_suffix('*') {
                Some(beginning) => model.starts_with(beginning),
                None => allowed == model,
            })
    }

    /// As JSON, for the file.
    pub(super) fn to_json(&self) -> String {
        let written = Written {
            name: self.name.clone(),
            tenant: self.tenant.to_string(),
            priority: self.priority.name().to_owned(),
            models: self.models.clone(),
            budget_usd: self.budget.map(|(limit, _)| limit),
            period: self.budget.map(|(_, period)| period.to_string()),
            requests_per_minute: self.requests_per_minute,
            concurrency: self.concurrency,
            admin: self.is_admin,
        };
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// As the file has them.
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        let unreadable = |error: &dyn std::fmt::Display| Error::Store(format!("a key cannot be read: {error}"));
        let written: Written = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let period = Period::parse(written.period.as_deref().unwrap_or("month"))?;
        Ok(Self {
            name: written.name,
            tenant: written.tenant.into(),
            priority: Priority::from_name(&written.priority)?,
            models: written.models,
            budget: written.budget_usd.map(|limit| (limit, period)),
            requests_per_minute: written.requests_per_minute,
            concurrency: written.concurrency,
            is_admin: written.admin,
        })
    }
}

/// Terms as they lie in the file.
#[derive(Serialize, Deserialize)]
struct Written {
    name: String,
    tenant: String,
    priority: String,
    models: Vec<String>,
    budget_usd: Option<Money>,
    period: Option<String>,
    requests_per_minute: Option<u64>,
    concurrency: Option<u64>,
    admin: bool,
}
