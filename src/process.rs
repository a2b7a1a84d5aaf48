//! Which process this is, asked for in every wake-up: a fork tells of itself, so that no system call is needed.

use std::sync::atomic::{AtomicU32, Ordering};

/// 0 where it is not known.
static ID: AtomicU32 = AtomicU32::new(0);

/// The id of this process.
///
/// ```
/// assert_eq!(headrace::process::id(), std::process::id());
/// ```
#[must_use]
pub fn id() -> u32 {
    match ID.load(Ordering::Relaxed) {
        0 => ask(),
        known => known,
    }
}

#[cold]
fn ask() -> u32 {
    let id = std::process::id();
    if hears_of_forks() {
        ID.store(id, Ordering::Relaxed);
    }
    id
}

/// Whether a forked child will forget the id.
#[cfg(unix)]
fn hears_of_forks() -> bool {
    use std::sync::OnceLock;
    static HEARS: OnceLock<bool> = OnceLock::new();
    extern "C" fn forget() {
        ID.store(0, Ordering::Relaxed);
    }
    #[allow(unsafe_code, reason = "no library offers it in a safe form")]
    // SAFETY: the handler stores to an atomic that lives as long as the program, which a forked child may do.
    *HEARS.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(forget)) } == 0)
}

/// Where nothing forks, the id stays.
#[cfg(not(unix))]
fn hears_of_forks() -> bool {
    true
}
