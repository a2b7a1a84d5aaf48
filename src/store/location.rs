//! A store address. A URL says which store; one that a room cannot serve is an error, never another store.

use crate::{Error, Result};
use std::fmt;
use std::path::PathBuf;

/// A parsed store address.
///
/// ```
/// use headrace::store::Location;
/// assert_eq!(Location::parse("memory://").unwrap(), Location::Memory);
/// assert_eq!(Location::parse("sqlite:///q.db").unwrap(), Location::Sqlite("q.db".into()));
/// assert_eq!(Location::parse("sqlite:////var/q.db").unwrap(), Location::Sqlite("/var/q.db".into()));
/// assert!(matches!(Location::parse("redis://localhost:6379/0").unwrap(), Location::Redis(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Inside the process, gone with it.
    Memory,
    /// A file.
    Sqlite(PathBuf),
    /// A Redis server, a cluster of them, or Upstash's REST interface to one.
    Redis(RedisUrl),
}

/// How a Redis server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisKind {
    /// `redis://`: one server.
    Plain,
    /// `rediss://`: one server, over TLS.
    Tls,
    /// `redis+cluster://`: the servers of a cluster.
    Cluster,
    /// `redis+sentinel://`: the server that sentinels name.
    Sentinel,
    /// `upstash://`: over Upstash's REST interface.
    Upstash,
}

impl RedisKind {
    const ALL: [Self; 5] = [Self::Plain, Self::Tls, Self::Cluster, Self::Sentinel, Self::Upstash];

    /// The scheme of the URL, without `://`.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "redis",
            Self::Tls => "rediss",
            Self::Cluster => "redis+cluster",
            Self::Sentinel => "redis+sentinel",
            Self::Upstash => "upstash",
        }
    }
}

/// The address of a Redis server. It may hold a password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    kind: RedisKind,
    url: String,
    /// How many replicas have to have what is written.
    replicas: u32,
}

impl RedisUrl {
    /// How the server is reached.
    #[must_use]
    pub fn kind(&self) -> RedisKind {
        self.kind
    }

    /// How many replicas have what was written before a call returns, by `?wait=`; 0 waits for none.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// The URL with `***` in place of its password, for a message.
    ///
    /// ```
    /// use headrace::store::Location;
    /// let Ok(Location::Redis(url)) = Location::parse("redis://app:secret@host:6379/0") else { unreachable!() };
    /// assert_eq!(url.shown(), "redis://app:***@host:6379/0");
    /// ```
    #[must_use]
    pub fn shown(&self) -> String {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        // A parameter may be a secret as well, and a password may hold an @.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let shown = match rest.rsplit_once('@') {
            None => rest.to_owned(),
            Some((login, host)) => match login.split_once(':') {
                Some((user, _)) => format!("{user}:***@{host}"),
                None => format!("***@{host}"),
            },
        };
        format!("{}://{shown}", self.kind.scheme())
    }

    /// The whole URL, with its password: for who connects, never for a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({}://...)", self.kind.scheme())
    }
}

/// What every room serves.
const SERVED: &str = "give memory:// or sqlite:///FILE";

impl Location {
    /// Reads a URL. `sqlite:///a.db` is relative, `sqlite:////a.db` absolute, as in `SQLAlchemy`.
    ///
    /// # Errors
    /// `Config` where the scheme is unknown, or what must follow it is missing.
    pub fn parse(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(Error::Config(format!("a store address begins with a scheme and ://: {SERVED}")));
        };
        if scheme == "memory" {
            return match rest {
                "" => Ok(Self::Memory),
                _ => Err(Error::Config("memory:// takes nothing after it: state in memory has no name".into())),
            };
        }
        if scheme == "sqlite" {
            return match rest.strip_prefix('/') {
                Some(path) if path.contains('\0') => {
                    Err(Error::Config("a sqlite:// address holds a zero byte: give the path of a file".into()))
                }
                Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
                _ => Err(Error::Config(format!(
                    "sqlite address {url:?} names no file: give sqlite:///FILE, or sqlite:////FILE from the root"
                ))),
            };
        }
        match RedisKind::ALL.into_iter().find(|kind| kind.scheme() == scheme) {
            // Upstash's address may stand in the environment.
            Some(kind) if rest.is_empty() && kind != RedisKind::Upstash => {
                Err(Error::Config(format!("{scheme}:// names no server: give {scheme}://HOST")))
            }
            Some(kind) => {
                let (url, replicas) = without_wait(kind, url)?;
                Ok(Self::Redis(RedisUrl { kind, url, replicas }))
            }
            None => Err(Error::Config(format!("store address with scheme {scheme:?} is not supported: {SERVED}"))),
        }
    }

    /// The error of a room that cannot serve this address.
    ///
    /// ```
    /// use headrace::store::Location;
    /// let error = Location::parse("redis://:secret@host").unwrap().not_served_by("RequestQueue");
    /// assert_eq!(error.to_string(), "redis:// is not supported by RequestQueue yet: give memory:// or sqlite:///FILE");
    /// ```
    #[must_use]
    pub fn not_served_by(&self, room: &str) -> Error {
        let scheme = match self {
            Self::Memory => "memory",
            Self::Sqlite(_) => "sqlite",
            Self::Redis(url) => url.kind.scheme(),
        };
        Error::Config(format!("{scheme}:// is not supported by {room} yet: {SERVED}"))
    }
}

