//! Many requests as one batch, answered within a day at a lower price.

use crate::Result;
use crate::chat::{Reply, Request};
use crate::wire::batch::{BatchLimits, BatchState};
use async_trait::async_trait;
use futures_util::stream::BoxStream;

/// The results of a batch, in the order in which the provider gives them. An error is the last.
pub type BatchLines = BoxStream<'static, Result<BatchLine>>;

/// What became of one request of a batch.
#[derive(Debug)]
pub struct BatchLine {
    /// What the request was named.
    pub id: String,
    /// The reply, or why there is none.
    pub outcome: Result<Box<Reply>>,
}

/// A provider that takes batches. Each method asks once.
#[async_trait]
pub trait BatchProvider: Send + Sync {
    /// How much one batch may hold.
    fn limits(&self) -> BatchLimits;

    /// A request as a line of a batch. `id` names it, with at most 64 letters, digits, dashes and underscores.
    ///
    /// # Errors
    /// `InvalidArgument`: the protocol has no form for something that the request cannot do without.
    fn write_line(&self, id: &str, request: &Request) -> Result<Vec<u8>>;

    /// Hands the lines in, where that comes before the batch is made; nothing is paid for this. None where it does not.
    ///
    /// # Errors
    /// `Provider`.
    async fn upload(&self, token: &str, lines: &[&[u8]]) -> Result<Option<String>>;

    /// Makes a batch, from here on paid for, and gives its id. `token` is random, and `file` what `upload` gave.
    ///
    /// # Errors
    /// `Provider`: without a status, it is not known whether the batch was made.
    async fn submit(&self, token: &str, file: Option<&str>, lines: &[&[u8]]) -> Result<String>;

    /// The batch that was made with a token; None where there is none, or this provider's cannot be found by it.
    ///
    /// # Errors
    /// `Provider`.
    async fn find(&self, token: &str) -> Result<Option<String>>;

    /// How far a batch is.
    ///
    /// # Errors
    /// `Provider`.
    async fn poll(&self, id: &str) -> Result<BatchState>;

    /// The results of a batch that is over.
    ///
    /// # Errors
    /// `Provider`.
    async fn results(&self, id: &str) -> Result<BatchLines>;
}
