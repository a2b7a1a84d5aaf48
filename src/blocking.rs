//! Waiting for a future with a thread of one's own.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

thread_local! {
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread belongs to a caller that waits: what it waits for may as well be done on it.
#[must_use]
pub fn thread_waits() -> bool {
    WAITS.get()
}

/// Waits with this thread parked; inside a runtime too, where tokio's own way of waiting would panic.
///
/// ```
/// assert_eq!(headrace::blocking::block_on(async { 7 }), 7);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let never = |()| Ok::<(), std::convert::Infallible>(());
    match block_on_looking(future, Duration::MAX, || never(())) {
        Ok(output) => output,
        Err(never) => match never {},
    }
}

/// The same, with a look around every so often; an error of the look ends the wait and drops the future.
///
/// # Errors
/// What `look` returns.
///
/// ```
/// use headrace::blocking::block_on_looking;
/// use std::time::Duration;
/// let interrupted = block_on_looking(std::future::pending::<()>(), Duration::from_millis(1), || Err("Ctrl-C"));
/// assert_eq!(interrupted, Err("Ctrl-C"));
/// ```
pub fn block_on_looking<F: Future, E>(
    future: F,
    every: Duration,
    mut look: impl FnMut() -> Result<(), E>,
) -> Result<F::Output, E> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    let mut looked = Instant::now();
    loop {
        let polled = {
            let _waiting = Waiting(WAITS.replace(true));
            future.as_mut().poll(&mut Context::from_waker(&waker))
        };
        if let Poll::Ready(output) = polled {
            return Ok(output);
        }
        std::thread::park_timeout(every.saturating_sub(looked.elapsed()));
        if looked.elapsed() >= every {
            look()?;
            looked = Instant::now();
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Restores what the thread was, also where the poll panics.
struct Waiting(bool);

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITS.set(self.0);
    }
}
