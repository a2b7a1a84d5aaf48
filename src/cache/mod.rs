//! The semantic cache.

pub mod guard;
pub mod policy;
