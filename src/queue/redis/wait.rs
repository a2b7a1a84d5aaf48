//! Waiting for what other processes do, without asking again and again.

use super::RedisQueue;
use super::{LEAST_PATIENCE, PATIENCE};
use crate::Result;
use crate::queue::moment::Moment;
use crate::queue::owner::Who;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The longest sleep without a question, a little random so that not all ask at once: a message may have been missed.
const LONGEST_SLEEP: Duration = Duration::from_secs(45);
const SPREAD: Duration = Duration::from_secs(15);
/// The same while no messages come in.
const WITHOUT_MESSAGES: Duration = Duration::from_secs(1);

impl RedisQueue {
    /// Hears from now on what changes; whether that is new, so that the state has to be looked at once more.
    pub(super) async fn hear(self: &Arc<Self>, patience: Duration) -> Result<bool> {
        if self.channel.hears() {
            return Ok(false);
        }
        let weak = Arc::downgrade(self);
        self.channel.listen(&self.link, move |message| told(&weak, message), patience).await?;
        Ok(self.channel.hears())
    }

    /// Ends when something may have changed since the call.
    pub(super) async fn await_change(self: &Arc<Self>) -> Result<()> {
        let (ready, room) = (self.ready.listen(), self.room.listen());
        self.hear(LEAST_PATIENCE).await?;
        // That asks for nothing and leaves word.
        let (_, next) = self.take_once(0, Who::Worker, PATIENCE).await?;
        let told = async {
            tokio::select! {
                () = ready.notified() => {}
                () = room.notified() => {}
            }
        };
        self.sleep(told, next, None).await;
        Ok(())
    }

    /// Sleeps until something is told, `next` has passed or `until` is reached.
    pub(super) async fn sleep(
        &self,
        notified: impl Future<Output = ()>,
        next: Option<Duration>,
        until: Option<Moment>,
    ) {
        let hears = self.channel.hears();
        let mut pause = if hears { LONGEST_SLEEP + SPREAD.mul_f64(rand::random::<f64>()) } else { WITHOUT_MESSAGES };
        if let Some(next) = next {
            pause = pause.min(next);
        }
        if let Some(until) = until {
            pause = pause.min(until.since(self.now()));
        }
        // The timer's grain is a millisecond: less would spin.
        let _ = tokio::time::timeout(pause.max(Duration::from_millis(1)), notified).await;
    }
}

/// Wakes those who wait for what a script published: `r` something may be ready, `o` there may be room, `i` nothing is
/// open, `d` and an id: that request has ended. None: some may have been missed.
fn told(inner: &Weak<RedisQueue>, message: Option<&[u8]>) {
    let Some(inner) = inner.upgrade() else { return };
    let kind = message.and_then(|message| message.first());
    if matches!(kind, None | Some(b'r')) {
        inner.ready.wake_all();
        inner.give_turns();
    }
    if matches!(kind, None | Some(b'o')) {
        inner.room.wake_all();
    }
    if matches!(kind, None | Some(b'i')) {
        inner.idle.wake_all();
    }
    match message.and_then(|message| message.split_first()) {
        Some((b'd', id)) => {
            if let Some(id) = std::str::from_utf8(id).ok().and_then(|id| u64::from_str_radix(id, 16).ok()) {
                inner.turns.forget(id);
                inner.outcomes.wake(id);
            }
        }
        Some(_) => {}
        None => inner.outcomes.wake_all(),
    }
}
