//! Sends scripts to a server, again where that is of use, and no longer than its caller waits.

use super::fault::{is_passing, out_of_reach, store_error, too_few_replicas};
use super::reach::{Silence, StoreReach};
use super::resp::Resp;
use super::script::RedisScript;
use super::transport::Transport;
use super::upstash::Upstash;
use crate::Result;
use crate::lock::Lock;
use crate::store::{RedisKind, RedisUrl};
use redis::{Cmd, RedisError, RedisResult, ToRedisArgs, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pause before a second attempt, doubled for each further one up to the longest; each with full jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a server has to say that it is there.
const PATIENCE_OF_A_LOOK: Duration = Duration::from_secs(1);

/// The way to one address; in a forked child another than in its parent.
pub(crate) struct RedisLink {
    address: RedisUrl,
    current: Lock<Option<(u32, Arc<dyn Transport>)>>,
    silence: Silence,
}

impl RedisLink {
    /// # Errors
    /// `Config` where the address cannot be read.
    pub(crate) fn new(address: RedisUrl) -> Result<Self> {
        let first = way(&address)?;
        Ok(Self { address, current: Lock::new(Some((crate::process::id(), first))), silence: Silence::default() })
    }

    pub(super) fn transport(&self) -> Result<Arc<dyn Transport>> {
        let process = crate::process::id();
        let mut current = self.current.lock();
        if let Some((of, transport)) = &*current
            && *of == process
        {
            return Ok(Arc::clone(transport));
        }
        let fresh = way(&self.address)?;
        if let Some(inherited) = current.replace((process, Arc::clone(&fresh))) {
            // Its connections are the parent's, whose thread is not here.
            std::mem::forget(inherited);
        }
        Ok(fresh)
    }

    /// Whether arguments may be any bytes; else they are text.
    pub(crate) fn is_binary(&self) -> bool {
        self.address.kind() != RedisKind::Upstash
    }

    /// Runs a script. Call it where the connections are.
    ///
    /// # Errors
    /// `Store` where the server refuses, or does not answer within `patience`.
    pub(crate) async fn run(
        &self,
        script: &RedisScript,
        keys: &[String],
        arguments: &impl ToRedisArgs,
        patience: Duration,
    ) -> Result<Value> {
        let transport = self.transport()?;
        let command = |name: &str, text: &str| {
            let mut command = redis::cmd(name);
            command.arg(text).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        let by_digest = command("EVALSHA", script.digest());
        let started = Instant::now();
        let mut attempt = 0_u32;
        let mut last = None;
        loop {
            let left = patience.saturating_sub(started.elapsed());
            let sent = tokio::time::timeout(left, async {
                match self.send(&*transport, &by_digest, left).await {
                    // The server has started anew, or its scripts were flushed: the text goes along, and is kept again.
                    Err(error) if is_unknown_script(&error) => {
                        self.send(&*transport, &command("EVAL", script.text()), left).await
                    }
                    other => other,
                }
            });
            match sent.await {
                Err(_) => {
                    self.silence.note(false);
                    return Err(out_of_reach(last.as_ref(), self.address.kind(), patience.as_secs_f64()));
                }
                Ok(reply) => match reply {
                    Ok((value, have)) => {
                        self.silence.note(true);
                        let wanted = self.address.replicas();
                        if have < wanted {
                            return Err(too_few_replicas(have, wanted, self.address.kind()));
                        }
                        return Ok(value);
                    }
                    Err(error) if is_passing(&error) => {
                        self.silence.note(false);
                        last = Some(error);
                    }
                    Err(error) => return Err(store_error(&error, self.address.kind())),
                },
            }
            let left = patience.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(out_of_reach(last.as_ref(), self.address.kind(), patience.as_secs_f64()));
            }
            pause(attempt, left).await;
            attempt += 1;
        }
    }

    /// Sends a command; its reply, and how many replicas have what it wrote, of those that have to.
    async fn send(&self, transport: &dyn Transport, command: &Cmd, left: Duration) -> RedisResult<(Value, u32)> {
        let wanted = self.address.replicas();
        if wanted == 0 {
            return Ok((transport.send(command).await.and_then(Value::extract_error)?, 0));
        }
        // Time is left for the answer.
        let (reply, have) = transport.send_to_replicas(command, wanted, left.mul_f64(0.8)).await?;
        Ok((reply.extract_error()?, have))
    }

    /// Whether the server answers now. Call it where the connections are.
    pub(crate) async fn reach(&self) -> StoreReach {
        let asked = async {
            let transport = self.transport().ok()?;
            transport.send(&redis::cmd("PING")).await.and_then(Value::extract_error).ok()
        };
        let answer = tokio::time::timeout(PATIENCE_OF_A_LOOK, asked).await;
        self.silence.note(matches!(answer, Ok(Some(_))));
        self.silence.reach(self.address.kind())
    }

    /// Asks whether the server is there, and warns where it may drop what is kept in it.
    ///
    /// # Errors
    /// `Store` where it refuses, or does not answer within `patience`.
    pub(crate) async fn check(&self, patience: Duration) -> Result<()> {
        let transport = self.transport()?;
        let (ping, mut info) = (redis::cmd("PING"), redis::cmd("INFO"));
        info.arg("memory");
        let asked = async {
            transport.send(&ping).await.and_then(Value::extract_error)?;
            Ok::<_, RedisError>(transport.send(&info).await)
        };
        match tokio::time::timeout(patience, asked).await {
            Err(_) => Err(out_of_reach(None, self.address.kind(), patience.as_secs_f64())),
            Ok(Err(error)) => Err(store_error(&error, self.address.kind())),
            Ok(Ok(info)) => {
                if let Some(policy) = info.ok().as_ref().and_then(evicting) {
                    tracing::warn!(
                        policy,
                        "this Redis may drop what is kept in it when its memory is full: set maxmemory-policy noeviction"
                    );
                }
                Ok(())
            }
        }
    }
}

/// The policy by which a server with bounded memory drops keys; None where it drops none, or does not say.
fn evicting(info: &Value) -> Option<String> {
    let Value::BulkString(text) = info else { return None };
    let text = String::from_utf8_lossy(text);
    let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let policy = of("maxmemory_policy:")?;
    (of("maxmemory:")? != "0" && policy != "noeviction").then(|| policy.to_owned())
}

fn way(address: &RedisUrl) -> Result<Arc<dyn Transport>> {
    Ok(match address.kind() {
        RedisKind::Upstash => Arc::new(Upstash::new(address)?),
        _ => Arc::new(Resp::new(address)?),
    })
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

/// Waits before the next attempt: exponential with full jitter, so that many do not come back at once.
pub(super) async fn pause(attempt: u32, most: Duration) {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    tokio::time::sleep(longest.mul_f64(rand::random::<f64>()).max(Duration::from_millis(1)).min(most)).await;
}
