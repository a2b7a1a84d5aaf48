//! How commands reach a server: two ways, behind one trait.

use async_trait::async_trait;
use redis::{Cmd, RedisResult, Value};
use std::time::Duration;

/// What is told of a channel: a message, or with None that it is heard from now on.
pub(super) type Told<'a> = &'a (dyn Fn(Option<&[u8]>) + Send + Sync);

/// A way to a server.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Sends a command; its reply. A connection that fails, or is not waited for any longer, is not used again.
    async fn send(&self, command: &Cmd) -> RedisResult<Value>;

    /// Sends a command that writes, and waits until so many replicas have it, no longer than `within`: its reply, and how many
    /// have it. The next commands of the connection wait too.
    async fn send_to_replicas(&self, command: &Cmd, replicas: u32, within: Duration) -> RedisResult<(Value, u32)>;

    /// Tells of each message of a channel, and first, with None, that it hears; ends where it hears no more.
    async fn hear(&self, channel: &str, tell: Told<'_>) -> RedisResult<()>;
}
