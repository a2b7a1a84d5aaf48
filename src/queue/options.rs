//! What a caller may set: for a queue, and for one request.

use crate::queue::limit::LimitRule;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// How urgent a request is. Lower is sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// A person waits.
    Critical,
    /// Before the ordinary.
    High,
    /// The ordinary.
    #[default]
    Normal,
    /// When there is nothing else, or when it has waited long enough.
    Low,
}

impl Priority {
    /// All four, most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    /// 0 for critical to 3 for low.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in lower case.
    pub fn name(self) -> &'static str {
        ["critical", "high", "normal", "low"][self.index()]
    }

    /// The priority of a name.
    ///
    /// # Errors
    /// `InvalidArgument` where there is none of that name.
    ///
    /// ```
    /// use headrace::queue::Priority;
    /// assert_eq!(Priority::from_name("high").unwrap().index(), 1);
    /// ```
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|priority| priority.name() == name).ok_or_else(|| {
            Error::invalid(format!("priority {name:?} is unknown: give critical, high, normal or low, or 0 to 3"))
        })
    }

    /// The priority of a number from 0 to 3.
    ///
    /// # Errors
    /// `InvalidArgument` for any other number.
    pub fn from_index(index: i64) -> Result<Self> {
        usize::try_from(index).ok().and_then(|index| Self::ALL.get(index).copied()).ok_or_else(|| {
            Error::invalid(format!("priority {index} is unknown: give critical, high, normal or low, or 0 to 3"))
        })
    }
}

/// What goes with one request.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    /// How urgent it is.
    pub priority: Priority,
    /// Whose it is; empty means `default`.
    pub tenant: Option<Arc<str>>,
    /// How long until it may be handed out.
    pub delay: Duration,
    /// How long from now until it is of no use.
    pub deadline: Option<Duration>,
    /// A put whose key was seen before puts nothing.
    pub key: Option<Arc<str>>,
    /// How often it is handed out before it goes to the dead letters.
    pub max_attempts: Option<u32>,
    /// The provider it will call, for limits.
    pub provider: Option<Arc<str>>,
    /// The model it will call, for limits.
    pub model: Option<Arc<str>>,
    /// The tokens it is expected to take, for limits.
    pub estimated_tokens: u64,
}

/// How a queue behaves.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// Names the queue inside its store.
    pub name: String,
    /// The most requests that may wait, be scheduled or be leased.
    pub max_size: Option<usize>,
    /// The most bytes of payload that may wait, be scheduled or be leased.
    pub max_bytes: Option<usize>,
    /// How long a lease lasts unless it is extended.
    pub lease: Duration,
    /// How often a request is handed out before it goes to the dead letters.
    pub max_attempts: u32,
    /// How long a request waits before it rises a class.
    pub ageing: Duration,
    /// How long the result of a finished request is kept.
    pub keep_results: Duration,
    /// How long the key of a finished request is remembered.
    pub keep_keys: Duration,
    /// Limits where requests leave the queue.
    pub limits: Vec<LimitRule>,
    /// The shares of tenants within a class; 1 where none is given.
    pub weights: Vec<(Arc<str>, u32)>,
    /// The seed of the backoff's jitter; random where none is given.
    pub seed: Option<u64>,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            name: "default".into(),
            max_size: None,
            max_bytes: None,
            lease: Duration::from_mins(1),
            max_attempts: 5,
            ageing: Duration::from_secs(30),
            keep_results: Duration::from_mins(5),
            keep_keys: Duration::from_hours(24),
            limits: Vec::new(),
            weights: Vec::new(),
            seed: None,
        }
    }
}

impl QueueConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the setting.
    pub fn validate(&self) -> Result<()> {
        let positive = [("lease_seconds", self.lease), ("ageing_seconds", self.ageing)];
        for (name, duration) in positive {
            if duration.is_zero() {
                return Err(Error::invalid(format!("{name} is 0: give more than 0 seconds")));
            }
        }
        if self.max_attempts == 0 {
            return Err(Error::invalid("max_attempts is 0: give 1 or more"));
        }
        if self.max_size == Some(0) {
            return Err(Error::invalid("max_size is 0: give 1 or more, or None for no bound"));
        }
        if self.name.is_empty() {
            return Err(Error::invalid("name is empty: give the queue a name"));
        }
        if let Some((tenant, _)) = self.weights.iter().find(|(_, weight)| *weight == 0) {
            return Err(Error::invalid(format!("the weight of tenant {tenant:?} is 0: give 1 or more")));
        }
        Ok(())
    }
}
