//! The system calls by which files are opened, read, changed and locked.
//!
//! The test defines these functions itself, so that SQLite and the standard library, linked into the same program, call
//! them in place of the system's.

use crate::system::{Call, Event, How, Watch, watched};
use libc::{c_char, c_int, c_long, c_uint, c_void, off_t, size_t, ssize_t};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn refuse(number: c_int) -> c_int {
    // SAFETY: the number of the last error is the thread's own.
    unsafe { *libc::__errno_location() = number };
    -1
}

/// What becomes of a call.
enum Verdict {
    /// It is of a file that nobody watches.
    Foreign,
    Fails(c_int),
    /// It is made, on this file; whether only by half.
    Goes(Watch, bool),
}

fn verdict(how: Option<How>, file: Watch) -> Verdict {
    match how {
        None => Verdict::Goes(file, false),
        Some(How::Short) => Verdict::Goes(file, true),
        Some(How::Errno(number)) => Verdict::Fails(number),
        Some(How::Kill) => {
            // SAFETY: plain numbers; nothing of this process runs after it.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            Verdict::Fails(libc::EINTR)
        }
    }
}

/// Of a call on an open file.
fn on(descriptor: c_int, call: Call) -> Verdict {
    let mut held = watched();
    match held.as_mut().and_then(|watched| Some((watched.open(descriptor)?, watched))) {
        Some((file, watched)) => verdict(watched.fails(call), file),
        None => Verdict::Foreign,
    }
}

/// Of a call on a path, which is a text that ends with a zero.
unsafe fn at(path: *const c_char, call: Call) -> Verdict {
    // SAFETY: as the system wants it.
    let given = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
    let mut held = watched();
    match held.as_mut().and_then(|watched| Some((watched.file(given)?, watched))) {
        Some((file, watched)) => verdict(watched.fails(call), file),
        None => Verdict::Foreign,
    }
}

