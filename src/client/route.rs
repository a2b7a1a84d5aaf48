//! Which provider serves a model.

use super::Client;
use crate::provider::Guarded;
use crate::{Error, Result};
use std::sync::Arc;

impl Client {
    /// Which provider serves a model, and its name there.
    pub(super) fn route<'a>(&self, model: &'a str) -> Result<(&Arc<Guarded>, &'a str)> {
        let unknown = |why: &str| {
            let known = self.models();
            let known =
                if known.is_empty() { format!("{}/...", self.providers().join("/..., ")) } else { known.join(", ") };
            let routes = self.routes();
            let routes = if routes.is_empty() { String::new() } else { format!(", or a route, {}", routes.join(", ")) };
            Error::UnknownModel(format!("model {model:?} {why}: name it provider/model, here {known}{routes}"))
        };
        let (name, bare) = model.split_once('/').ok_or_else(|| unknown("has no provider before a slash"))?;
        let guarded = self.inner.providers.iter().find(|guarded| guarded.provider().name() == name);
        let guarded = guarded.ok_or_else(|| unknown("has no provider here"))?;
        let models = guarded.provider().models();
        if bare.is_empty() || !(models.is_empty() || models.iter().any(|model| model == bare)) {
            return Err(unknown("is not one of its provider's"));
        }
        Ok((guarded, bare))
    }
}
