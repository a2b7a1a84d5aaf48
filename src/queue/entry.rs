//! One request and the states it goes through.

use super::flow::FlowId;
use super::moment::Moment;
use super::options::Priority;
use crate::Payload;
use std::fmt;
use std::sync::Arc;

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
    /// All six, in the order in which they are declared.
    pub const ALL: [Self; 6] = [Self::Waiting, Self::Scheduled, Self::Leased, Self::Done, Self::Dead, Self::Cancelled];

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

/// The state of an open or a dead request, with what only that state needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    /// Until its `ready_at`.
    Scheduled,
    /// `here` tells a lease of this process from one that was read from a store.
    Leased {
        expires: Moment,
        since: Moment,
        here: bool,
    },
    Dead,
}

impl State {
    pub(super) fn status(self) -> Status {
        match self {
            Self::Waiting => Status::Waiting,
            Self::Scheduled => Status::Scheduled,
            Self::Leased { .. } => Status::Leased,
            Self::Dead => Status::Dead,
        }
    }
}

/// A request that is open or dead; what is through is in `Finished`.
#[derive(Debug, Clone)]
pub(super) struct QueuedRequest {
    /// None where a durable store keeps it.
    pub(super) payload: Option<Payload>,
    pub(super) size: usize,
    pub(super) enqueued: Moment,
    pub(super) ready_at: Moment,
    /// Its place in time, from when it was first ready; 0 before.
    pub(super) order: u64,
    pub(super) tokens: u64,
    pub(super) flow: FlowId,
    pub(super) priority: Priority,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) state: State,
    pub(super) rare: Option<Box<Rare>>,
}

/// What most requests have not.
#[derive(Debug, Clone, Default)]
pub(super) struct Rare {
    pub(super) key: Option<Arc<str>>,
    pub(super) deadline: Option<Moment>,
    pub(super) history: Vec<Failure>,
}

impl Rare {
    /// Boxed where there is something to keep.
    pub(super) fn boxed(key: Option<Arc<str>>, deadline: Option<Moment>, history: Vec<Failure>) -> Option<Box<Self>> {
        let any = key.is_some() || deadline.is_some() || !history.is_empty();
        any.then(|| Box::new(Self { key, deadline, history }))
    }
}

impl QueuedRequest {
    pub(super) fn key(&self) -> Option<&Arc<str>> {
        self.rare.as_ref()?.key.as_ref()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.rare.as_ref()?.deadline
    }

    pub(super) fn history(&self) -> &[Failure] {
        self.rare.as_ref().map_or(&[], |rare| &rare.history)
    }
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