fn note(file: &Watch, event: impl FnOnce(String) -> Event) {
    if let Some(watched) = &mut *watched() {
        watched.note(file, event);
    }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: handed on as it came; a mode that was not given is not looked at.
    unsafe {
        match at(path, Call::Open) {
            Verdict::Fails(number) => refuse(number),
            _ => libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int,
        }
    }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { open(path, flags, mode) }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread(descriptor: c_int, into: *mut c_void, length: size_t, from: off_t) -> ssize_t {
    match on(descriptor, Call::Read) {
        Verdict::Fails(number) => refuse(number) as ssize_t,
        // SAFETY: handed on as it came.
        _ => unsafe { libc::syscall(libc::SYS_pread64, descriptor, into, length, from) as ssize_t },
    }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread64(descriptor: c_int, into: *mut c_void, length: size_t, from: off_t) -> ssize_t {
    // SAFETY: handed on as it came.
    unsafe { pread(descriptor, into, length, from) }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(descriptor: c_int, into: *mut c_void, length: size_t) -> ssize_t {
    match on(descriptor, Call::Read) {
        Verdict::Fails(number) => refuse(number) as ssize_t,
        // SAFETY: handed on as it came.
        _ => unsafe { libc::syscall(libc::SYS_read, descriptor, into, length) as ssize_t },
    }
}

unsafe fn write_at(descriptor: c_int, bytes: *const c_void, length: size_t, at: off_t) -> ssize_t {
    // SAFETY: handed on as it came.
    let write = |length: size_t| unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, bytes, length, at) as ssize_t };
    let (file, length) = match on(descriptor, Call::Write) {
        Verdict::Foreign => return write(length),
        Verdict::Fails(number) => return refuse(number) as ssize_t,
        Verdict::Goes(_, true) if length < 2 => return refuse(libc::ENOSPC) as ssize_t,
        Verdict::Goes(file, is_short) => (file, if is_short { length / 2 } else { length }),
    };
    let mut held = watched();
    let written = write(length);
    if written > 0
        && let Some(watched) = held.as_mut()
    {
        // SAFETY: so many bytes of it were just read by the system.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), written as usize) };
        watched.note(&file, |file| Event::Write { file, at: at as u64, bytes: bytes.to_vec() });
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
    let is_watched = watched().as_ref().is_some_and(|watched| watched.open(descriptor).is_some());
    // SAFETY: handed on as it came; what is written to a watched file is appended.
    unsafe {
        if !is_watched {
            return libc::syscall(libc::SYS_write, descriptor, bytes, length) as ssize_t;
        }
        let flags = libc::syscall(libc::SYS_fcntl, descriptor, libc::F_GETFL) as c_int;
        let whence = if flags & libc::O_APPEND == 0 { libc::SEEK_CUR } else { libc::SEEK_END };
        let at = libc::lseek(descriptor, 0, whence);
        let written = write_at(descriptor, bytes, length, at);
        if written > 0 {
            libc::lseek(descriptor, at + written as off_t, libc::SEEK_SET);
        }
        written
    }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(descriptor: c_int, length: off_t) -> c_int {
    // SAFETY: handed on as it came.
    let cut = || unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, length) as c_int };
    match on(descriptor, Call::Cut) {
        Verdict::Foreign => cut(),
        Verdict::Fails(number) => refuse(number),
        Verdict::Goes(file, _) => {
            note(&file, |file| Event::Cut { file, length: length as u64 });
            cut()
        }
    }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(descriptor: c_int, length: off_t) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { ftruncate(descriptor, length) }
}

fn sync(descriptor: c_int, call: c_long) -> c_int {
    match on(descriptor, Call::Sync) {
        // SAFETY: handed on as it came.
        Verdict::Foreign => unsafe { libc::syscall(call, descriptor) as c_int },
        Verdict::Fails(number) => refuse(number),
        Verdict::Goes(file, _) => {
            // The images are made of what was recorded; the real disk need not wait.
            note(&file, |file| Event::Sync { file });
            0
        }
    }
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
pub unsafe extern "C" fn fcntl(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
    let is_of_locks = matches!(
        command,
        libc::F_SETLK | libc::F_SETLKW | libc::F_GETLK | libc::F_OFD_SETLK | libc::F_OFD_SETLKW | libc::F_OFD_GETLK
    );
    // SAFETY: with these commands it is a `flock`. To give one up needs nothing that could be missing.
    let takes = is_of_locks && unsafe { (*argument.cast::<libc::flock>()).l_type } != libc::F_UNLCK as libc::c_short;
    if takes && let Verdict::Fails(number) = on(descriptor, Call::Lock) {
        return refuse(number);
    }
    // SAFETY: handed on as it came; an argument that was not given is not looked at.
    unsafe { libc::syscall(libc::SYS_fcntl, descriptor, command, argument) as c_int }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl64(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { fcntl(descriptor, command, argument) }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: handed on as it came.
    unsafe {
        match at(path, Call::Remove) {
            Verdict::Fails(number) => return refuse(number),
            Verdict::Goes(file, _) => note(&file, |file| Event::Remove { file }),
            Verdict::Foreign => {}
        }
        libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path, 0) as c_int
    }
}

/// Gives a file another name; after the call, so that one which was refused changes nothing.
unsafe fn name(old: *const c_char, new: *const c_char, keeps_old: bool, call: impl FnOnce() -> c_int) -> c_int {
    // SAFETY: texts that end with a zero, as the system wants them.
    unsafe {
        let Verdict::Goes(file, _) = (match at(old, Call::Name) {
            Verdict::Fails(number) => return refuse(number),
            other => other,
        }) else {
            return call();
        };
        let to = Path::new(OsStr::from_bytes(CStr::from_ptr(new).to_bytes()));
        let done = call();
        if done == 0
            && let Some(watched) = &mut *watched()
            && let Some(to) = watched.file(to)
        {
            watched.note(&file, |file| Event::Name { file, new: to.name, keeps_old });
        }
        done
    }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(old: *const c_char, new: *const c_char) -> c_int {
    // SAFETY: handed on as it came.
    unsafe {
        name(old, new, false, || {
            libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, old, libc::AT_FDCWD, new, 0) as c_int
        })
    }
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_int) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { name(old, new, true, || libc::syscall(libc::SYS_linkat, from, old, to, new, flags) as c_int) }
}
