//! Panics of a dependency that reads a file from outside, as errors and without a word on the screen.
//!
//! The tokenizers crate panics over some damaged files, where it reads them and where it splits a text by them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught, and so is nobody's news.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `work` returns; what it said where it panicked. Use nothing that it may have left half done.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.try_with(Cell::get).unwrap_or(false) {
                before(panic);
            }
        }));
    });
    let outer = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(outer);
    result.map_err(|panic| {
        let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
        said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it is damaged".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_panic_becomes_what_it_said() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| panic!("as a test")), Err::<(), _>("as a test".to_owned()));
        assert_eq!(caught(|| panic!("{} tests", 2)), Err::<(), _>("2 tests".to_owned()));
        assert_eq!(caught(|| caught(|| panic!("inside")).is_err()), Ok(true));
    }
}
