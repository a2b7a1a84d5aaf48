//! Locks on the files of SQLite that belong to a descriptor, not to the process.
//!
//! SQLite locks with POSIX's record locks. A process loses all of those on a file as soon as anything in it closes any
//! descriptor of that file, and they do not hold against the process itself: a second SQLite in it, as Python's
//! `sqlite3` module brings one, takes itself for alone, empties the index of the log and removes the log when it
//! closes. Linux has locks of the same ranges that belong to an open file description, respect POSIX's and are
//! respected by them, also inside a process. So the copy of SQLite in this library is given a `fcntl` that takes those,
//! on a description of its own for each file, and to another copy it looks like another process.
//!
//! A forked child shares descriptions with its parent, and so locks. It closes them at once, and its SQLite takes a file
//! that it opens for one that it does not know: its device number is changed.
//!
//! Elsewhere SQLite keeps POSIX's locks, and [`super::place`] finds out what they let happen.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod owned {
    #![allow(
        unsafe_code,
        reason = "SQLite takes system calls as C functions, and no library has these locks in a safe form"
    )]

    use super::super::fork::generation;
    use libc::{c_char, c_int, c_void, dev_t, flock, ino_t, stat};
    use parking_lot::Mutex;
    use rusqlite::ffi;
    use std::collections::HashMap;
    use std::ffi::CStr;
    use std::fs::{File, OpenOptions};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;
    use std::sync::OnceLock;

    /// Which file: its device and its number there.
    type Identity = (dev_t, ino_t);

    /// The description that holds this process's locks on a file.
    struct Holder {
        file: File,
        /// SQLite's own descriptors of the file.
        descriptors: Vec<c_int>,
    }

    #[derive(Default)]
    struct Holders {
        by_file: HashMap<Identity, Holder>,
        by_descriptor: HashMap<c_int, Identity>,
    }

    static HOLDERS: Mutex<Option<Holders>> = Mutex::new(None);

    impl Holders {
        /// The descriptor to lock by, where SQLite would lock by `descriptor`.
        fn of(&mut self, descriptor: c_int) -> std::io::Result<c_int> {
            if let Some(holder) = self.by_descriptor.get(&descriptor).and_then(|file| self.by_file.get(file)) {
                return Ok(holder.file.as_raw_fd());
            }
            let file = reopen(descriptor)?;
            let known = file.metadata()?;
            let identity = (known.dev(), known.ino());
            self.by_descriptor.insert(descriptor, identity);
            let holder = self.by_file.entry(identity).or_insert(Holder { file, descriptors: Vec::new() });
            holder.descriptors.push(descriptor);
            Ok(holder.file.as_raw_fd())
        }

        fn closed(&mut self, descriptor: c_int) {
            let Some(identity) = self.by_descriptor.remove(&descriptor) else { return };
            if let Some(holder) = self.by_file.get_mut(&identity) {
                holder.descriptors.retain(|&other| other != descriptor);
                if holder.descriptors.is_empty() {
                    self.by_file.remove(&identity);
                }
            }
        }
    }

    /// A description of the file behind a descriptor that is nobody else's.
    fn reopen(descriptor: c_int) -> std::io::Result<File> {
        let path = format!("/proc/self/fd/{descriptor}");
        let writable = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(&path);
        writable.or_else(|_| File::open(&path))
    }

    /// SQLite's `fcntl`, with the locks of a process taken by a description.
    unsafe extern "C" fn lock(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
        let command = match command {
            libc::F_SETLK => libc::F_OFD_SETLK,
            libc::F_SETLKW => libc::F_OFD_SETLKW,
            libc::F_GETLK => libc::F_OFD_GETLK,
            // SAFETY: handed on as it came.
            other => return unsafe { libc::fcntl(descriptor, other, argument) },
        };
        match HOLDERS.lock().get_or_insert_default().of(descriptor) {
            Ok(holder) => {
                let range = argument.cast::<flock>();
                // SAFETY: with these commands SQLite gives a `flock` of its own, which these locks want without a process.
                unsafe {
                    (*range).l_pid = 0;
                    libc::fcntl(holder, command, range)
                }
            }
            Err(error) => {
                // SAFETY: the number of the last error is the thread's own.
                unsafe { *libc::__errno_location() = error.raw_os_error().unwrap_or(libc::ENOLCK) };
                -1
            }
        }
    }

    /// SQLite's `close`.
    unsafe extern "C" fn close(descriptor: c_int) -> c_int {
        // Before it is closed: its number may be another thread's at once.
        if let Some(holders) = &mut *HOLDERS.lock() {
            holders.closed(descriptor);
        }
        // SAFETY: handed on as it came.
        unsafe { libc::close(descriptor) }
    }

    /// SQLite's `fstat`, by which it knows a file: what a parent opened is not what its child opens.
    unsafe extern "C" fn status(descriptor: c_int, into: *mut stat) -> c_int {
        // SAFETY: handed on as it came; where it succeeded, what it points to was written.
        unsafe {
            let done = libc::fstat(descriptor, into);
            if done == 0 {
                (*into).st_dev ^= dev_t::from(generation()) << 32;
            }
            done
        }
    }

    /// Makes SQLite lock by descriptions from now on.
    pub(crate) fn install() {
        static ONCE: OnceLock<()> = OnceLock::new();
        ONCE.get_or_init(|| {
            if is_supported() {
                replace();
            } else {
                tracing::warn!("the system has no locks by descriptor: do not open a file with another SQLite here");
            }
        });
    }

    /// Whether the system has such locks, and shows descriptors as files.
    fn is_supported() -> bool {
        let Ok(file) = File::open("/proc/self/exe") else { return false };
        let Ok(again) = reopen(file.as_raw_fd()) else { return false };
        ask(&again, libc::F_OFD_GETLK, libc::F_RDLCK, 0).is_ok()
    }

    fn replace() {
        type Call = unsafe extern "C" fn();
        // SAFETY: SQLite calls each of them by the type that it has here (on these machines a function is called alike
        // whether or not its last argument is one of `...`), and they live as long as the program.
        unsafe {
            let system = ffi::sqlite3_vfs_find(c"unix".as_ptr());
            if system.is_null() {
                return;
            }
            let Some(set) = (*system).xSetSystemCall else { return };
            let put = |name: &CStr, call: Call| {
                let name: *const c_char = name.as_ptr();
                set(system, name, Some(call));
            };
            put(c"fcntl", std::mem::transmute::<unsafe extern "C" fn(c_int, c_int, *mut c_void) -> c_int, Call>(lock));
            put(c"close", std::mem::transmute::<unsafe extern "C" fn(c_int) -> c_int, Call>(close));
            put(c"fstat", std::mem::transmute::<unsafe extern "C" fn(c_int, *mut stat) -> c_int, Call>(status));
        }
    }

    /// In a forked child: gives up what it shares with its parent.
    pub(crate) fn forget() {
        // Nobody is inside but for this thread, or a fork has waited for too long; then the locks stay as they are.
        if let Some(mut holders) = HOLDERS.try_lock() {
            *holders = None;
        }
    }

    /// Asks for a lock on one byte; gives what stands in its way where that is the question.
    fn ask(file: &File, command: c_int, kind: c_int, byte: i64) -> std::io::Result<c_int> {
        // SAFETY: a `flock` is plain numbers.
        let mut range: flock = unsafe { std::mem::zeroed() };
        range.l_type = kind as libc::c_short;
        range.l_whence = libc::SEEK_SET as libc::c_short;
        range.l_start = byte;
        range.l_len = 1;
        // SAFETY: the descriptor is open, and the range lives as long as the call.
        match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut range) } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(c_int::from(range.l_type)),
        }
    }

    /// One byte of a file on which processes agree by locks. It lies in the page that SQLite keeps free for its own.
    pub(crate) struct Byte {
        file: File,
        byte: i64,
    }

    impl Byte {
        pub(crate) fn of(path: &Path, offset: i64) -> Option<Self> {
            let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
            // SQLite's own lie from 0x4000_0000 on, 512 of them; a page has 4096.
            Some(Self { file, byte: 0x4000_0000 + 2048 + offset })
        }

        /// Takes it alone; whether it was free.
        pub(crate) fn take(&self) -> bool {
            ask(&self.file, libc::F_OFD_SETLK, libc::F_WRLCK, self.byte).is_ok()
        }

        /// Shares it.
        pub(crate) fn share(&self) -> bool {
            ask(&self.file, libc::F_OFD_SETLK, libc::F_RDLCK, self.byte).is_ok()
        }

        /// Gives it up, also where a forked child has the same description.
        pub(crate) fn leave(&self) {
            let _ = ask(&self.file, libc::F_OFD_SETLK, libc::F_UNLCK, self.byte);
        }

        /// Whether another process has a share.
        pub(crate) fn is_shared(&self) -> bool {
            ask(&self.file, libc::F_OFD_GETLK, libc::F_WRLCK, self.byte).is_ok_and(|kind| kind != libc::F_UNLCK)
        }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod owned {
    use std::path::Path;

    pub(crate) fn install() {}

    pub(crate) fn forget() {}

    /// Where there are no locks by descriptor, opening the file to lock a byte of it would end SQLite's.
    pub(crate) struct Byte;

    impl Byte {
        pub(crate) fn of(_path: &Path, _offset: i64) -> Option<Self> {
            None
        }

        pub(crate) fn take(&self) -> bool {
            true
        }

        pub(crate) fn share(&self) -> bool {
            false
        }

        pub(crate) fn leave(&self) {}

        pub(crate) fn is_shared(&self) -> bool {
            true
        }
    }
}

pub(crate) use owned::Byte;
pub(super) use owned::{forget, install};

/// The byte that whoever closes a file has alone.
pub(super) const CLOSING: i64 = 0;
/// The byte that whoever waits for notices of a file shares.
pub(crate) const LISTENING: i64 = 1;
