//! headrace: the layer between an application and the language-model providers it pays.
//!
//! A request walks down one line: [`cache`] → budget ([`cost`]) → [`queue`] → [`provider`] → [`cost`] → [`cache`];
//! [`client`] composes it, [`gateway`] serves it to any client of a provider's protocol, [`load`] judges it.

pub mod blocking;
pub mod cache;
pub mod chat;
pub mod client;
pub mod clock;
pub mod cost;
pub mod doctor;
pub mod embed;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gateway;
pub mod load;
pub mod lock;
pub mod metrics;
pub mod payload;
pub mod process;
pub mod provider;
pub mod queue;
pub mod store;
pub mod usage;
pub mod wire;

pub use error::{Error, ProviderError, ProviderErrorKind, Result};
pub use payload::Payload;
