//! Of whom is asked.

mod http;
mod queue;
mod synthetic;

pub use http::{HttpConfig, HttpTarget};
pub use queue::QueueTarget;
pub use synthetic::{Null, Sleep, Stall};

use super::outcome::Outcome;
use super::request::Request;

/// Something that answers requests, asked from many tasks at once.
#[async_trait::async_trait]
pub trait Target: Send + Sync + 'static {
    /// Answers one request; a failure is an outcome, too.
    async fn send(&self, request: &Request) -> Outcome;
}
