//! What calls cost: money, energy, carbon.

pub mod carbon;
