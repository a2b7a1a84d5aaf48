//! The figures of a client at one moment.

use super::series::CallSeries;
use crate::cache::CacheStats;
use crate::provider::BreakerState;
use crate::queue::QueueStats;

/// How often attempts failed at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFailures {
    /// The provider.
    pub provider: String,
    /// What they failed by: `rate_limited`, `unavailable`, ...
    pub kind: &'static str,
    /// How often.
    pub count: u64,
}

/// The figures of a client at one moment; counts are from its start.
#[derive(Debug, Clone)]
pub struct ClientMetrics {
    /// The calls that are over.
    pub calls: Vec<CallSeries>,
    /// How many calls run now.
    pub in_flight: usize,
    /// The attempts that failed, those that a retry mended among them.
    pub failures: Vec<ProviderFailures>,
    /// Whether calls go through, by provider.
    pub providers: Vec<(String, BreakerState)>,
    /// The queue.
    pub queue: QueueStats,
    /// The cache, where there is one.
    pub cache: Option<CacheStats>,
}
