//! A gate around SQLite: a fork waits until no thread is inside, so that the child finds none of its locks taken.
//!
//! In a child only the thread that forked lives on. A mutex of SQLite that another one held would stay locked for ever,
//! and SQLite's tables of open files would tell of locks that the child does not have. So a fork comes between two
//! calls, and the child counts as another [`generation`]: files that it opens are new to SQLite.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Threads that are inside, each counted at its own slot: those that go in and out at once do not wait for one place in
/// memory.
static INSIDE: [Slot; SLOTS] = [const { Slot(AtomicU32::new(0)) }; SLOTS];
const SLOTS: usize = 16;
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

/// On a cache line of its own.
#[repr(align(128))]
struct Slot(AtomicU32);

thread_local! {
    /// Where this thread is counted.
    static SLOT: &'static AtomicU32 = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        &INSIDE[NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS].0
    };
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
            go_out();
        }
    }
}

/// Runs `wait` outside, where this thread was inside before and is again afterwards.
pub(super) fn outside<T>(wait: impl FnOnce() -> T) -> T {
    let depth = DEPTH.replace(0);
    if depth > 0 {
        go_out();
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
        own_slot().fetch_add(1, Ordering::SeqCst);
        if FORKING.load(Ordering::SeqCst) == 0 {
            return;
        }
        go_out();
    }
}

fn go_out() {
    own_slot().fetch_sub(1, Ordering::SeqCst);
}

fn own_slot() -> &'static AtomicU32 {
    // A thread that ends has no place of its own any more.
    SLOT.try_with(|slot| *slot).unwrap_or(&INSIDE[0].0)
}

fn inside() -> u32 {
    INSIDE.iter().map(|slot| slot.0.load(Ordering::SeqCst)).sum()
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
    while inside() > own && begun.elapsed() < MOST {
        std::thread::sleep(PAUSE);
    }
}

extern "C" fn in_parent() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    super::locks::forget();
    INSIDE.iter().for_each(|slot| slot.0.store(0, Ordering::SeqCst));
    own_slot().store(u32::from(DEPTH.try_with(Cell::get).unwrap_or(0) > 0), Ordering::SeqCst);
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
