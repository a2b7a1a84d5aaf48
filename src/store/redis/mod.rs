//! What the rooms that keep their state in Redis share: addresses, scripts, commands, wake-ups, errors.
//!
//! - Whatever is decided is decided inside a script, which the server runs as a whole: `scripts/*.lua`, loaded by digest,
//!   with data only in `KEYS` and `ARGV`. Every key of a room is declared and stands under one hash tag, so that a room is
//!   one slot of a cluster.
//! - [`RedisLink`] sends commands. It reconnects with jitter, and asks again where a reply was lost: every script may be
//!   run twice. A caller waits no longer than its patience.
//! - [`RedisChannel`] hears what the scripts publish, on a connection of its own.
//! - Connections live on a thread of headrace's own, one in each process: a caller needs no runtime, and may be any thread.
//!   A thread that waits for an answer to one server asks it over a connection of its own, where that is free (`direct`).

mod arguments;
mod channel;
mod direct;
mod fault;
mod link;
mod reach;
mod reply;
mod resp;
mod runtime;
mod script;
mod transport;
mod upstash;

pub(crate) use arguments::{Arguments, body_of, escaped, micros, payload_of, unescaped};
pub(crate) use channel::RedisChannel;
pub(crate) use link::RedisLink;
pub use reach::StoreReach;
pub(crate) use reply::{bytes_of, int_of, list_of, text_of};
pub(crate) use runtime::{on_redis, start_on_redis};
pub(crate) use script::RedisScript;
#[cfg(any(test, fuzzing))]
pub(crate) use upstash::value as upstash_value;
