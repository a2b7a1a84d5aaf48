//! What a client counts of its calls, and how that is told.
//!
//! Names and bounds follow OpenTelemetry's conventions for generative AI where these have one; what they have no name for
//! begins with `headrace`. A call is counted once, when it is over, under one lock held for a fraction of a microsecond.
//!
//! Labels are bounded: models beyond the first [`MOST_MODELS`] are counted together as `other`, so that no caller can
//! fill the memory with names of his own making.

mod durations;
mod feed;
mod json;
mod names;
mod prometheus;
mod series;
mod snapshot;
mod tally;
mod text;

pub use durations::{DurationHistogram, DurationSummary};
pub use feed::{CallFeed, CallTrace};
pub use series::{CallSeries, Operation, TokenHistogram};
pub use snapshot::{ClientMetrics, ProviderFailures};
pub use tally::{FinishedCall, MOST_MODELS, Tally};
pub(crate) use text::Exposition;
