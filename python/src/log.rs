//! What the core logs, for Python's `logging`, under the name `headrace`.
//!
//! An event may come from any thread, and with a lock held: asking for the GIL there would be a deadlock in waiting. So
//! events are kept, up to a bound, and handed over by whatever comes first: a call on its way back to Python, a call that
//! waits, a task of its own where no call comes (behind the endpoint), or the end of the process.

use crate::runtime::{Bridged, is_exiting};
use headrace::lock::Lock;
use pyo3::prelude::*;
use std::collections::VecDeque;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Events that wait at most; the oldest go first.
const MOST: usize = 1000;

static WAITING: Lock<VecDeque<(u8, String)>> = Lock::new(VecDeque::new());
/// How long events wait for a call that takes them along.
const PATIENCE: Duration = Duration::from_millis(100);

static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Whether a task is on its way to hand them over.
static IS_COMING: AtomicBool = AtomicBool::new(false);

/// Keeps warnings and errors of the core from now on.
pub(crate) fn register() {
    // Where another module of the process has one already, that hears the events.
    let _ = tracing::subscriber::set_global_default(Keeper);
}

/// Hands over what waits. Call it with no lock held.
pub(crate) fn flush(py: Python<'_>) {
    if COUNT.load(Ordering::Acquire) == 0 {
        return;
    }
    let events = {
        let mut waiting = WAITING.lock();
        COUNT.store(0, Ordering::Release);
        std::mem::take(&mut *waiting)
    };
    for (level, message) in events {
        let log =
            || py.import("logging")?.call_method1("getLogger", ("headrace",))?.call_method1("log", (level, message));
        if let Err(error) = log() {
            error.write_unraisable(py, None);
        }
    }
}

/// Sees to it that events reach Python though no call comes by.
fn hand_over_soon() {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if IS_COMING.swap(true, Ordering::AcqRel) {
        return;
    }
    runtime.spawn(async {
        tokio::time::sleep(PATIENCE).await;
        IS_COMING.store(false, Ordering::Release);
        if COUNT.load(Ordering::Acquire) == 0 {
            return;
        }
        let bridged = Bridged::new();
        if is_exiting() {
            return;
        }
        // Waiting for the GIL must not keep other tasks from a thread.
        tokio::task::spawn_blocking(move || {
            Python::attach(flush);
            drop(bridged);
        });
    });
}

struct Keeper;

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("headrace") && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let level = if *event.metadata().level() == Level::ERROR { 40 } else { 30 };
        let mut waiting = WAITING.lock();
        if waiting.len() == MOST {
            waiting.pop_front();
        }
        waiting.push_back((level, text.message + &text.fields));
        COUNT.store(waiting.len(), Ordering::Release);
        drop(waiting);
        hand_over_soon();
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " ({} {value:?})", field.name())
        };
    }
}
