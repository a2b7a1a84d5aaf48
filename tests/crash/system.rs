//! The system calls by which files are changed, recorded and failed at will.
//!
//! The test defines these functions itself, so that SQLite and the standard library, linked into the same program, call
//! them in place of the system's.

use libc::{c_char, c_int, c_void, off_t, size_t, ssize_t};
use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What happened to the files of a folder, in order.
#[derive(Debug, Clone)]
pub enum Event {
    Write {
        file: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        length: u64,
    },
    Remove {
        file: String,
    },
    /// Of a file, or of the folder, whose name is empty.
    Sync {
        file: String,
    },
    /// The script was told that this many of its steps are done.
    Done(usize),
}

/// A call that fails.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub call: Call,
    /// The how manieth of its kind, from 0.
    pub at: usize,
    /// Whether all later ones fail too.
    pub lasting: bool,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Write,
    Sync,
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Errno(c_int),
    /// Half of it is written, then there is no more room.
    Short,
}

#[derive(Default)]
struct Watched {
    folder: PathBuf,
    events: Vec<Event>,
    fault: Option<Fault>,
    seen: usize,
    met: usize,
}

static WATCHED: Mutex<Option<Watched>> = Mutex::new(None);

/// Watches a folder from now on, with a fault or none.
pub fn watch(folder: &Path, fault: Option<Fault>) {
    let folder = folder.canonicalize().unwrap();
    *WATCHED.lock().unwrap() = Some(Watched { folder, fault, ..Watched::default() });
}

/// Notes that so many steps are done.
pub fn done(steps: usize) {
    if let Some(watched) = &mut *WATCHED.lock().unwrap() {
        watched.events.push(Event::Done(steps));
    }
}

/// Watches no more; what happened, and how many calls failed.
pub fn end() -> (Vec<Event>, usize) {
    let watched = WATCHED.lock().unwrap().take().unwrap_or_default();
    (watched.events, watched.met)
}

impl Watched {
    /// The file's name, if it lies in the folder and is one whose content counts.
    fn name(&self, path: &Path) -> Option<String> {
        let name = path.strip_prefix(&self.folder).ok()?.to_str()?;
        // The index of a log is made anew after a crash.
        (!name.ends_with("-shm") && !name.ends_with(" (deleted)")).then(|| name.to_owned())
    }

    fn open(&self, descriptor: c_int) -> Option<String> {
        self.name(&std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?)
    }

    /// How this call is to fail.
    fn fails(&mut self, call: Call) -> Option<How> {
        let fault = self.fault.filter(|fault| fault.call == call)?;
        let number = self.seen;
        self.seen += 1;
        let met = number == fault.at || fault.lasting && number > fault.at;
        self.met += usize::from(met);
        met.then_some(fault.how)
    }
}

fn refuse(number: c_int) -> c_int {
    // SAFETY: the number of the last error is the thread's own.
    unsafe { *libc::__errno_location() = number };
    -1
}

unsafe fn write_at(descriptor: c_int, bytes: *const c_void, length: size_t, at: off_t) -> ssize_t {
    let mut held = WATCHED.lock().unwrap();
    let found = held.as_mut().and_then(|watched| Some((watched.open(descriptor)?, watched)));
    // SAFETY: handed on as it came.
    let write = |length: size_t| unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, bytes, length, at) as ssize_t };
    let Some((file, watched)) = found else {
        drop(held);
        return write(length);
    };
    let (length, how) = match watched.fails(Call::Write) {
        Some(How::Errno(number)) => return refuse(number) as ssize_t,
        Some(How::Short) => (length / 2, Some(How::Short)),
        None => (length, None),
    };
    if how == Some(How::Short) && length == 0 {
        return refuse(libc::ENOSPC) as ssize_t;
    }
    let written = write(length);
    if written > 0 {
        // SAFETY: so many bytes of it were just read by the system.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), written as usize) }.to_vec();
        watched.events.push(Event::Write { file, at: at as u64, bytes });
    }
    written
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(descriptor: c_int, bytes: *const c_void, length: size_t, at: off_t) -> ssize_t {
    // SAFETY: handed on as it came.
    unsafe { write_at(descriptor, bytes, length, at) }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(descriptor: c_int, bytes: *const c_void, length: size_t, at: off_t) -> ssize_t {
    // SAFETY: handed on as it came.
    unsafe { write_at(descriptor, bytes, length, at) }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(descriptor: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
    let watched = WATCHED.lock().unwrap().as_ref().is_some_and(|watched| watched.open(descriptor).is_some());
    // SAFETY: handed on as it came; what is written to a watched file is appended.
    unsafe {
        if !watched {
            return libc::syscall(libc::SYS_write, descriptor, bytes, length) as ssize_t;
        }
        let whence =
            if libc::fcntl(descriptor, libc::F_GETFL) & libc::O_APPEND == 0 { libc::SEEK_CUR } else { libc::SEEK_END };
        let at = libc::lseek(descriptor, 0, whence);
        let written = write_at(descriptor, bytes, length, at);
        if written > 0 {
            libc::lseek(descriptor, at + written as off_t, libc::SEEK_SET);
        }
        written
    }
}

unsafe fn cut(descriptor: c_int, length: off_t) -> c_int {
    let mut held = WATCHED.lock().unwrap();
    let found = held.as_mut().and_then(|watched| Some((watched.open(descriptor)?, watched)));
    if let Some((file, watched)) = found {
        if let Some(How::Errno(number)) = watched.fails(Call::Cut) {
            return refuse(number);
        }
        watched.events.push(Event::Cut { file, length: length as u64 });
    }
    // SAFETY: handed on as it came.
    unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, length) as c_int }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(descriptor: c_int, length: off_t) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { cut(descriptor, length) }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(descriptor: c_int, length: off_t) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { cut(descriptor, length) }
}

fn sync(descriptor: c_int, call: libc::c_long) -> c_int {
    let file = {
        let mut held = WATCHED.lock().unwrap();
        let found = held.as_mut().and_then(|watched| Some((watched.open(descriptor)?, watched)));
        match found.map(|(file, watched)| (file, watched.fails(Call::Sync))) {
            Some((_, Some(How::Errno(number)))) => return refuse(number),
            Some((file, _)) => Some(file),
            None => None,
        }
    };
    if file.is_none() {
        // SAFETY: handed on as it came.
        return unsafe { libc::syscall(call, descriptor) as c_int };
    }
    // The images are made of what was recorded; the real disk need not wait.
    if let (Some(watched), Some(file)) = (&mut *WATCHED.lock().unwrap(), file) {
        watched.events.push(Event::Sync { file });
    }
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fdatasync)
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fsync)
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: a text that ends with a zero, as the system wants it.
    let given = unsafe { CStr::from_ptr(path) };
    if let Some(watched) = &mut *WATCHED.lock().unwrap()
        && let Some(file) = watched.name(Path::new(std::ffi::OsStr::from_bytes(given.to_bytes())))
    {
        watched.events.push(Event::Remove { file });
    }
    // SAFETY: handed on as it came.
    unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path, 0) as c_int }
}
