//! What goes wrong with a server, and whether to ask again. No message holds more of an address than its scheme.

use crate::Error;
use crate::store::RedisKind;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Whether the same command may succeed soon: the connection broke, the server starts, or another takes its place.
pub(super) fn is_passing(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::Parse => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::ReadOnly
        ),
        ErrorKind::Extension => {
            matches!(error.code(), Some("BUSY" | "LOADING" | "MASTERDOWN" | "READONLY" | "TRYAGAIN" | "UNBLOCKED"))
        }
        _ => false,
    }
}

/// Whether the connection itself is of no more use: it broke, or its server is not the one that may write any more.
pub(super) fn is_connection_lost(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => kind == ServerErrorKind::ReadOnly,
        kind => kind != ErrorKind::Extension,
    }
}

/// The error that a caller is given.
pub(super) fn store_error(error: &RedisError, kind: RedisKind) -> Error {
    let scheme = kind.scheme();
    if error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) {
        return Error::Store(format!(
            "{scheme}:// refused the login: give the right user and password, as in {scheme}://USER:PASSWORD@HOST"
        ));
    }
    match error.code() {
        Some("OOM") => Error::Store(format!(
            "{scheme}:// is out of memory and takes nothing in: raise maxmemory, or let work be done and results be forgotten"
        )),
        Some("MISCONF") => Error::Store(format!(
            "{scheme}:// cannot write its own file and takes nothing in: look at the server's log and disk"
        )),
        Some("NOPERM") => Error::Store(format!(
            "{scheme}:// does not let this user run scripts on its keys: see `ACL SETUSER` and allow +@all ~headrace:*"
        )),
        Some(code) => {
            Error::Store(format!("{scheme}:// answered {code}: {}", error.detail().unwrap_or("no more is told")))
        }
        None => Error::Store(format!("{scheme}:// could not be asked: {}", reason(error))),
    }
}

/// The error of a caller whose patience ended while the server could not be reached.
pub(super) fn out_of_reach(last: Option<&RedisError>, kind: RedisKind, seconds: f64) -> Error {
    let why = last.map_or_else(|| "no answer came".to_owned(), reason);
    Error::Store(format!(
        "{}:// did not answer within {seconds} s: {why}; see that the server runs and can be reached. What was asked may or may not be done",
        kind.scheme()
    ))
}

/// The error of what was written, where fewer replicas have it than its caller wants.
pub(super) fn too_few_replicas(have: u32, wanted: u32, kind: RedisKind) -> Error {
    Error::Store(format!(
        "{}:// has done what was asked, but {have} of {wanted} replicas have it so far: it is lost where another takes over now. \
         See that replicas run, or give a lower wait= in the URL",
        kind.scheme()
    ))
}

fn reason(error: &RedisError) -> String {
    if error.is_timeout() {
        return "no answer came".into();
    }
    if error.is_connection_refusal() {
        return "the connection was refused".into();
    }
    if error.is_connection_dropped() {
        return "the connection broke".into();
    }
    match (error.code(), error.kind()) {
        (Some(code), _) => code.to_owned(),
        // A certificate that is not trusted, a name that is not known: never a secret.
        (None, ErrorKind::Io) => format!("no connection came about ({error})"),
        (None, kind) => format!("{kind:?}"),
    }
}
