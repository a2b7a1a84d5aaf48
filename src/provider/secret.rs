//! A key that is never shown.

use crate::{Error, Result};
use std::fmt;

/// A key: it can be used, and neither printed nor logged.
///
/// ```
/// let key = headrace::provider::Secret::new("sk-1234");
/// assert_eq!(format!("{key:?}"), "Secret(***)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key; blanks around it are cut.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.trim().to_owned())
    }

    /// The key itself, for the request that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Refuses what cannot stand in a header, before it is taken for a broken network.
    ///
    /// # Errors
    /// `Config`, naming where the secret was given and which kind of character is in it, never the secret.
    pub(super) fn check(&self, given_as: &str) -> Result<()> {
        let wrong = self.0.chars().find(|character| !matches!(character, ' '..='~'));
        let kind = match wrong {
            None => return Ok(()),
            Some('\n' | '\r') => "a line break",
            Some(character) if character.is_control() => "a control character",
            Some(_) => "a character that is not ASCII",
        };
        Err(Error::Config(format!("{given_as} has {kind} in it: give the key alone, on one line")))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
