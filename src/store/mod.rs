//! Where state is kept, and what the rooms that keep it share: addresses, files, checksums, wake-ups between processes.

mod checksum;
mod damage;
mod location;
pub mod notice;
pub(crate) mod redis;
pub mod sqlite;

pub use checksum::Checksum;
pub use damage::Damage;
pub use location::{Location, RedisKind, RedisUrl};
pub use redis::StoreReach;
