//! How commands reach a server: two ways, behind one trait.

use async_trait::async_trait;
use redis::{Cmd, RedisResult, Value};

/// What is told of a channel: a message, or with None that it is heard from now on.
pub(super) type Told<'a> = &'a (dyn Fn(Option<&[u8]>) + Send + Sync);

/// A way to a server.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Sends a command; its reply. A connection that fails, or is not waited for any longer, is not used again.
    async fn send(&self, command: &Cmd) -> RedisResult<Value>;

    /// Tells of each message of a channel, and first, with None, that it hears; ends where it hears no more.
    async fn hear(&self, channel: &str, tell: Told<'_>) -> RedisResult<()>;
}
