//! The budget of a key: a budget of the ledger's, of the tag that every call of the key carries.

use super::keys::AccessKey;
use crate::Result;
use crate::cost::CostTracker;
use crate::cost::budget::{Budget, Scope};
use std::sync::Arc;

/// How the tag begins.
pub(super) const KEY_TAG: &str = "key=";

/// The tag of a key's calls.
pub(super) fn tag_of(key: &AccessKey) -> String {
    format!("{KEY_TAG}{}", key.id)
}

/// Sets the budgets of keys.
pub(super) async fn set(costs: &CostTracker, keys: &[Arc<AccessKey>]) -> Result<()> {
    for key in keys {
        let Some((limit, period)) = &key.terms.budget else { continue };
        let scope = Scope { tag: Some(tag_of(key)), ..Scope::default() };
        let budget = Budget { scope, period: *period, ..Budget::new(*limit)? };
        costs.set_budget(budget, Vec::new(), None).await?;
    }
    Ok(())
}
