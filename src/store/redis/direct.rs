//! A connection that a waiting caller serves with its own thread: it writes, and reads the answer, and no other is woken.
//!
//! There is one for each handle. Whoever finds it in use goes with the others, over the connection that all share.

use crate::blocking::thread_waits;
use crate::lock::Lock;
use redis::{Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult, Value};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long connecting, a login or a write may keep the caller's thread. What is slower than that goes the other way.
const PROMPT: Duration = Duration::from_millis(500);
/// How long a read keeps it before the caller may look around, for Ctrl-C.
const LOOK: Duration = Duration::from_millis(40);
/// When connecting is tried again after it failed.
const REST: Duration = Duration::from_secs(5);
/// The longest command that goes this way: what is longer waits for the network, not for threads.
const LONGEST: usize = 1 << 16;
const CHUNK: usize = 1 << 16;

/// The connection, if there is one.
pub(super) struct Direct(Lock<Place>);

enum Place {
    Empty,
    Here(TcpStream),
    InUse,
    NotBefore(Instant),
}

/// Leaves the place empty, unless the connection is put back.
struct Lent<'a>(&'a Direct);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut place = self.0.0.lock();
        if matches!(*place, Place::InUse) {
            *place = Place::Empty;
        }
    }
}

impl Direct {
    pub(super) fn new() -> Self {
        Self(Lock::new(Place::Empty))
    }

    /// Sends a command from this thread; None where it has to go the other way.
    pub(super) async fn send(&self, command: &Cmd, info: &ConnectionInfo) -> Option<RedisResult<Value>> {
        if !thread_waits() {
            return None;
        }
        let packed = command.get_packed_command();
        if packed.len() > LONGEST {
            return None;
        }
        let found = {
            let mut place = self.0.lock();
            match &*place {
                Place::InUse => return None,
                Place::NotBefore(when) if Instant::now() < *when => return None,
                _ => std::mem::replace(&mut *place, Place::InUse),
            }
        };
        let lent = Lent(self);
        let stream = match found {
            Place::Here(stream) => stream,
            _ => match connect(info) {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::debug!(%error, "a caller's own connection did not come about");
                    *self.0.lock() = Place::NotBefore(Instant::now() + REST);
                    return None;
                }
            },
        };
        Some(match ask(stream, &packed).await {
            Ok((value, Some(stream))) => {
                *lent.0.0.lock() = Place::Here(stream);
                Ok(value)
            }
            Ok((value, None)) => Ok(value),
            Err(error) => Err(error),
        })
    }
}

