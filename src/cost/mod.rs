//! What calls cost: money, energy, carbon.

mod accounts;
mod attribution;
pub mod budget;
pub mod carbon;
mod cheapest;
mod deferred;
mod export;
pub mod ledger;
pub mod money;
pub(crate) mod names;
mod portable;
pub mod price;
mod pricing;
mod record;
mod reservation;
mod summary;
mod together;
pub mod tokens;
mod tracker;

pub use attribution::Attribution;
pub use cheapest::Needs;
pub use deferred::Deferred;
pub use ledger::Filter;
pub(crate) use ledger::LEDGER_SCHEMA as SCHEMA;
pub use ledger::aggregate::Aggregate;
pub use ledger::backlog::flush_all;
pub use record::{CacheUse, Call, CostRecord, Estimated, RateCard};
pub use reservation::{Reservation, Settlement};
pub use summary::{Dimension, SummaryRow};
pub use together::Together;
pub use tracker::{CostTracker, DEFAULT_LEASE, Stats, WorstCase};
