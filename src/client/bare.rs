//! The name of a model without its provider, as an SDK's examples have it.

use super::Client;

impl Client {
    /// The full name of a model that is named without its provider: where the price list knows one provider of it, and that
    /// one is here. Any other name stays as it is.
    #[must_use]
    pub fn full_name(&self, model: &str) -> String {
        if model.contains('/') || self.routes().contains(&model) {
            return model.to_owned();
        }
        let known = self.inner.costs.prices().find(model).map(|price| price.provider.clone());
        match known.filter(|provider| self.providers().contains(&provider.as_str())) {
            Some(provider) => format!("{provider}/{model}"),
            None => model.to_owned(),
        }
    }
}
