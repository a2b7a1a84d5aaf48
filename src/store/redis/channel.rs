//! Hears what scripts publish, on a connection of its own, for as long as somebody keeps the ear.

use super::link::{RedisLink, pause};
use super::runtime::start_on_redis;
use crate::Result;
use crate::lock::Lock;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A connection that held this long is not counted among the failures.
const HELD: Duration = Duration::from_secs(5);

/// An ear on a channel. It listens from the first time that somebody waits.
pub(crate) struct RedisChannel {
    name: String,
    ear: Lock<Option<Ear>>,
}

struct Ear {
    process: u32,
    task: AbortHandle,
    hears: watch::Receiver<bool>,
}

impl Ear {
    /// Ends what a forked child inherited, of which nothing runs here.
    fn end(self) {
        if self.process == crate::process::id() {
            self.task.abort();
        } else {
            std::mem::forget(self);
        }
    }
}

impl RedisChannel {
    pub(crate) fn new(name: String) -> Self {
        Self { name, ear: Lock::new(None) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether messages come in now.
    pub(crate) fn hears(&self) -> bool {
        self.ear.lock().as_ref().is_some_and(|ear| ear.process == crate::process::id() && *ear.hears.borrow())
    }

    /// Listens, if it does not yet, and waits until it does, no longer than `patience`. `tell` is told of each message,
    /// and with None that some may have been missed.
    pub(crate) async fn listen(
        &self,
        link: &Arc<RedisLink>,
        tell: impl Fn(Option<&[u8]>) + Send + Sync + 'static,
        patience: Duration,
    ) -> Result<()> {
        let mut hears = {
            let mut ear = self.ear.lock();
            match &*ear {
                Some(ear) if ear.process == crate::process::id() => ear.hears.clone(),
                _ => {
                    let (says, hears) = watch::channel(false);
                    let task = start_on_redis(hear(Arc::clone(link), self.name.clone(), tell, says))?;
                    let fresh = Ear { process: crate::process::id(), task, hears: hears.clone() };
                    if let Some(inherited) = ear.replace(fresh) {
                        inherited.end();
                    }
                    hears
                }
            }
        };
        let _ = tokio::time::timeout(patience, hears.wait_for(|hears| *hears)).await;
        Ok(())
    }
}

impl Drop for RedisChannel {
    fn drop(&mut self) {
        if let Some(ear) = self.ear.get_mut().take() {
            ear.end();
        }
    }
}

async fn hear(
    link: Arc<RedisLink>,
    name: String,
    tell: impl Fn(Option<&[u8]>) + Send + Sync,
    says: watch::Sender<bool>,
) {
    let mut failures = 0;
    loop {
        let started = Instant::now();
        if let Ok(transport) = link.transport() {
            let heard = transport
                .hear(&name, &|message| {
                    if message.is_none() {
                        says.send_replace(true);
                    }
                    tell(message);
                })
                .await;
            if let Err(error) = heard {
                tracing::debug!(%error, "a channel of Redis is not heard now");
            }
        }
        says.send_replace(false);
        // Whoever waits asks by itself until messages come again.
        tell(None);
        failures = if started.elapsed() > HELD { 0 } else { failures + 1 };
        pause(failures, Duration::MAX).await;
    }
}
