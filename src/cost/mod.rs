//! What calls cost: money, energy, carbon.

mod attribution;
mod backend;
pub mod budget;
pub mod carbon;
mod cheapest;
mod export;
mod ledger;
pub mod money;
mod pending;
pub mod price;
mod pricing;
mod record;
mod reservation;
mod summary;
pub mod tokens;
mod tracker;
pub mod usage;

pub use attribution::Attribution;
pub use cheapest::Needs;
pub use ledger::aggregate::Aggregate;
pub use ledger::filter::Filter;
pub(crate) use ledger::sqlite::SCHEMA;
pub use pending::Pending;
pub use record::{CacheUse, Call, CostRecord, Entry};
pub use reservation::{Outcome, Reservation};
pub use summary::{Dimension, Group};
pub use tracker::{CostTracker, DEFAULT_LEASE, Stats};