/// The address without its `wait=`, and how many replicas that asks for.
fn without_wait(kind: RedisKind, url: &str) -> Result<(String, u32)> {
    // A password may hold a question mark.
    let host = url.rfind('@').unwrap_or_default();
    let Some(query) = url[host..].find('?').map(|place| host + place) else { return Ok((url.to_owned(), 0)) };
    let (address, query) = (&url[..query], &url[query + 1..]);
    let (mut replicas, mut others) = (0, Vec::new());
    for part in query.split('&') {
        let Some(number) = part.strip_prefix("wait=") else {
            others.push(part);
            continue;
        };
        if matches!(kind, RedisKind::Cluster | RedisKind::Upstash) {
            return Err(Error::Config(format!("{}:// takes no wait=: one server and sentinels do", kind.scheme())));
        }
        replicas = number.parse().ok().filter(|replicas| (1..=100).contains(replicas)).ok_or_else(|| {
            Error::Config("wait= is how many replicas have to have what is written: give a number from 1 to 100".into())
        })?;
    }
    let rest = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
    Ok((format!("{address}{rest}"), replicas))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_is_not_known_is_an_error_and_shows_no_secret() {
        for url in ["", "memory", "memory:/", "memory://x", "Memory://", "sqlite://", "sqlite:///", "sqlite://a.db"] {
            assert!(matches!(Location::parse(url), Err(Error::Config(_))), "{url}");
        }
        for url in ["sqlite3:///q.db", "redi://:secret@host", "redis://", "redis:host", "secret"] {
            let Err(Error::Config(message)) = Location::parse(url) else { panic!("{url} was accepted") };
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn replicas_to_wait_for_are_read_and_not_passed_on() {
        for (url, address, replicas) in [
            ("redis://host/1?wait=2", "redis://host/1", 2),
            ("redis://u:a?wait=9@host?wait=1&protocol=resp3", "redis://u:a?wait=9@host?protocol=resp3", 1),
            ("redis+sentinel://a,b/m/0?wait=1", "redis+sentinel://a,b/m/0", 1),
            ("redis://host?protocol=resp3", "redis://host?protocol=resp3", 0),
        ] {
            let Location::Redis(found) = Location::parse(url).unwrap() else { panic!("{url}") };
            assert_eq!((found.expose(), found.replicas()), (address, replicas));
        }
        for url in
            ["redis://host?wait=", "redis://host?wait=0", "redis+cluster://host?wait=1", "upstash://t@host?wait=1"]
        {
            assert!(matches!(Location::parse(url), Err(Error::Config(_))), "{url}");
        }
    }

    #[test]
    fn an_address_of_redis_is_known_and_shows_no_secret() {
        for kind in RedisKind::ALL {
            let url = format!("{}://user:secret@host:1/0", kind.scheme());
            let Location::Redis(found) = Location::parse(&url).unwrap() else { panic!("{url}") };
            assert_eq!((found.kind(), found.expose()), (kind, url.as_str()));
            assert!(!format!("{found:?}").contains("secret"));
            let Error::Config(message) = Location::Redis(found).not_served_by("SemanticCache") else { panic!() };
            assert!(message.contains(kind.scheme()) && !message.contains("secret"), "{message}");
        }
    }
}
