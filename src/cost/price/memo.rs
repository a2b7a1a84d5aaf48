//! What names were found to stand for: a name that no list has is looked for in all of them, which takes long.

use super::Resolved;
use crate::Result;
use crate::lock::SharedLock;
use hashbrown::HashMap;

/// Names that are remembered. With one more all are forgotten: a caller may name any model.
const MOST_NAMES: usize = 1024;

/// By the name that was asked for. A clone remembers nothing, as it is going to be changed.
#[derive(Debug, Default)]
pub(super) struct Memo {
    found: SharedLock<HashMap<String, Resolved>>,
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Memo {
    /// What the name stands for, found now where it was not yet. An error is not remembered.
    pub(super) fn get_or_find(&self, name: &str, find: impl FnOnce() -> Result<Resolved>) -> Result<Resolved> {
        if let Some(known) = self.found.read().get(name) {
            return Ok(known.clone());
        }
        let resolved = find()?;
        let mut found = self.found.write();
        if found.len() >= MOST_NAMES {
            found.clear();
        }
        found.insert(name.to_owned(), resolved.clone());
        Ok(resolved)
    }
}
