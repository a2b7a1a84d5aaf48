//! The end of the process: every file that is still open is closed, so that it alone holds everything.

use super::fork;
use super::writer::Writer;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The writers that were started, each with its process.
static WRITERS: Mutex<Vec<(u32, Weak<Writer>)>> = Mutex::new(Vec::new());

pub(super) fn register(writer: &Arc<Writer>) {
    let _inside = fork::enter();
    let mut writers = WRITERS.lock();
    writers.retain(|(_, writer)| writer.strong_count() > 0);
    writers.push((crate::process::id(), Arc::downgrade(writer)));
}

/// Closes every file that this process has open, and waits for that, `most` altogether; whether all were closed.
/// What is written later is refused.
///
/// ```
/// assert!(headrace::store::sqlite::close_all(std::time::Duration::from_secs(1)));
/// ```
pub fn close_all(most: Duration) -> bool {
    let until = Instant::now() + most;
    let writers: Vec<_> = {
        let _inside = fork::enter();
        let writers = WRITERS.lock();
        let own = writers.iter().filter(|(process, _)| *process == crate::process::id());
        own.filter_map(|(_, writer)| writer.upgrade()).collect()
    };
    for writer in &writers {
        writer.close();
    }
    // Each is waited for, also behind one that was too slow.
    writers.iter().filter(|writer| !writer.wait_until(until)).count() == 0
}
