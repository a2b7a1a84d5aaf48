//! The load generator: what is asked ([`workload`]), when ([`arrival`]), of whom ([`target`]), and how it went
//! ([`generator`], [`record`], [`summary`]); what may be concluded from it ([`stats`]), and at what cost to the
//! machine ([`process`], [`noise`]).
//!
//! Latency is counted from the moment a request was meant to be sent, not from when the generator came to it: a target
//! that stalls is charged for all the requests that the stall kept waiting (coordinated omission, Tene 2013).

pub mod arrival;
pub mod generator;
pub mod histogram;
pub mod noise;
pub mod observation;
pub mod process;
pub mod record;
pub mod request;
pub mod rng;
pub mod stats;
pub mod summary;
pub mod target;
pub mod workload;
