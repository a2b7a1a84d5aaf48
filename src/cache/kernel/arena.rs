//! Memory that is filled from its start and never written again, so that it is read without a lock while it grows.

use crate::lock::Lock;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The alignment of a line of memory.
const LINE: usize = 64;
/// The size of a huge page. A search walks over all that it holds, and with pages of 4 KiB the walk waits for page
/// tables as long as for memory.
const HUGE: usize = 2 << 20;
/// From this size on large memory comes in huge pages.
const WORTH_HUGE: usize = 256 << 10;

/// Room for a fixed number of values; the first `len` are there.
pub(crate) struct Arena<T: Copy> {
    start: NonNull<T>,
    layout: Layout,
    capacity: usize,
    length: AtomicUsize,
    writer: Lock<()>,
}

// SAFETY: values are `Copy` and, once counted in `length`, never written again; they are written under the mutex.
unsafe impl<T: Copy + Send> Send for Arena<T> {}
// SAFETY: as above.
unsafe impl<T: Copy + Send + Sync> Sync for Arena<T> {}

impl<T: Copy> Arena<T> {
    /// `is_large` says that most of it will be filled, so that huge pages waste nothing to speak of.
    pub fn new(capacity: usize, is_large: bool) -> Self {
        let size = (capacity * size_of::<T>()).max(LINE);
        let (size, align) =
            if is_large && size >= WORTH_HUGE { (size.next_multiple_of(HUGE), HUGE) } else { (size, LINE) };
        let Ok(layout) = Layout::from_size_align(size, align.max(align_of::<T>())) else {
            // More than the address space has room for.
            handle_alloc_error(Layout::new::<T>())
        };
        // SAFETY: the layout's size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        #[cfg(target_os = "linux")]
        if align == HUGE {
            // SAFETY: the range was allocated above. It is advice: if the system does not take it, nothing changes.
            unsafe { libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        }
        Self { start: start.cast(), layout, capacity, length: AtomicUsize::new(0), writer: Lock::new(()) }
    }

    /// Adds `values`; false where there is no room for them.
    pub fn push(&self, values: &[T]) -> bool {
        let _alone = self.writer.lock();
        let length = self.length.load(Ordering::Relaxed);
        if values.len() > self.capacity - length {
            return false;
        }
        // SAFETY: there is room for the values behind the first `length`, which nobody reads until they are counted,
        // and which nobody else writes, for the mutex is held.
        unsafe { self.start.as_ptr().add(length).copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        self.length.store(length + values.len(), Ordering::Release);
        true
    }

    /// Some of the values that are there; empty where one of them is not.
    pub fn get(&self, range: Range<usize>) -> &[T] {
        if range.start > range.end || range.end > self.length.load(Ordering::Acquire) {
            return &[];
        }
        // SAFETY: the first `length` values are written, and are not written again while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(range.start), range.len()) }
    }
}

impl<T: Copy> Drop for Arena<T> {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`, and the values need no drop.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
    }
}

impl<T: Copy> fmt::Debug for Arena<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arena({} of {})", self.length.load(Ordering::Relaxed), self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_was_pushed_and_no_more() {
        for capacity in [3, 100_000] {
            let arena = Arena::new(capacity, true);
            assert!(arena.push(&[1_u32, 2]) && arena.push(&[3]));
            assert_eq!(arena.get(0..3), [1, 2, 3]);
            assert!(arena.get(1..4).is_empty() && arena.get(3..4).is_empty());
            assert!(!arena.push(&vec![9; capacity]));
        }
    }
}
