//! Which requests fail, and how: by rate, or by a schedule.

use serde::{Deserialize, Serialize};

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// HTTP 429 with Retry-After.
    RateLimit,
    /// HTTP 500.
    ServerError,
    /// HTTP 503.
    Unavailable,
    /// The connection breaks before the reply.
    Reset,
    /// The reply comes late.
    Stall,
    /// The answer is cut off.
    Truncate,
    /// The reply is no JSON.
    Malformed,
    /// The stream tells an error where half of the answer is still to come; a whole reply is an error with HTTP 200.
    StreamError,
    /// The reply does not tell what it used.
    NoUsage,
}

impl Fault {
    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::ServerError => "server_error",
            Self::Unavailable => "unavailable",
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::Truncate => "truncate",
            Self::Malformed => "malformed",
            Self::StreamError => "stream_error",
            Self::NoUsage => "no_usage",
        }
    }
}

/// Requests `from` (counted from 0) up to but not with `until` fail in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultWindow {
    /// How they fail.
    pub fault: Fault,
    /// The first request.
    pub from: u64,
    /// The request after the last.
    pub until: u64,
}

/// Which requests fail. The schedule goes before the rates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// The share of requests that fail in each way.
    pub rates: Vec<(Fault, f64)>,
    /// Windows of requests that fail.
    pub schedule: Vec<FaultWindow>,
}

impl FaultPlan {
    /// How request number `index` fails; `draw` is a number from 0 to 1 that belongs to it.
    #[must_use]
    pub fn of(&self, index: u64, draw: f64) -> Option<Fault> {
        let scheduled = self.schedule.iter().find(|window| (window.from..window.until).contains(&index));
        scheduled.map(|window| window.fault).or_else(|| {
            let mut below = 0.0;
            self.rates
                .iter()
                .find(|(_, rate)| {
                    below += rate;
                    draw < below
                })
                .map(|(fault, _)| *fault)
        })
    }
}
