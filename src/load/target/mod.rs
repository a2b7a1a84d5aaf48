//! Of whom is asked.

mod http;
mod queue;
mod synthetic;

pub use http::{HttpConfig, HttpTarget};
pub use queue::QueueTarget;
pub use synthetic::{Null, Sleep, Stall};

use super::observation::Observation;
use super::request::LoadRequest;

/// Something that answers requests, asked from many tasks at once.
#[async_trait::async_trait]
pub trait Target: Send + Sync + 'static {
    /// Answers one request; a failure is an observation, too.
    async fn send(&self, request: &LoadRequest) -> Observation;
}
