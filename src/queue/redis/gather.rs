//! One command for what several callers ask at once: while one is under way, what comes gathers for the next.

use super::RedisQueue;
use crate::lock::{Lazy, Lock};
use crate::store::redis::{Arguments, RedisScript, list_of, on_redis};
use crate::{Error, Result};
use redis::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How much goes with one command, so that the server is not kept from others for long.
const MOST_AT_ONCE: usize = 64;
const MOST_BYTES: usize = 1 << 20;
/// How long the error of the command itself is waited for, which says more, when a caller's patience is over.
const GRACE: Duration = Duration::from_millis(100);

/// What one caller asks.
struct Asked {
    arguments: Arguments,
    patience: Duration,
    answer: oneshot::Sender<Result<Value>>,
}

/// Those who ask one script. As with a connection, a forked child begins with none.
pub(super) struct Gather {
    script: &'static Lazy<RedisScript>,
    state: Lock<Gathered>,
}

#[derive(Default)]
struct Gathered {
    process: u32,
    asked: Vec<Asked>,
    /// Whether somebody sends what was asked.
    sends: bool,
}

impl Gather {
    pub(super) fn new(script: &'static Lazy<RedisScript>) -> Self {
        Self { script, state: Lock::default() }
    }

    /// Adds a question; whether nobody sends yet.
    fn add(&self, asked: Asked) -> bool {
        let process = crate::process::id();
        let mut state = self.state.lock();
        if state.process != process {
            *state = Gathered { process, ..Gathered::default() };
        }
        state.asked.push(asked);
        !std::mem::replace(&mut state.sends, true)
    }

    /// What goes with the next command; nothing where nobody waits for anything, and then nobody sends.
    fn next(&self) -> Vec<Asked> {
        let mut state = self.state.lock();
        state.asked.retain(|asked| !asked.answer.is_closed());
        let mut bytes = 0;
        let fits = |asked: &&Asked| {
            bytes += asked.arguments.bytes();
            bytes <= MOST_BYTES
        };
        let most = state.asked.iter().take(MOST_AT_ONCE).take_while(fits).count().max(1).min(state.asked.len());
        let next: Vec<_> = state.asked.drain(..most).collect();
        state.sends = !next.is_empty();
        next
    }
}

impl RedisQueue {
    /// Asks a script that answers several at once; its answer to this question.
    pub(super) async fn ask_together(
        self: &Arc<Self>,
        gather: fn(&Self) -> &Gather,
        arguments: Arguments,
        patience: Duration,
    ) -> Result<Value> {
        let queue = Arc::clone(self);
        on_redis(async move {
            let (answer, answered) = oneshot::channel();
            if gather(&queue).add(Asked { arguments, patience, answer }) {
                // Who comes first and alone sends what it asks, which hands nothing to another thread.
                let mut asked = gather(&queue).next();
                if asked.len() == 1 {
                    send(&queue, gather, asked).await;
                    asked = gather(&queue).next();
                }
                if !asked.is_empty() {
                    tokio::spawn(send_all(queue, gather, asked));
                }
            }
            match tokio::time::timeout(patience + GRACE, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Error::Store("the work for Redis was cut off: this process is ending".into())),
                Err(_) => Err(Error::Store(format!(
                    "Redis did not answer within {} s: calls before this one wait for it too. What was asked may or may not be done",
                    patience.as_secs_f64()
                ))),
            }
        })
        .await
    }
}

/// Sends what was asked, until nothing is.
async fn send_all(queue: Arc<RedisQueue>, gather: fn(&RedisQueue) -> &Gather, mut asked: Vec<Asked>) {
    while !asked.is_empty() {
        send(&queue, gather, asked).await;
        asked = gather(&queue).next();
    }
}

/// Sends with one command what several asked.
async fn send(queue: &RedisQueue, gather: fn(&RedisQueue) -> &Gather, asked: Vec<Asked>) {
    let Some(patience) = asked.iter().map(|asked| asked.patience).max() else { return };
    let mut arguments = Arguments::default().int(asked.len());
    for one in &asked {
        arguments = arguments.all(&one.arguments);
    }
    let reply = queue.run(gather(queue).script, &arguments, patience).await;
    let answers = reply.and_then(|reply| match list_of(&reply)? {
        answers if answers.len() == asked.len() => Ok(answers.to_vec()),
        _ => Err(Error::Store("several calls were not answered in a form that is known".into())),
    });
    match answers {
        // Who does not wait any more has left.
        Ok(answers) => asked.into_iter().zip(answers).for_each(|(one, answer)| drop(one.answer.send(Ok(answer)))),
        Err(error) => asked.into_iter().for_each(|one| drop(one.answer.send(Err(error.clone())))),
    }
}