fn connect(info: &ConnectionInfo) -> RedisResult<TcpStream> {
    let ConnectionAddr::Tcp(host, port) = info.addr() else {
        return Err((ErrorKind::Client, "not an address of TCP").into());
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host.as_str(), *port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PROMPT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(PROMPT))?;
                stream.set_read_timeout(Some(PROMPT))?;
                log_in(&stream, info)?;
                stream.set_read_timeout(Some(LOOK))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn log_in(mut stream: &TcpStream, info: &ConnectionInfo) -> RedisResult<()> {
    let settings = info.redis_settings();
    let mut commands = Vec::new();
    if let Some(password) = settings.password() {
        let mut auth = redis::cmd("AUTH");
        settings.username().into_iter().for_each(|user| {
            auth.arg(user);
        });
        auth.arg(password);
        commands.push(auth);
    }
    if settings.db() != 0 {
        let mut select = redis::cmd("SELECT");
        select.arg(settings.db());
        commands.push(select);
    }
    for command in commands {
        stream.write_all(&command.get_packed_command())?;
        let mut reply = Reply::default();
        while !reply.is_whole()? {
            reply.read(|chunk| stream.read(chunk))?;
        }
        reply.value()?.extract_error()?;
    }
    Ok(())
}

/// Asks, and gives the connection back where it may be used again. Dropped, it leaves an answer under way.
async fn ask(stream: TcpStream, command: &[u8]) -> RedisResult<(Value, Option<TcpStream>)> {
    (&stream).write_all(command)?;
    let mut reply = Reply::default();
    while !reply.is_whole()? {
        if !thread_waits() {
            // The caller left, and what it began is brought to its end elsewhere.
            return Ok((read_elsewhere(stream, reply).await?, None));
        }
        match reply.read(|chunk| (&stream).read(chunk)) {
            Ok(()) => {}
            Err(error) if is_pause(&error) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
    Ok((reply.value()?, Some(stream)))
}

async fn read_elsewhere(stream: TcpStream, mut reply: Reply) -> RedisResult<Value> {
    stream.set_nonblocking(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    while !reply.is_whole()? {
        stream.readable().await?;
        match reply.read(|chunk| stream.try_read(chunk)) {
            Err(error) if !is_pause(&error) => return Err(error.into()),
            _ => {}
        }
    }
    reply.value()
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// A reply as far as it has been read.
struct Reply {
    bytes: Vec<u8>,
    /// How far it has been looked at, and how many values follow.
    seen: usize,
    left: usize,
}

impl Default for Reply {
    fn default() -> Self {
        Self { bytes: Vec::new(), seen: 0, left: 1 }
    }
}

impl Reply {
    /// Reads what there is.
    fn read(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
        let before = self.bytes.len();
        self.bytes.resize(before + if before == 0 { 1024 } else { CHUNK }, 0);
        let read = read(&mut self.bytes[before..]);
        self.bytes.truncate(before + read.as_ref().copied().unwrap_or_default());
        match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Whether all of it is there.
    fn is_whole(&mut self) -> RedisResult<bool> {
        let strange = || RedisError::from((ErrorKind::Parse, "a reply is in no form that is known"));
        while self.left > 0 {
            let rest = self.bytes.get(self.seen..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(false) };
            let line = rest.get(..end).unwrap_or_default();
            let number = || {
                let text = line.strip_suffix(b"\r").and_then(|line| line.get(1..)).ok_or_else(strange)?;
                let number: i64 =
                    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(strange)?;
                Ok::<usize, RedisError>(usize::try_from(number).unwrap_or_default())
            };
            let (long, more) = match line.first() {
                Some(b'+' | b'-' | b':') => (0, 0),
                // A text that is not there has a negative length.
                Some(b'$') if line.starts_with(b"$-") => (0, 0),
                Some(b'$') => (number()?.saturating_add(2), 0),
                Some(b'*') => (0, number()?),
                _ => return Err(strange()),
            };
            if rest.len() < long.saturating_add(end + 1) {
                return Ok(false);
            }
            self.seen += end + 1 + long;
            self.left = (self.left - 1).saturating_add(more);
        }
        Ok(true)
    }

    fn value(self) -> RedisResult<Value> {
        redis::parse_redis_value(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replies() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            "[ -~]{0,9}".prop_map(|text| format!("+{text}\r\n").into_bytes()),
            "[A-Z]{1,9}".prop_map(|text| format!("-{text} no\r\n").into_bytes()),
            Just(b"$-1\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..9)
                .prop_map(|bytes| { [format!("${}\r\n", bytes.len()).into_bytes(), bytes, b"\r\n".to_vec()].concat() }),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            proptest::collection::vec(inner, 0..5)
                .prop_map(|parts| [format!("*{}\r\n", parts.len()).into_bytes(), parts.concat()].concat())
        })
    }

    proptest! {
        #[test]
        fn a_reply_is_whole_with_its_last_byte_and_not_before(bytes in replies()) {
            let mut reply = Reply::default();
            for (n, byte) in bytes.iter().enumerate() {
                prop_assert!(!reply.is_whole().unwrap(), "after {n} of {} bytes", bytes.len());
                reply.bytes.push(*byte);
            }
            prop_assert!(reply.is_whole().unwrap());
            prop_assert_eq!(reply.seen, bytes.len());
            prop_assert!(reply.value().is_ok());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reply = Reply { bytes, ..Reply::default() };
            if let Ok(true) = reply.is_whole() {
                prop_assert!(reply.seen <= reply.bytes.len());
            }
        }
    }
}
