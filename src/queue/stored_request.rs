//! A request as a store keeps it, whole: what was put, and all that has been decided about it since.

use super::entry::{Failure, Status};
use super::moment::Moment;
use super::options::Priority;
use std::sync::Arc;

/// One request. Its payload and its result stay in the store. Times are the store's: nanoseconds since 1970 UTC.
#[derive(Debug, Clone)]
pub(super) struct StoredRequest {
    pub(super) id: u64,
    pub(super) status: Status,
    pub(super) priority: Priority,
    pub(super) tenant: Arc<str>,
    pub(super) provider: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
    pub(super) tokens: u64,
    pub(super) key: Option<Arc<str>>,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) enqueued: Moment,
    pub(super) ready_at: Moment,
    /// Its place in line, from when it was first ready; 0 before.
    pub(super) place: u64,
    pub(super) deadline: Option<Moment>,
    pub(super) lease_until: Option<Moment>,
    /// The handle that put it for itself.
    pub(super) owner: u64,
    pub(super) history: Vec<Failure>,
    pub(super) size: usize,
}
