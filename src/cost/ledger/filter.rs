//! Which records are meant.

use crate::cost::attribution::Attribution;
use crate::cost::budget::Scope;

/// Which records are meant: all that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this time on, in microseconds since 1970.
    pub since: Option<i64>,
    /// Before this time, in microseconds since 1970.
    pub until: Option<i64>,
    /// Tenant, provider, model and tag.
    pub scope: Scope,
}

impl Filter {
    pub(crate) fn holds(&self, time: i64) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    pub(crate) fn covers(&self, provider: &str, model: &str, who: &Attribution) -> bool {
        self.scope.covers(provider, model, who)
    }

    /// Whether both ends are multiples of `width` microseconds.
    pub(crate) fn is_aligned(&self, width: i64) -> bool {
        [self.since, self.until].into_iter().flatten().all(|end| end.rem_euclid(width) == 0)
    }
}
