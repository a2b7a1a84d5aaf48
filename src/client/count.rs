//! How many tokens a question has, before it is asked.

use super::{Client, estimate};
use crate::Result;
use crate::chat::Request;

impl Client {
    /// The input tokens that a request is likely to have: by the model's own splitter where it is known here, else by an
    /// estimate. Nothing is sent.
    ///
    /// # Errors
    /// `UnknownModel`.
    pub fn count_tokens(&self, request: &Request) -> Result<u64> {
        let prices = self.inner.costs.prices();
        let models = self.candidate_models(&request.model);
        let model = models.first().map_or(request.model.as_str(), String::as_str);
        let (_, bare) = self.route(model)?;
        let request = Request { model: bare.to_owned(), ..request.clone() };
        Ok(estimate::of_request(&request, model, &prices).input_tokens)
    }
}
