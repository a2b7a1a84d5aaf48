//! Where state is kept. A URL says which store: `memory://` or `sqlite:///file`.

pub mod sqlite;

use crate::{Error, Result};
use std::path::PathBuf;

/// A parsed store address.
///
/// ```
/// use headrace::store::Location;
/// assert_eq!(Location::parse("memory://").unwrap(), Location::Memory);
/// assert_eq!(Location::parse("sqlite:///q.db").unwrap(), Location::Sqlite("q.db".into()));
/// assert_eq!(Location::parse("sqlite:////var/q.db").unwrap(), Location::Sqlite("/var/q.db".into()));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Inside the process, gone with it.
    Memory,
    /// A file.
    Sqlite(PathBuf),
}

impl Location {
    /// Reads a URL. `sqlite:///a.db` is relative, `sqlite:////a.db` absolute, as in `SQLAlchemy`.
    ///
    /// # Errors
    /// `Config` where the scheme is unknown or the path is empty.
    pub fn parse(url: &str) -> Result<Self> {
        if url == "memory://" {
            return Ok(Self::Memory);
        }
        match url.strip_prefix("sqlite:///") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => {
                let scheme = url.split("://").next().unwrap_or_default();
                Err(Error::Config(format!(
                    "store address with scheme {scheme:?} is not supported: give memory:// or sqlite:///FILE"
                )))
            }
        }
    }
}
