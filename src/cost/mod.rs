//! What calls cost: money, energy, carbon.

mod attribution;
mod backend;
pub mod budget;
pub mod carbon;
mod cheapest;
mod deferred;
mod export;
mod ledger;
pub mod money;
pub mod price;
mod pricing;
mod record;
mod reservation;
mod summary;
pub mod tokens;
mod tracker;

pub use attribution::Attribution;
pub use cheapest::Needs;
pub use deferred::Deferred;
pub use ledger::aggregate::Aggregate;
pub use ledger::filter::Filter;
pub(crate) use ledger::sqlite::SCHEMA;
pub use record::{CacheUse, Call, CostRecord, Estimated, RateCard};
pub use reservation::{Reservation, Settlement};
pub use summary::{Dimension, SummaryRow};
pub use tracker::{CostTracker, DEFAULT_LEASE, Stats};
