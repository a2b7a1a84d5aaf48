//! What a queue is kept in, seen from inside: what a store does, and the waiting, the leases and the turns of this process.
//!
//! There are two: the core, with or without a file ([`super::local`]), and a server that decides by itself
//! ([`super::redis`]). [`super::RequestQueue::open`] chooses, and nothing asks again.

use super::acquire::{Again, Entered};
use super::base::QueueBase;
use super::core::HandedOut;
use super::owner::Who;
use super::store::{LeaseEnd, QueueStore};
use super::{Lease, PutOptions, RequestId};
use crate::{Error, Payload, Result};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// The error of a call that waits for no disk, on a queue that has to.
pub(super) fn has_to_wait(verb: &str, instead: &str) -> Error {
    Error::invalid(format!("a durable {verb} waits for the disk: use {instead}"))
}

/// What a queue is kept in.
#[async_trait]
pub(super) trait QueueBackend: Send + Sync {
    fn base(&self) -> &QueueBase;

    /// The same as a store, without the waiting.
    fn store(self: Arc<Self>) -> Arc<dyn QueueStore>;

    /// The one handle that may take what was put for its own turn.
    fn owner(&self) -> u64;

    /// Puts at once, which memory alone can.
    fn put_now(&self, _payload: Payload, _options: &PutOptions) -> Result<RequestId> {
        Err(has_to_wait("put", "put_async or put_many_async"))
    }

    /// Puts many at once, all or none, which memory alone can.
    fn put_many_now(&self, _payloads: Vec<Payload>, _options: &PutOptions) -> Result<Vec<RequestId>> {
        Err(has_to_wait("put", "put_async or put_many_async"))
    }

    /// Hands out the next at once, if there is one, which memory alone can.
    fn take_one_now(self: Arc<Self>) -> Result<Option<Lease>> {
        Err(has_to_wait("get", "get_async or get_many_async"))
    }

    /// Hands out what there is at once, which memory alone can.
    fn take_now(self: Arc<Self>, _most: usize) -> Result<Vec<Lease>> {
        Err(has_to_wait("get", "get_async or get_many_async"))
    }

    /// Ends a lease at once, which memory alone can.
    fn end_now(self: Arc<Self>, _handed: &HandedOut, how: LeaseEnd) -> Result<()> {
        match how {
            LeaseEnd::Ack { .. } => Err(has_to_wait("ack", "ack_async")),
            LeaseEnd::Nack { .. } => Err(has_to_wait("nack", "nack_async")),
        }
    }

    /// Puts, all or none; waits for room.
    async fn put(
        self: Arc<Self>,
        payloads: Vec<Payload>,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Vec<RequestId>>;

    /// Hands out up to `most` requests, waiting for the first.
    async fn take(self: Arc<Self>, most: usize, timeout: Option<Duration>, who: Who) -> Result<Vec<Lease>>;

    /// Ends a lease.
    async fn end(self: Arc<Self>, handed: &HandedOut, how: LeaseEnd) -> Result<()>;

    /// Makes a lease last `by` from now.
    async fn extend(self: Arc<Self>, id: u64, attempt: u32, by: Duration) -> Result<()>;

    /// Puts a request and waits for its turn, which nobody else is given.
    async fn acquire(
        self: Arc<Self>,
        payload: Payload,
        options: PutOptions,
        timeout: Option<Duration>,
    ) -> Result<Lease>;

    /// Makes the request of a turn of one's own wait for another.
    async fn again(self: Arc<Self>, lease: &Lease, again: Again) -> Result<Entered>;

    /// Looks at the clock, and at what others do, for all who wait for a turn of their own. Never ends.
    async fn watch_turns(self: Arc<Self>);

    /// Gives turns to those who wait for their own, as far as limits and order let them.
    fn dispatch(self: Arc<Self>);

    /// Removes a request whose caller left, without waiting for it.
    fn leave(self: Arc<Self>, id: u64, used_tokens: Option<u64>);

    /// Gives back what never reached a worker, without waiting for it.
    fn give_back(self: Arc<Self>, id: u64, attempt: u32, is_orphan: bool);

    /// How many requests are open.
    async fn open_count(self: Arc<Self>) -> Result<usize>;

    /// What the ack of a request was given; waits until the request is finished.
    async fn result(self: Arc<Self>, id: RequestId, timeout: Option<Duration>) -> Result<Option<Payload>>;

    /// Waits until nothing is open.
    async fn drain(self: Arc<Self>, timeout: Option<Duration>) -> Result<()>;
}
