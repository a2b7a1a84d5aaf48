//! One request and the states it goes through.

use super::options::Priority;
use super::schedule::Ready;
use crate::Payload;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Names a request inside its queue. Written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for RequestId {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        u64::from_str_radix(text, 16).map(Self).map_err(|_| {
            crate::Error::invalid(format!("{text:?} is no request id: give what put returned, 16 hexadecimal digits"))
        })
    }
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Ready to be handed out.
    Waiting,
    /// Ready later.
    Scheduled,
    /// Handed out.
    Leased,
    /// Acked.
    Done,
    /// Given up, with a reason.
    Dead,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Scheduled => "scheduled",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the request still takes room.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Scheduled | Self::Leased)
    }
}

/// What went wrong in one attempt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What the worker said, or `lease expired`, `deadline`.
    pub error: String,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: u64,
}

/// The state of an entry, with what only that state needs.
#[derive(Debug, Clone)]
pub(super) enum State {
    Waiting(Ready),
    Scheduled {
        at: Duration,
    },
    /// `here` tells a lease of this process from one that was read from a store.
    Leased {
        expires: Duration,
        since: Duration,
        here: bool,
    },
    Done {
        result: Option<Payload>,
    },
    Dead,
    Cancelled,
}

impl State {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Waiting(_) => Status::Waiting,
            Self::Scheduled { .. } => Status::Scheduled,
            Self::Leased { .. } => Status::Leased,
            Self::Done { .. } => Status::Done,
            Self::Dead => Status::Dead,
            Self::Cancelled => Status::Cancelled,
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// None once it is finished, and while a durable store keeps it.
    pub(super) payload: Option<Payload>,
    pub(super) size: usize,
    pub(super) priority: Priority,
    pub(super) tenant: usize,
    pub(super) flow: usize,
    pub(super) tokens: u64,
    pub(super) key: Option<Arc<str>>,
    pub(super) order: u64,
    pub(super) enqueued: Duration,
    pub(super) ready_at: Duration,
    pub(super) deadline: Option<Duration>,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) history: Vec<Failure>,
    pub(super) state: State,
}

/// A request that was given up.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its name.
    pub id: RequestId,
    /// What it carried.
    pub payload: Option<Payload>,
    /// How urgent it was.
    pub priority: Priority,
    /// Whose it was.
    pub tenant: Arc<str>,
    /// The last failure's error.
    pub reason: String,
    /// All failures, first to last.
    pub history: Vec<Failure>,
}
