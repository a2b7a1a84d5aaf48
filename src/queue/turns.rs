//! Who waits for a turn of its own, and the one among them who watches the clock for all.

use super::core::HandedOut;
use super::id_map::IdMap;
use super::moment::Moment;
use crate::lock::Lock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, oneshot};

/// Those who wait, by request. As with a `Signal`, a forked child begins with none.
#[derive(Debug)]
pub(super) struct WaitingTurns {
    waiting: Lock<Waiting>,
    /// How many wait: most of the time nobody does, and nobody is looked for.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    process: u32,
    turns: IdMap<oneshot::Sender<HandedOut>>,
    watch: Arc<ClockWatch>,
}

/// Time brings turns too: a rate has room again, a delay is over. One of those who wait looks at the clock for all.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    /// Held by the one who looks.
    pub(super) duty: tokio::sync::Mutex<()>,
    /// When it means to look next.
    planned: Lock<Option<Moment>>,
    /// It is to look earlier.
    pub(super) sooner: Notify,
}

impl ClockWatch {
    pub(super) fn plan(&self, next: Option<Moment>) {
        *self.planned.lock() = Some(next.unwrap_or(Moment::NEVER));
    }
}

impl WaitingTurns {
    pub(super) fn new() -> Self {
        Self { waiting: Lock::default(), count: AtomicUsize::new(0) }
    }

    fn change<T>(&self, with: impl FnOnce(&mut Waiting) -> T) -> T {
        let process = crate::process::id();
        let mut waiting = self.waiting.lock();
        if waiting.process != process {
            *waiting = Waiting { process, ..Waiting::default() };
        }
        let result = with(&mut waiting);
        self.count.store(waiting.turns.len(), Ordering::SeqCst);
        result
    }

    /// Whether anybody waits.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// Waits for the turn of a request. Call it with the state locked, so that the turn cannot come before.
    pub(super) fn expect(&self, id: u64) -> oneshot::Receiver<HandedOut> {
        let (sender, receiver) = oneshot::channel();
        self.change(|waiting| waiting.turns.insert(id, sender));
        receiver
    }

    /// Gives a turn to the one who waits for it; back where nobody does.
    pub(super) fn give(&self, handed: HandedOut) -> Result<(), HandedOut> {
        match self.change(|waiting| waiting.turns.remove(&handed.id)) {
            Some(sender) => sender.send(handed),
            None => Err(handed),
        }
    }

    /// Nobody waits for that request any more: it has ended, or its caller left.
    pub(super) fn forget(&self, id: u64) {
        if self.any() {
            self.change(|waiting| waiting.turns.remove(&id));
        }
    }

    pub(super) fn forget_all(&self) {
        let waiting = self.change(|waiting| std::mem::take(&mut waiting.turns));
        drop(waiting);
    }

    pub(super) fn watch(&self) -> Arc<ClockWatch> {
        self.change(|waiting| Arc::clone(&waiting.watch))
    }

    /// Says when time may bring the next turn: the one who looks is told where that is sooner than it meant to.
    pub(super) fn look_by(&self, next: Option<Moment>) {
        let Some(next) = next else { return };
        let watch = self.watch();
        let is_sooner = watch.planned.lock().is_some_and(|planned| next < planned);
        if is_sooner {
            watch.sooner.notify_one();
        }
    }
}
