//! Who a call is for.

use crate::{Error, Result};

/// Who a call is for: one tenant, and any number of tags such as `project=annual-report`.
///
/// ```
/// use headrace::cost::Attribution;
/// let who = Attribution::new("acme", ["report", "project=csrd", "report"]).unwrap();
/// assert_eq!(who.tags(), ["project=csrd", "report"]);
/// assert_eq!(who.tag_value("project"), Some("csrd"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribution {
    tenant: String,
    tags: Vec<String>,
}

impl Default for Attribution {
    fn default() -> Self {
        Self { tenant: "default".into(), tags: Vec::new() }
    }
}

impl Attribution {
    /// Tags are a set: sorted, each once.
    ///
    /// # Errors
    /// `InvalidArgument` where the tenant or a tag is empty.
    pub fn new<T: Into<String>>(tenant: impl Into<String>, tags: impl IntoIterator<Item = T>) -> Result<Self> {
        let tenant = tenant.into();
        let mut tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        if tenant.is_empty() || tags.iter().any(String::is_empty) {
            return Err(Error::invalid("a tenant or a tag is empty: give each a name"));
        }
        tags.sort_unstable();
        tags.dedup();
        Ok(Self { tenant, tags })
    }

    /// The tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The tags, sorted.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The value of the tag `key=value`, the first in order where there are several.
    pub fn tag_value(&self, key: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(key)?.strip_prefix('='))
    }
}
