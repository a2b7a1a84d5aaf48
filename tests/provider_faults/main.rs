//! A provider that misbehaves, over raw sockets: what it sends is written out byte by byte, and no server of ours is between.

#![allow(clippy::unwrap_used, reason = "what helps tests may fail as they do")]

mod bodies;
mod breaker;
mod cancel;
mod learned;
mod line;
mod matrix;
mod raw;
mod secrets;
mod streams;
