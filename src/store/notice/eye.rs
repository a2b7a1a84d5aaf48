//! One thread a process that Linux tells when the log of a file was opened.

use crate::store::sqlite::fork;
use parking_lot::Mutex;
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch::Sender;

struct Eye {
    process: u32,
    source: Arc<OwnedFd>,
    /// Who hears of a file, by the number that the system gave the watch.
    ears: HashMap<i32, Vec<Sender<u64>>>,
}

static EYE: Mutex<Option<Eye>> = Mutex::new(None);

/// Tells `ear` of every opening of `log` from now on; whether the system does so.
pub(super) fn watch(log: &Path, ear: &Sender<u64>) -> bool {
    let _inside = fork::enter();
    let mut eye = EYE.lock();
    if eye.as_ref().is_none_or(|eye| eye.process != crate::process::id()) {
        // What a forked child inherited is its parent's.
        *eye = open();
    }
    let Some(eye) = &mut *eye else { return false };
    match inotify::add_watch(&*eye.source, log, WatchFlags::OPEN) {
        Ok(number) => {
            let ears = eye.ears.entry(number).or_default();
            ears.retain(|ear| ear.receiver_count() > 0 || ear.sender_count() > 1);
            ears.push(ear.clone());
            true
        }
        Err(error) => {
            tracing::warn!(log = %log.display(), %error, "the system tells of no changes: looking every 20 ms instead");
            false
        }
    }
}

fn open() -> Option<Eye> {
    let source = match inotify::init(CreateFlags::CLOEXEC) {
        Ok(source) => Arc::new(source),
        Err(error) => {
            tracing::warn!(%error, "the system tells of no changes of files: looking every 20 ms instead");
            return None;
        }
    };
    let process = crate::process::id();
    let own = Arc::clone(&source);
    std::thread::Builder::new().name("headrace-notices".into()).spawn(move || listen(&own, process)).ok()?;
    Some(Eye { process, source, ears: HashMap::new() })
}

/// The thread. It sleeps in the kernel until a watched file is opened.
fn listen(source: &OwnedFd, process: u32) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(source, &mut buffer);
    loop {
        let (number, gone) = match events.next() {
            Ok(event) => (event.wd(), event.events().contains(inotify::ReadFlags::IGNORED)),
            Err(Errno::INTR) => continue,
            Err(error) => {
                tracing::error!(%error, "notices of changes have ended: open the files again");
                return;
            }
        };
        let _inside = fork::enter();
        let mut eye = EYE.lock();
        let Some(eye) = eye.as_mut().filter(|eye| eye.process == process) else { return };
        let lost = number == -1;
        for (_, ears) in eye.ears.iter_mut().filter(|(known, _)| lost || **known == number) {
            // The last owner of a channel is this table: its file was closed.
            ears.retain(|ear| ear.sender_count() > 1);
            for ear in ears {
                ear.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
        if gone {
            eye.ears.remove(&number);
        }
    }
}
