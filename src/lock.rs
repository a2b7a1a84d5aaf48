//! Locks that a forked child finds free.
//!
//! In a child only the thread that forked lives on. What another thread held at that moment stays locked in the child for
//! ever, and a busy machine, which stops threads anywhere, makes that likely. So whoever holds one of these counts as
//! inside the gate of forks, and a fork waits until it is free.

use crate::store::sqlite::fork;
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

/// While it lives, no fork comes: for what has locks of its own. Wait for nobody meanwhile, the interpreter's lock included.
pub(crate) use fork::{Inside, enter};

/// The mutex. Nobody may wait for anything but another of its kind while holding it.
#[derive(Debug, Default)]
pub struct Lock<T> {
    inner: Mutex<T>,
}

/// What is locked, by a guard that is freed before the thread goes outside.
pub struct GatedGuard<G> {
    guard: G,
    _inside: Inside,
}

/// What is locked.
pub(crate) type Locked<'a, T> = GatedGuard<MutexGuard<'a, T>>;

impl<T> Lock<T> {
    /// A lock around a value.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self { inner: Mutex::new(value) }
    }

    /// Waits for it.
    pub fn lock(&self) -> Locked<'_, T> {
        let inside = enter();
        GatedGuard { guard: self.inner.lock(), _inside: inside }
    }

    /// What is in it, for who alone has it.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// Takes it where it is free.
    pub(crate) fn try_lock(&self) -> Option<Locked<'_, T>> {
        let inside = enter();
        self.inner.try_lock().map(|guard| GatedGuard { guard, _inside: inside })
    }
}

impl<G: Deref> Deref for GatedGuard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: Deref<Target: fmt::Debug>> fmt::Debug for GatedGuard<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<G: DerefMut> DerefMut for GatedGuard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

/// A value that the first who asks makes, by the same rule: a child finds it made, or makes it itself.
pub(crate) struct Lazy<T> {
    value: OnceLock<T>,
    make: fn() -> T,
}

impl<T> Lazy<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        Self { value: OnceLock::new(), make }
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.get().unwrap_or_else(|| {
            let _inside = enter();
            self.value.get_or_init(self.make)
        })
    }
}

/// One who writes, or many who read, by the same rule.
#[derive(Debug, Default)]
pub(crate) struct SharedLock<T> {
    inner: RwLock<T>,
}

impl<T> SharedLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { inner: RwLock::new(value) }
    }

    /// Waits until nobody writes.
    pub(crate) fn read(&self) -> GatedGuard<RwLockReadGuard<'_, T>> {
        let inside = enter();
        GatedGuard { guard: self.inner.read(), _inside: inside }
    }

    /// Waits until it is free.
    pub(crate) fn write(&self) -> GatedGuard<RwLockWriteGuard<'_, T>> {
        let inside = enter();
        GatedGuard { guard: self.inner.write(), _inside: inside }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::Lock;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    #[allow(unsafe_code, reason = "no library forks in a safe form")]
    fn a_child_finds_it_free_however_busy_it_was() {
        let (lock, is_over) = (Arc::new(Lock::new(0_u64)), Arc::new(AtomicBool::new(false)));
        let busy: Vec<_> = (0..2)
            .map(|_| {
                let (lock, is_over) = (Arc::clone(&lock), Arc::clone(&is_over));
                std::thread::spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let mut held = lock.lock();
                        *held += 1;
                        std::thread::sleep(std::time::Duration::from_micros(200));
                    }
                })
            })
            .collect();
        for _ in 0..20 {
            // SAFETY: the child touches the lock and leaves at once.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // A child that cannot have it is ended by the alarm.
                // SAFETY: both are allowed in a child of a process with threads.
                unsafe {
                    libc::alarm(60);
                    drop(lock.lock());
                    libc::_exit(7);
                }
            }
            let mut status = 0;
            // SAFETY: the status lives as long as the call.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "the child was ended by {status}");
        }
        is_over.store(true, Ordering::Relaxed);
        for thread in busy {
            thread.join().unwrap();
        }
        assert!(*lock.lock() > 0);
    }
}
