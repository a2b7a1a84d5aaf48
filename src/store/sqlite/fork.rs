//! A gate around SQLite: a fork waits until no thread is inside, so that the child finds none of its locks taken.
//!
//! In a child only the thread that forked lives on. A mutex of SQLite that another one held would stay locked for ever,
//! and SQLite's tables of open files would tell of locks that the child does not have. So a fork comes between two
//! calls, and the child counts as another [`generation`]: files that it opens are new to SQLite.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Threads that are inside.
static INSIDE: AtomicU32 = AtomicU32::new(0);
/// Threads that are forking.
static FORKING: AtomicU32 = AtomicU32::new(0);
/// Forks between this process and the one that loaded the library.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// Whether forks are told of.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// How long a fork waits for a thread that does not come out: a disk that hangs must not hang a fork for ever.
const MOST: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_micros(50);

thread_local! {
    /// How many guards this thread has.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// While it lives, this thread is inside.
pub(crate) struct Inside {
    /// A guard stays on its thread.
    _thread: std::marker::PhantomData<*const ()>,
}

/// Goes inside; waits where a thread is forking. Never wait for another thread, or for a caller, while inside.
pub(crate) fn enter() -> Inside {
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    if depth == 0 {
        go_in();
    }
    Inside { _thread: std::marker::PhantomData }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let depth = DEPTH.get() - 1;
        DEPTH.set(depth);
        if depth == 0 {
            INSIDE.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Runs `wait` outside, where this thread was inside before and is again afterwards.
pub(super) fn outside<T>(wait: impl FnOnce() -> T) -> T {
    let depth = DEPTH.replace(0);
    if depth > 0 {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
    let result = wait();
    if depth > 0 {
        go_in();
        DEPTH.set(depth);
    }
    result
}

fn go_in() {
    watch();
    loop {
        while FORKING.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(PAUSE);
        }
        INSIDE.fetch_add(1, Ordering::SeqCst);
        if FORKING.load(Ordering::SeqCst) == 0 {
            return;
        }
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many forks lie between this process and the one that loaded the library.
pub(super) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn prepare() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    // A thread that forks while it is inside does not wait for itself.
    let own = u32::from(DEPTH.try_with(Cell::get).unwrap_or(0) > 0);
    let begun = Instant::now();
    while INSIDE.load(Ordering::SeqCst) > own && begun.elapsed() < MOST {
        std::thread::sleep(PAUSE);
    }
}

extern "C" fn in_parent() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    super::locks::forget();
    INSIDE.store(u32::from(DEPTH.try_with(Cell::get).unwrap_or(0) > 0), Ordering::SeqCst);
    FORKING.store(0, Ordering::SeqCst);
}

/// Hears of forks from now on.
fn watch() {
    static ONCE: OnceLock<()> = OnceLock::new();
    if !WATCHED.load(Ordering::Acquire) {
        ONCE.get_or_init(|| {
            hear();
            WATCHED.store(true, Ordering::Release);
        });
    }
}

#[cfg(unix)]
#[allow(unsafe_code, reason = "no library offers it in a safe form")]
fn hear() {
    // SAFETY: the handlers touch atomics that live as long as the program, and in the child close descriptors.
    let refused = unsafe { libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child)) };
    if refused != 0 {
        tracing::warn!("the system cannot tell of forks: open files again in a forked child");
    }
}

#[cfg(not(unix))]
fn hear() {}
